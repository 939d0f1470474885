"""Columns of extended XYZ for what belongs to an atom: moments, charges, kinds, held or not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Optional

import numpy as np
from ase.data import atomic_numbers

from pwact.atom_properties import CHARGES, FOUND_MOMENTS, KINDS, MOMENTS, carried
from pwact.formats.extxyz_head import Head
from pwact.formats.moving import mask_columns, put_mask
from pwact.formats.type_names import TypeNames
from pwact.io.arrays import BEYOND, are_elements, are_usable

if TYPE_CHECKING:
    from ase import Atoms

# name of the column → how many numbers it may hold; the names are ASE's
_COLUMNS = {MOMENTS: (1, 3), CHARGES: (1,), KINDS: (1,), FOUND_MOMENTS: (1, 3)}
_SOUND = ("magmom", "magnetic", "moment", "spin", "charge")
_NEUTRAL, _SINGLET = (None, 0), (None, 0, 1)
# of the whole frame, and what is usual
_OF_ALL = {
    **dict.fromkeys(("charge", "total_charge"), _NEUTRAL),
    **dict.fromkeys(("spin", "total_spin", "total_magmom"), _SINGLET),
    **dict.fromkeys(("multiplicity", "spin_multiplicity"), _SINGLET),
}
_SYMBOLS = ("species", "symbols", "element")
_NUMBERS = ("numbers", "z", "atomic_numbers")
_ELEMENTS = {symbol: number for symbol, number in atomic_numbers.items() if number > 0}


def elements_of(
    head: Head, words: Sequence[Sequence[str]], types: TypeNames = ()
) -> tuple[list[int], tuple[str, ...]]:
    """Atomic numbers by symbols or numbers, which must agree where there are both.

    What is to be said of them comes second: ``CA`` is calcium here, and a carbon in PDB files.

    Parameters
    ----------
    types
        Which element a name is, where the user says so.

    Raises
    ------
    KeyError
        A symbol is none.
    ValueError
        There is neither, or they differ.
    """
    found = [(name, head.columns[name]) for name in (*_SYMBOLS, *_NUMBERS) if name in head.columns]
    if not found:
        raise ValueError(f"Properties={head.values['properties']} names no species")
    columns: list[list[int]] = []
    warnings: tuple[str, ...] = ()
    for name, column in found:
        texts = [row[column.first] for row in words]
        if name in _SYMBOLS:
            said = dict(types)
            known = {text: _ELEMENTS[said.get(text, text).capitalize()] for text in set(texts)}
            columns.append([known[text] for text in texts])
            shouted = sorted(text for text in known.keys() - said if _is_shouted(text))
            warnings += tuple(f"{text} is read as the element {text.title()}" for text in shouted)
        else:
            numbers = np.array(texts).astype(float)
            if not are_elements(numbers):
                raise ValueError(f"{name} holds what is no atomic number")
            columns.append(numbers.astype(int).tolist())
    if any(other != columns[0] for other in columns[1:]):
        raise ValueError(f"{' and '.join(name for name, _ in found)} name different elements")
    return columns[0], warnings


def _is_shouted(text: str) -> bool:
    return len(text) == 2 and text.isupper()


def unread(head: Head) -> tuple[str, ...]:
    """What a frame says of its charges, moments and weights, and nobody reads; in words."""
    columns = [name for name in head.columns if name not in _COLUMNS and _sounds(name)]
    read = ", ".join(name for name in _COLUMNS if name != KINDS)
    return (
        *(f"the column {name} is not read (read are {read})" for name in columns),
        *(
            f"{head.spelling[key]} is not read: data of several charges or spins are mixed up"
            for key, usual in _OF_ALL.items()
            if key in head.values and _number(head.values[key]) not in usual
        ),
        *(
            f"{head.spelling[key]}=0 is not read: the label counts as all others"
            for key, text in head.values.items()
            if "weight" in key and _number(text) == 0
        ),
    )


def _sounds(name: str) -> bool:
    return any(word in name for word in _SOUND)


def _number(text: str) -> Optional[float]:
    """The number that a text is; None if it is none."""
    try:
        return float(text)
    except ValueError:
        return None


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
        if not are_usable(values):
            raise ValueError(f"{name} must be finite numbers below {BEYOND:g}")
        if name == KINDS:
            if not np.array_equal(values, np.round(values)):
                raise ValueError(f"{name} must be whole numbers")
            values = values.astype(int)
        atoms.set_array(name, values[:, 0] if column.width == 1 else values)
    put_mask(atoms, head, words)


def property_columns(atoms: Atoms) -> tuple[str, list[str]]:
    """What `Properties` says of them, and the words of each atom; empty where there is nothing."""
    heads, texts = mask_columns(atoms)
    for name, values in carried(atoms).items():
        rows = values.reshape(len(atoms), -1)
        kind = "I" if rows.dtype.kind == "i" else "R"
        heads += f":{name}:{kind}:{rows.shape[1]}"
        texts = [f"{text} {' '.join(map(repr, row))}" for text, row in zip(texts, rows.tolist())]
    return heads, texts
