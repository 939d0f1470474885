"""Kinds of atoms of a CP2K input: iron as Fe1 and Fe2, each with its moment, its U, its basis.

Which atom is of which kind say the tags of the structure (1 for Fe1), or the user's own &COORD.
Magnetic moments of a structure become MAGNETIZATION of kinds, one for each moment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional

import numpy as np

from pwact.atom_properties import KINDS, MOMENTS, SETTING, properties_of
from pwact.config.elements import NUMBERS
from pwact.engines.assignment import taken
from pwact.errors import InputError
from pwact.formats.cp2k_input import Item, Line, Section

if TYPE_CHECKING:
    from ase import Atoms

NAME = f"{SETTING}KIND"
_ELEMENT = ("ELEMENT", "ELEMENT_SYMBOL")
_SPINS = ("UKS", "UNRESTRICTED_KOHN_SHAM", "LSD", "SPIN_POLARIZED")
_FALSE = frozenset({"F", ".FALSE.", "FALSE", "OFF", "NO", "0"})


@dataclass(frozen=True)
class Kind:
    """A kind of a task.

    Attributes
    ----------
    label
        Its name.
    base
        Name of the user's kind that it is made of; empty for that of the element.
    moment
        MAGNETIZATION in µB, if the structure says it.
    """

    label: str
    symbol: str
    base: str = ""
    moment: Optional[float] = None


def element_of(name: str, kind: Optional[Section] = None) -> str:
    """The element of a kind: by ELEMENT, else by the letters that its name begins with."""
    said = kind.value(*_ELEMENT) if kind is not None else ""
    letters = re.match(r"[A-Za-z]{0,2}", said or name)
    word = letters[0].capitalize() if letters else ""
    return next((one for one in (word, word[:1]) if one in NUMBERS), "")


def kind_of(kinds: Iterable[Section], element: str) -> Optional[Section]:
    """The user's kind that atoms of an element get: by its name, else the default."""
    named = {kind.parameter.upper(): kind for kind in kinds}
    return named.get(element.upper()) or named.get("DEFAULT")


def further_kinds(kinds: Iterable[Section], element: str) -> list[Section]:
    """The user's kinds of an element that are not called by its name; without ghosts."""
    return [
        kind
        for kind in kinds
        if kind.parameter.upper() not in {element.upper(), "DEFAULT"}
        and element_of(kind.parameter, kind) == element
        and not _is_on(kind, "GHOST")
    ]


def _is_on(section: Section, *names: str) -> bool:
    """Whether a switch stands there; alone it means yes."""
    found = section.keyword(*names)
    return found is not None and found.value.upper() not in _FALSE


def assign(root: Section, atoms: Atoms) -> Atoms:
    """Copy of a structure, with the kind of each atom and its moment.

    Raises
    ------
    InputError
        It is not known which atom is of which kind, or CP2K would not use the moments.
    """
    made = taken(atoms, "CP2K", {MOMENTS})
    subsys = root.section("FORCE_EVAL", "SUBSYS")
    kinds = subsys.sections("KIND") if subsys else []
    names = np.array(_names(root, subsys, kinds, atoms), dtype=str)
    if names.size and np.any(names != ""):
        made.set_array(NAME, np.where(names == "", atoms.get_chemical_symbols(), names))
    moments = properties_of(made).get(MOMENTS)
    if moments is not None:
        _check_moments(root, kinds, made, moments)
    return made


def _names(
    root: Section, subsys: Optional[Section], kinds: Sequence[Section], atoms: Atoms
) -> list[str]:
    """The user's kind of each atom, "" for that of its element."""
    symbols = atoms.get_chemical_symbols()
    tags = atoms.arrays.get(KINDS, np.zeros(len(atoms), dtype=int)).tolist()
    own = _own_names(subsys, symbols)
    found = [""] * len(atoms)
    for symbol in dict.fromkeys(symbols):
        further = {kind.parameter.upper(): kind for kind in further_kinds(kinds, symbol)}
        if not further:
            continue
        rows = [row for row, one in enumerate(symbols) if one == symbol]
        listed = " ".join(kind.parameter for kind in further.values())
        plain = kind_of(kinds, symbol) is not None
        if any(tags[row] for row in rows):
            wanted = {row: f"{symbol}{tags[row]}" if tags[row] else "" for row in rows}
        elif own:
            wanted = {row: own[row] for row in rows}
        elif len(further) == 1 and not plain:
            wanted = dict.fromkeys(rows, next(iter(further)))
        else:
            raise InputError(
                f"&KIND {listed}: the structure does not say which {symbol} is of which kind; give "
                "its atoms tags (extxyz: a column tags), 1 for "
                f"{symbol}1, or this input the &COORD of the same atoms with their kinds",
                root.path,
                "&KIND",
            )
        for row, name in wanted.items():
            if name.upper() in further:
                found[row] = further[name.upper()].parameter
            elif name and name.upper() != symbol.upper():
                message = f"there is no &KIND {name} for an atom of the structure; found {listed}"
                raise InputError(message, root.path, "&KIND")
    return found


