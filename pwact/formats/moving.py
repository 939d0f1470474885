"""Which atoms are held, in the words of ASE and of extended XYZ (`pwact.fixed_atoms`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pwact.fixed_atoms import along_axes, any_fixed, fix, fixed_of, from_axes
from pwact.formats.extxyz_head import Head

if TYPE_CHECKING:
    from ase import Atoms

MASK = "move_mask"  # ASE's: T where an atom moves, for the atom or along x, y, z
_YES = frozenset({"T", "TRUE", "1"})
_NO = frozenset({"F", "FALSE", "0"})


def put_mask(atoms: Atoms, head: Head, words: Sequence[Sequence[str]]) -> None:
    """Hold the atoms that the column `MASK` of an extended XYZ holds, if there is one.

    Raises
    ------
    ValueError
        It holds what is no T or F, or directions that cannot be kept.
    """
    column = head.columns.get(MASK)
    if column is None:
        return
    if column.width not in (1, 3):
        raise ValueError(f"{MASK} has {column.width} columns, not 1 or 3")
    rows = []
    for row in words:
        texts = [text.upper() for text in row[column.first : column.first + column.width]]
        if strange := next((text for text in texts if text not in _YES | _NO), ""):
            raise ValueError(f"{MASK} must be T (moves) or F, not {strange}")
        rows.append([text in _NO for text in texts])
    fixed = np.repeat(np.array(rows), 3 // column.width, axis=1)
    fix(atoms, from_axes(atoms.cell.array, fixed))


def mask_columns(atoms: Atoms) -> tuple[str, list[str]]:
    """What `Properties` says of the column, and its words for each atom; empty without held atoms.

    Raises
    ------
    ValueError
        Atoms are held in directions that it cannot say.
    """
    if not any_fixed(atoms):
        return "", [""] * len(atoms)
    fixed = along_axes(atoms).astype(bool)
    if not np.any(fixed != fixed[:, :1]):
        return f":{MASK}:L:1", [" F" if row[0] else " T" for row in fixed]
    return f":{MASK}:L:3", ["".join(" F" if one else " T" for one in row) for row in fixed]


def take_constraints(atoms: Atoms) -> list[str]:
    """Hold what ASE's constraints of a structure hold; returns the names of those of other kinds.

    Raises
    ------
    ValueError
        Atoms are held in directions that cannot be kept.
    """
    fixed = fixed_of(atoms).astype(bool).copy()
    others = _take(atoms, fixed) if atoms.constraints else []
    fix(atoms, fixed)
    return others


def _take(atoms: Atoms, fixed: np.ndarray) -> list[str]:
    """Put what constraints hold into `fixed`; names of those of other kinds."""
    # this import is half of the time in which a program that computes one label begins
    from ase.constraints import FixAtoms, FixCartesian, FixScaled  # noqa: PLC0415

    others = []
    for constraint in atoms.constraints:
        if isinstance(constraint, FixAtoms):
            fixed[constraint.index] = True
        elif isinstance(constraint, FixCartesian):
            rows = np.zeros_like(fixed)
            rows[constraint.index] = np.asarray(constraint.mask, dtype=bool)
            fixed |= from_axes(atoms.cell.array, rows).astype(bool)
        elif isinstance(constraint, FixScaled):
            fixed[constraint.index] |= np.asarray(constraint.mask, dtype=bool)
        else:
            others.append(type(constraint).__name__)
    return others
