"""Columns of extended XYZ for what belongs to an atom: moments, charges, kinds, held or not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pwact.atom_properties import CHARGES, KINDS, MOMENTS, properties_of
from pwact.formats.extxyz_head import Head
from pwact.formats.moving import mask_columns, put_mask

if TYPE_CHECKING:
    from ase import Atoms

# name of the column → how many numbers it may hold; the names are ASE's
_COLUMNS = {MOMENTS: (1, 3), CHARGES: (1,), KINDS: (1,)}


def put_properties(atoms: Atoms, head: Head, words: Sequence[Sequence[str]]) -> None:
    """Give atoms what the columns of their file say.

    Raises
    ------
    ValueError
        A column has another width, or holds what is no finite number.
    """
    for name, widths in _COLUMNS.items():
        column = head.columns.get(name)
        if column is None:
            continue
        if column.width not in widths:
            wanted = " or ".join(map(str, widths))
            raise ValueError(f"{name} has {column.width} columns, not {wanted}")
        texts = [row[column.first : column.first + column.width] for row in words]
        values = np.array(texts, dtype=float)
        if not np.isfinite(values).all():
            raise ValueError(f"{name} must be finite numbers")
        if name == KINDS:
            if not np.array_equal(values, np.round(values)):
                raise ValueError(f"{name} must be whole numbers")
            values = values.astype(int)
        atoms.set_array(name, values[:, 0] if column.width == 1 else values)
    put_mask(atoms, head, words)


def property_columns(atoms: Atoms) -> tuple[str, list[str]]:
    """What `Properties` says of them, and the words of each atom; empty where there is nothing."""
    heads, texts = mask_columns(atoms)
    for name, values in properties_of(atoms).items():
        if name not in _COLUMNS:
            continue
        rows = values.reshape(len(atoms), -1)
        kind = "I" if rows.dtype.kind == "i" else "R"
        heads += f":{name}:{kind}:{rows.shape[1]}"
        texts = [f"{text} {' '.join(map(repr, row))}" for text, row in zip(texts, rows.tolist())]
    return heads, texts