def _own_names(subsys: Optional[Section], symbols: Sequence[str]) -> list[str]:
    """Kinds by the user's own coordinates, if they are of the same elements in the same order."""
    coord = subsys.section("COORD") if subsys else None
    texts = [line.text.split() for line in coord.lines()] if coord else []
    names = [words[0] for words in texts if len(words) > 3 and words[0][:1].isalpha()]
    return names if [element_of(name) for name in names] == list(symbols) else []


def _check_moments(
    root: Section, kinds: Sequence[Section], atoms: Atoms, moments: np.ndarray
) -> None:
    dft = root.section("FORCE_EVAL", "DFT")
    if moments.ndim > 1:
        message = "CP2K's kinds have moments up and down, and the structure such along x, y, z"
        raise InputError(message, root.path, "&KIND MAGNETIZATION")
    if dft is None or not _is_on(dft, *_SPINS):
        message = "the structure has magnetic moments, but UKS is off: set it, or take them out"
        raise InputError(message, root.path, "&DFT UKS")
    for one in kinds_of(atoms):
        section = _section(kinds, one)
        given = section.keyword("MAGNETIZATION") if section else None
        if given is not None and float(given.value) != (one.moment or 0.0):
            raise InputError(
                f"&KIND {one.base or one.symbol}: found {given.value}, and {one.moment or 0:g} in "
                "the structure; give the moments once",
                root.path,
                "&KIND MAGNETIZATION",
            )


def _section(kinds: Sequence[Section], kind: Kind) -> Optional[Section]:
    if not kind.base:
        return kind_of(kinds, kind.symbol)
    return next((one for one in kinds if one.parameter.upper() == kind.base.upper()), None)


def kinds_of(atoms: Atoms) -> list[Kind]:
    """The kind of each atom of a task."""
    symbols = atoms.get_chemical_symbols()
    bases = atoms.arrays.get(NAME, np.array([""] * len(atoms))).tolist()
    moments = atoms.arrays.get(MOMENTS, np.zeros(len(atoms))).tolist()
    made: dict[tuple[str, str, float], Kind] = {}
    counts: dict[str, int] = {}
    found = []
    for symbol, name, moment in zip(symbols, bases, moments):
        base = "" if name.upper() == symbol.upper() else name
        key = (symbol, base, moment)
        if key not in made:
            label = base or symbol
            if moment:
                counts[label] = counts.get(label, 0) + 1
                label = f"{label}_m{counts[label]}"
            made[key] = Kind(label, symbol, base, moment or None)
        found.append(made[key])
    return found


def kind_text(kinds: Sequence[Section], kind: Kind, basis: str = "", potential: str = "") -> str:
    """The section of a kind of a task, with whatever else the user says about it.

    Parameters
    ----------
    basis, potential
        In place of the user's.
    """
    found = _section(kinds, kind)
    stays = _stays_in_kind if basis else _stays_in_copy
    kept = [item.render() for item in found.items if stays(item)] if found else []
    lines = [f"ELEMENT {kind.symbol}"]
    lines += [f"BASIS_SET {basis}", f"POTENTIAL {potential}"] if basis else []
    if kind.moment is not None:
        kept = [text for text in kept if text.split()[:1] != ["MAGNETIZATION"]]
        lines.append(f"MAGNETIZATION {kind.moment!r}")
    own = [f"      {line}\n" for line in lines]
    whole = [text if text.endswith("\n") else f"{text}\n" for text in kept]
    return "".join([f"    &KIND {kind.label}\n", *own, *whole, "    &END KIND\n"])


def _stays_in_copy(item: Item) -> bool:
    if not item.active or isinstance(item, Section):
        return item.active
    return item.name not in _ELEMENT and not item.name.startswith("@")


def _stays_in_kind(item: Item) -> bool:
    if not item.active or isinstance(item, Section):
        return item.active
    if is_orbital_basis(item):
        return False
    return item.name not in {*_ELEMENT, "POTENTIAL", "POT"} and not item.name.startswith("@")


def is_orbital_basis(item: Item) -> bool:
    """Whether a line names the basis set of the orbitals, not one of other use (``AUX_FIT`` …)."""
    if not isinstance(item, Line) or item.name not in {"BASIS_SET", "ORBITAL_BASIS_SET"}:
        return False
    words = item.value.upper().split()
    return len(words) == 1 or words[:1] == ["ORB"]
