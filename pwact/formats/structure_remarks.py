"""What a structure file says of its atoms that is not carried along: results, fixed atoms.

Nothing of it is lost without a word: a user who asks for a frozen substrate must learn that he gets
none. Initial moments and charges are properties of the atoms, and go with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import ase.io
import numpy as np

from pwact.atom_properties import CHARGES, MOMENTS
from pwact.formats.extxyz_head import read_head
from pwact.formats.structures import check_format_name, structure_formats
from pwact.io.texts import read_text

_MOMENTS = ("magmoms", "magmom", "magnetic_moments")
_CHARGES = ("charges", "charge")
_MASKS = ("move_mask", "fixed", "fix")
_FREE = "all atoms move here"
_LOST = "results are not handed to the code that labels; what it shall start from is called {}"


def remarks(path: Path, structure_format: str) -> list[str]:
    """Say what a file holds and nothing carries along, a few words each.

    The file has been read as a structure before, so it can be.
    """
    name = check_format_name(structure_format)
    readers = {"vasp/poscar": _poscar, "pwmat/config": _atom_config, "extxyz": _extxyz}
    if name in readers:
        return readers[name](read_text(path))
    return [] if name in structure_formats() else _by_ase(path, name)


def _poscar(text: str) -> list[str]:
    rows = [line.split() for line in text.splitlines()]
    place = next((n for n, row in enumerate(rows) if n > 4 and row and row[0].isdigit()), len(rows))
    while place < len(rows) and rows[place] and rows[place][0].isdigit():
        place += 1  # counts, which VASP may wrap
    if place == len(rows) or not rows[place] or rows[place][0][:1] not in "Ss":
        return []
    flags = [row[3:6] for row in rows[place + 2 :] if len(row) >= 6]
    held = sum(any(word.strip(".")[:1].upper() == "F" for word in one) for one in flags)
    return [f"{held} atoms are held (Selective dynamics), but {_FREE}"] if held else []


def _atom_config(text: str) -> list[str]:
    said = []
    lines = text.splitlines()
    count = int(lines[0].split()[0])
    headings = (n for n, line in enumerate(lines) if line.lower().lstrip().startswith("position"))
    start = next(headings, len(lines)) + 1
    rows = [line.split()[4:7] for line in lines[start : start + count]]
    if held := sum("0" in row for row in rows):
        said.append(f"{held} atoms are held (move flags of 0), but {_FREE}")
    return said


def _extxyz(text: str) -> list[str]:
    head = read_head(text.split("\n", 2)[1])
    names = head.columns
    said = _open(head.pbc(default=True)) if head.cell() is not None else []
    for known, words in (
        (_MOMENTS, f"magnetic moments; {_LOST.format(MOMENTS)}"),
        (_CHARGES, f"charges; {_LOST.format(CHARGES)}"),
        (_MASKS, f"fixed atoms, but {_FREE}"),
    ):
        if there := [name for name in known if name in names]:
            said.append(f"it has a column {there[0]} of {words}")
    return said


def _by_ase(path: Path, name: str) -> list[str]:
    atoms = ase.io.read(
        str(path), index=slice(-1, None), format=name, do_not_split_by_at_sign=True
    )[-1]
    said = _open(atoms.pbc) if atoms.cell.rank == len(atoms.pbc) else []
    if atoms.constraints:
        said.append(f"it has constraints (fixed atoms), but {_FREE}")
    results = getattr(atoms.calc, "results", {})
    for known, words, initial in (
        ("magmoms", "magnetic moments", MOMENTS),
        ("charges", "charges", CHARGES),
    ):
        if np.any(results.get(known, 0.0)) and not np.any(atoms.arrays.get(initial, 0.0)):
            said.append(f"it has {words}; {_LOST.format(initial)}")
    return said


def _open(pbc: Sequence[bool]) -> list[str]:
    if all(pbc):
        return []
    axes = " ".join("T" if periodic else "F" for periodic in pbc)
    return [f"it is open along an axis (pbc {axes}), but taken as periodic: leave room around it"]
