"""Which atoms are held in relaxations and MD: the array `FIXED` of an `ase.Atoms`.

It has a row for each atom and a column for each lattice vector: 1 where the atom does not move
along it, 0 where it does. So POSCARs say it, and so it stays true when a cell is scaled, strained
or turned. Programs and files that speak of x, y and z are served where both mean the same motion
(`along_axes`, `from_axes`); an atom that is held altogether is held in every cell.

A label does not depend on it: forces on held atoms are those of the energy, and models learn them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

FIXED = "fixed"
AXES = "xyz"
_PARALLEL = 1e-6  # of a lattice vector, relative to its length


def fixed_of(atoms: Atoms) -> np.ndarray:
    """What is held, as whole numbers 0 and 1, shape (N, 3); zeros where nothing is."""
    found = atoms.arrays.get(FIXED)
    return np.zeros((len(atoms), 3), dtype=int) if found is None else found


def any_fixed(atoms: Atoms) -> bool:
    """Whether an atom is held, in whatever direction."""
    return bool(fixed_of(atoms).any())


def held(atoms: Atoms) -> list[int]:
    """Atoms that are held in all directions, counted from 0."""
    return list(map(int, np.flatnonzero(fixed_of(atoms).all(axis=1))))


def held_in_part(atoms: Atoms) -> list[int]:
    """Atoms that are held in one or two directions."""
    count = fixed_of(atoms).sum(axis=1)
    return list(map(int, np.flatnonzero((count > 0) & (count < 3))))


def fix(atoms: Atoms, fixed: np.ndarray) -> None:
    """Hold these atoms, and no others; `fixed` as from `fixed_of`, of any type, or shape (N,)."""
    flags = np.asarray(fixed).astype(bool).astype(int)
    if flags.ndim == 1:
        flags = np.repeat(flags[:, None], 3, axis=1)
    atoms.arrays.pop(FIXED, None)
    if flags.any():
        atoms.set_array(FIXED, flags)


def free(atoms: Atoms) -> None:
    """Hold no atom."""
    atoms.arrays.pop(FIXED, None)


def from_axes(cell: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    """Rows of `FIXED` for atoms that are held along x, y and z, shape (N, 3).

    Raises
    ------
    ValueError
        An atom is held in part, and the lattice vectors do not lie so that `FIXED` could say it.
    """
    return _checked(cell, fixed, AXES)


def in_super_cell(matrix: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    """Rows of `FIXED` for the lattice ``matrix · A`` of those for A.

    Raises
    ------
    ValueError
        As `from_axes`.
    """
    return _checked(matrix, fixed, "abc")


def along_axes(atoms: Atoms) -> np.ndarray:
    """`FIXED` for programs that hold atoms along x, y and z; shape (N, 3).

    Raises
    ------
    ValueError
        As `from_axes`.
    """
    return _checked(atoms.cell.array, fixed_of(atoms), AXES)


def _checked(vectors: np.ndarray, fixed: np.ndarray, axes: str) -> np.ndarray:
    """`fixed`, if an atom moves in the same directions along `vectors` and along `axes`.

    It moves along the vectors that are not held; those must have no part along held axes, on which
    their components count.
    """
    flags = np.asarray(fixed).astype(bool)
    lengths = np.linalg.norm(vectors, axis=1)
    for row in np.unique(flags, axis=0):
        if row.all() or not row.any():
            continue
        strays = np.abs(vectors[~row][:, row]) > _PARALLEL * lengths[~row][:, None]
        if strays.any():
            names = " and ".join(axis for axis, here in zip(axes, row) if here)
            raise ValueError(
                f"atoms that are held along {names} alone can only be held in a cell whose other "
                f"lattice vectors have no part along {names}; turn the cell, or hold these atoms "
                "altogether"
            )
    return flags.astype(int)


def ranges(numbers: Iterable[int]) -> list[str]:
    """Ascending numbers as words, runs of them joined: ``["1..4", "7"]``."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return [f"{first}..{last}" if last > first else str(first) for first, last in found]
