"""STRU of ABACUS: blocks of species, orbitals, lattice and positions.

After the manual of ABACUS 3.10 (docs/advanced/input_files/stru.md of abacus-develop). The lattice
vectors are given in units of the lattice constant, which is in bohr.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers

from pwact.errors import InputError
from pwact.io.texts import read_text

BOHR = 0.529177210903  # Å; CODATA 2018
ANGSTROM = 1.8897261254578281  # bohr
SPECIES, ORBITALS = "ATOMIC_SPECIES", "NUMERICAL_ORBITAL"
CONSTANT, VECTORS, POSITIONS = "LATTICE_CONSTANT", "LATTICE_VECTORS", "ATOMIC_POSITIONS"
BLOCKS = frozenset(
    {
        *(SPECIES, ORBITALS, CONSTANT, VECTORS, POSITIONS),
        *("LATTICE_PARAMETERS", "NUMERICAL_DESCRIPTOR", "PAW_FILES", "ABFS_ORBITAL"),
    }
)
_ONE_ANGSTROM = 1e-5  # bohr; ABACUS prints it with fewer digits, and has a bohr of its own
_LENGTHS = {"cartesian_au": BOHR, "cartesian_angstrom": 1.0}


@dataclass(frozen=True)
class Species:
    """A line of ATOMIC_SPECIES, with its line of NUMERICAL_ORBITAL.

    Attributes
    ----------
    mass, pseudo, kind
        As they are written; `kind` is the type of the pseudopotential, "" where it is not given.
    orbital
        "" where there is none.
    """

    label: str
    mass: str
    pseudo: str
    kind: str = ""
    orbital: str = ""


Line = tuple[int, list[str]]


def blocks_of(path: Path) -> dict[str, list[Line]]:
    """Number and words of the lines of each block. Raises InputError."""
    found: dict[str, list[Line]] = {}
    name = ""
    for number, line in enumerate(read_text(path).splitlines(), 1):
        words = re.split(r"#|//", line, maxsplit=1)[0].split()
        if words and words[0] in BLOCKS:
            name = words[0]
            if name in found:
                raise InputError(f"line {number}: a second block {name}", path)
            found[name] = []
        elif words and name:
            found[name].append((number, words))
        elif words:
            raise InputError(f"line {number}: found {words[0]} before any block", path)
    return found


def species_of(path: Path) -> list[Species]:
    """The species of a STRU. Raises InputError."""
    blocks = blocks_of(path)
    rows, orbitals = blocks.get(SPECIES, []), blocks.get(ORBITALS, [])
    if not rows:
        raise InputError("holds no ATOMIC_SPECIES", path)
    if orbitals and len(orbitals) != len(rows):
        counts = f"{len(orbitals)} lines of {ORBITALS} for {len(rows)} species"
        raise InputError(f"line {orbitals[0][0]}: {counts}; one each is needed, in order", path)
    made = []
    for place, (number, words) in enumerate(rows):
        if len(words) < 3 or words[0] not in atomic_numbers:
            message = f"found {' '.join(words)!r}; expected element, mass and pseudopotential"
            raise InputError(f"line {number}: {message}", path)
        orbital = orbitals[place][1][0] if orbitals else ""
        kind = words[3] if len(words) > 3 else ""
        made.append(Species(words[0], words[1], words[2], kind, orbital))
    return made


def stru_text(
    atoms: Atoms,
    species: Sequence[Species],
    free: Optional[np.ndarray] = None,
    moments: Optional[np.ndarray] = None,
) -> str:
    """The text of a STRU: atoms by species, those of one species in their order.

    Parameters
    ----------
    species
        In the order in which they are written; those without atoms are left out.
    free
        1 where an atom may move along x, y, z, shape (N, 3); else all may.
    moments
        Magnetic moments in Bohr magnetons, shape (N,).
    """
    symbols = atoms.get_chemical_symbols()
    there = [one for one in species if one.label in symbols]
    lines = [SPECIES]
    lines += [f"{one.label} {one.mass} {one.pseudo} {one.kind}".rstrip() for one in there]
    if any(one.orbital for one in there):
        lines += ["", ORBITALS, *(one.orbital for one in there)]
    lines += ["", CONSTANT, repr(ANGSTROM), "", VECTORS, *map(_row, atoms.cell.array)]
    lines += ["", POSITIONS, "Direct"]
    direct = atoms.cell.scaled_positions(atoms.positions)
    for one in there:
        own = [number for number, symbol in enumerate(symbols) if symbol == one.label]
        lines += ["", one.label, "0.0", str(len(own))]
        for number in own:
            flags = "1 1 1" if free is None else " ".join(map(str, free[number].tolist()))
            moment = "" if moments is None else f" mag {float(moments[number])!r}"
            lines.append(f"{_row(direct[number])} m {flags}{moment}")
    return "\n".join(lines) + "\n"


def read_stru(path: Path) -> Atoms:
    """The structure in a STRU: elements, cell, positions, all axes periodic. Raises InputError."""
    blocks = blocks_of(path)
    rows = {name: blocks.get(name, []) for name in (CONSTANT, VECTORS, POSITIONS)}
    try:
        constant = float(rows[CONSTANT][0][1][0]) * BOHR
        if abs(constant / BOHR - ANGSTROM) < _ONE_ANGSTROM:
            constant = 1.0
        cell = np.array([words[:3] for _, words in rows[VECTORS]], float) * constant
        symbols, places = _positions(rows[POSITIONS][1:])
        style = rows[POSITIONS][0][1][0].lower()
    except (IndexError, ValueError) as error:
        raise InputError(f"holds no whole structure: {error}", path) from error
    if cell.shape != (3, 3):
        raise InputError(f"{len(cell)} lattice vectors where 3 are expected", path)
    if style == "direct":
        return Atoms(symbols, cell=cell, pbc=True, scaled_positions=places)
    unit = constant if style == "cartesian" else _LENGTHS.get(style)
    if unit is None:
        number, (word, *_) = rows[POSITIONS][0]
        known = ", ".join(["Direct", "Cartesian", *_LENGTHS])
        raise InputError(f"line {number}: found {word}; expected {known}", path)
    return Atoms(symbols, places * unit, cell=cell, pbc=True)


def _positions(rows: Sequence[Line]) -> tuple[list[str], np.ndarray]:
    """Element and three numbers of each atom; groups are headed by element, moment and number."""
    symbols: list[str] = []
    places: list[list[float]] = []
    place = 0
    while place < len(rows):
        label, count = rows[place][1][0], int(rows[place + 2][1][0])
        symbol = re.sub(r"[^A-Za-z].*", "", label)
        if symbol not in atomic_numbers:
            raise ValueError(f"{label} is no element (line {rows[place][0]})")
        own = rows[place + 3 : place + 3 + count]
        if len(own) < count:
            raise ValueError(f"{len(own)} of {count} atoms of {label}")
        symbols += [symbol] * count
        places += [[float(word) for word in words[:3]] for _, words in own]
        place += 3 + count
    return symbols, np.array(places).reshape(-1, 3)


def _row(values: Sequence[float]) -> str:
    return " ".join(repr(float(value)) for value in values)
