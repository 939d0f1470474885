"""What a structure file says of its atoms that is not carried along: results, constraints.

Nothing of it is lost without a word. Initial moments and charges, and which atoms are held, are
properties of the atoms, and go with them.
"""

from __future__ import annotations

from pathlib import Path

import ase.io
import numpy as np

from pwact.atom_properties import CHARGES, MOMENTS
from pwact.formats.extxyz_head import read_head
from pwact.formats.lammps_data import of_force_fields
from pwact.formats.moving import take_constraints
from pwact.formats.structures import check_format_name, structure_formats
from pwact.io.texts import read_text

_MOMENTS = ("magmoms", "magmom", "magnetic_moments")
_CHARGES = ("charges", "charge")
_LOST = "results are not handed to the code that labels; what it shall start from is called {}"


def warnings(path: Path, structure_format: str) -> list[str]:
    """Say what a file holds and nothing carries along, a few words each.

    The file has been read as a structure before, so it can be.
    """
    name = check_format_name(structure_format)
    if name == "extxyz":
        return _extxyz(read_text(path))
    if name == "lammps/lmp":
        return [
            f"it has {words}, which belong to a force field and are not handed to the code that "
            "labels"
            for words in of_force_fields(path)
        ]
    return [] if name in structure_formats() else _by_ase(path, name)


def _extxyz(text: str) -> list[str]:
    head = read_head(text.split("\n", 2)[1])
    names = head.columns
    said = []
    for known, words in (
        (_MOMENTS, f"magnetic moments; {_LOST.format(MOMENTS)}"),
        (_CHARGES, f"charges; {_LOST.format(CHARGES)}"),
    ):
        if there := [name for name in known if name in names]:
            said.append(f"it has a column {there[0]} of {words}")
    return said


def _by_ase(path: Path, name: str) -> list[str]:
    atoms = ase.io.read(
        str(path), index=slice(-1, None), format=name, do_not_split_by_at_sign=True
    )[-1]
    said = []
    if others := take_constraints(atoms):
        said.append(f"it has constraints ({', '.join(sorted(set(others)))}) that nothing keeps")
    results = getattr(atoms.calc, "results", {})
    for known, words, initial in (
        ("magmoms", "magnetic moments", MOMENTS),
        ("charges", "charges", CHARGES),
    ):
        if np.any(results.get(known, 0.0)) and not np.any(atoms.arrays.get(initial, 0.0)):
            said.append(f"it has {words}; {_LOST.format(initial)}")
    return said
