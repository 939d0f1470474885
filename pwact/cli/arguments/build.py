"""The arguments of ``pwact build``, by the kind of structure."""

from __future__ import annotations

import argparse
from typing import Any, Callable

from pwact.cli.arguments.campaign import path, positive, whole
from pwact.cli.parser import Parser

_CUTOFF = 6.0  # Å


def build(parser: Parser) -> None:
    """What ``build`` takes."""
    kinds = parser.add_subparsers(dest="kind", metavar="KIND", required=True)
    for name, (line, declare) in KINDS.items():
        one = kinds.add_parser(
            name,
            prog=f"pwact build {name}",
            help=line,
            description=line,
            allow_abbrev=False,
            add_help=False,
        )
        declare(one)
        where = "folder of the files (default: starts)"
        one.add_argument("-o", "--output", metavar="DIR", type=path, default="starts", help=where)
        parser.kinds[name] = one


def _surface(parser: Parser) -> None:
    add = parser.add_argument
    add("bulk", metavar="BULK", type=path, help="a crystal, in any format of sys_configs")
    more = "Miller indices of the lattice vectors in BULK (may be repeated)"
    add(
        "--miller",
        metavar=("H", "K", "L"),
        nargs=3,
        type=_integer,
        action="append",
        required=True,
        help=more,
    )
    add("--layers", metavar="N", type=whole(1), default=4, help="lattice planes (default: 4)")
    more = "from the slab to its next image, in Å (default: 15)"
    add("--vacuum", metavar="ANGSTROM", type=positive, default=15.0, help=more)
    more = "repeat the slab along the surface (default: 1 1)"
    add("--repeat", metavar=("I", "J"), nargs=2, type=whole(1), default=[1, 1], help=more)
    more = "at most so many cuts of a plane, those with the widest gaps (default: all that differ)"
    add("--cuts", metavar="N", type=whole(1), help=more)
    _cutoff(parser)


def _vacancy(parser: Parser) -> None:
    add = parser.add_argument
    add("bulk", metavar="BULK", type=path, help="a crystal, in any format of sys_configs")
    more = "repeat the cell first (default: 1 1 1)"
    add(
        "--super_cell",
        metavar=("I", "J", "K"),
        nargs=3,
        type=whole(1),
        default=[1, 1, 1],
        help=more,
    )
    add("--missing", metavar="N", type=whole(1), default=1, help="missing atoms (default: 1)")
    add("--element", metavar="X", default="", help="only atoms of this element (default: any)")
    _several(parser)


def _atom(parser: Parser) -> None:
    _boxed(parser)


def _dimer(parser: Parser) -> None:
    parser.add_argument(
        "--distance",
        metavar="ANGSTROM",
        nargs="+",
        type=positive,
        required=True,
        help="distances of the two atoms, in Å",
    )
    _boxed(parser)


def _amorphous(parser: Parser) -> None:
    add = parser.add_argument
    add("formula", metavar="FORMULA", help="all atoms of the cell: Si24O48")
    size = parser.add_mutually_exclusive_group(required=True)
    size.add_argument("--density", metavar="G_PER_CM3", type=positive, help="in g/cm³")
    size.add_argument("--volume", metavar="ANGSTROM3", type=positive, help="of the cell, in Å³")
    more = "smallest distance of two atoms, in Å"
    add("--min_distance", metavar="ANGSTROM", type=positive, required=True, help=more)
    _several(parser)


def _boxed(parser: Parser) -> None:
    add = parser.add_argument
    more = "structures that hold the elements"
    add("structures", metavar="STRUCTURE", type=path, nargs="+", help=more)
    more = "edge of the box in Å (default: as small as --cutoff lets it be)"
    add("--box", metavar="ANGSTROM", type=positive, help=more)
    _cutoff(parser)


def _cutoff(parser: Parser) -> None:
    more = f"of the models, in Å: room is at least twice as wide (default: {_CUTOFF:g})"
    parser.add_argument("--cutoff", metavar="ANGSTROM", type=positive, default=_CUTOFF, help=more)


def _several(parser: Parser) -> None:
    add = parser.add_argument
    add("--structures", metavar="N", type=whole(1), default=1, help="how many (default: 1)")
    add("--seed", type=whole(0), default=2024, help="of the choice (default: 2024)")


def _integer(text: str) -> int:
    digits = text[1:] if text[:1] in {"-", "+"} else text
    if not (digits.isascii() and digits.isdigit() and len(digits) < 4):
        raise argparse.ArgumentTypeError(f"found {text!r}; expected an integer")
    return int(text)


KINDS: dict[str, tuple[str, Callable[[Parser], Any]]] = {
    "surface": ("slabs of a crystal, one for each cut that differs", _surface),
    "vacancy": ("crystals in which atoms are missing", _vacancy),
    "atom": ("one atom of each element alone in a box", _atom),
    "dimer": ("two atoms in a box, all pairs of elements", _dimer),
    "amorphous": ("atoms at random places", _amorphous),
}
