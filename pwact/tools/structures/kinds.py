"""What `pwact build` makes, by the kind of structure."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Callable

from pwact.tools.structures.amorphous import Amorphous, amorphous
from pwact.tools.structures.built import Built, read_bulk, read_elements
from pwact.tools.structures.dimer import Box, atoms_alone, dimers
from pwact.tools.structures.surface import Slab, slabs
from pwact.tools.structures.vacancy import Vacancies, vacancies


def built(options: Namespace) -> list[Built]:
    """Structures as the command line asks for them; nothing is written.

    Raises
    ------
    InputError
        A file cannot be read, or is no crystal.
    UsageError
        What is asked for cannot be built.
    """
    return _KINDS[options.kind](options)


def _surface(options: Namespace) -> list[Built]:
    path = Path(options.bulk)
    bulk = read_bulk(path)
    i, j = options.repeat
    made: list[Built] = []
    for h, k, l in options.miller:  # noqa: E741  their names everywhere
        wanted = Slab(
            (h, k, l), options.layers, options.vacuum, (i, j), options.cuts, options.cutoff
        )
        made += slabs(bulk, wanted)
    return _of(path, made)


def _vacancy(options: Namespace) -> list[Built]:
    path = Path(options.bulk)
    i, j, k = options.super_cell
    wanted = Vacancies(
        (i, j, k), options.missing, options.element, options.structures, options.seed
    )
    return _of(path, vacancies(read_bulk(path), wanted))


def _of(path: Path, made: Iterable[Built]) -> list[Built]:
    """Named by the file of the crystal; two planes may be one (1 1 1 and 2 2 2)."""
    stem = path.name.split(".")[0] or "crystal"
    named = {one.name: replace(one, name=f"{stem}-{one.name}") for one in made}
    return list(named.values())


def _elements(options: Namespace) -> list[str]:
    paths = [Path(name) for name in options.structures]
    return list(dict.fromkeys(symbol for path in paths for symbol in read_elements(path)))


def _atom(options: Namespace) -> list[Built]:
    return atoms_alone(_elements(options), Box(options.box, options.cutoff))


def _dimer(options: Namespace) -> list[Built]:
    return dimers(_elements(options), options.distance, Box(options.box, options.cutoff))


def _amorphous(options: Namespace) -> list[Built]:
    wanted = Amorphous(
        options.formula,
        options.min_distance,
        options.density,
        options.volume,
        options.structures,
        options.seed,
    )
    return amorphous(wanted)


_KINDS: dict[str, Callable[[Namespace], list[Built]]] = {
    "surface": _surface,
    "vacancy": _vacancy,
    "atom": _atom,
    "dimer": _dimer,
    "amorphous": _amorphous,
}
