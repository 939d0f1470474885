"""What belongs to the atoms of a structure, on its way from the user's file to the calculations.

Files in between hold elements and places only. So it is taken from the user's file each time, in
the order that the steps in between give to the atoms, which depends on their elements alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Optional, Union

import numpy as np

from pwact.atom_properties import (
    PROPERTIES,
    SETTING,
    digest,
    drop,
    hand_on,
    properties_of,
    rotation,
)
from pwact.config.init_entry import SystemEntry
from pwact.config.labeling import LabelConfig
from pwact.config.structure_file import StructureFile
from pwact.engines.assignment import Assigner
from pwact.errors import InputError, TaskError
from pwact.fixed_atoms import free
from pwact.formats.frames import ordered
from pwact.formats.starts import read_start
from pwact.geometry import super_cell

if TYPE_CHECKING:
    from ase import Atoms


def assigned(
    assigner: Assigner,
    label: Optional[LabelConfig],
    structure: StructureFile,
    times: int = 1,
    moving: bool = True,
) -> Atoms:
    """The user's structure with what the labeler is given of its atoms.

    Parameters
    ----------
    label
        Its configuration; None for a script.
    moving
        Whether atoms move in what is calculated; where not, it does not matter which are held.

    Raises
    ------
    InputError
        The labeler cannot be given what is there; names the structure.
    """
    atoms = read_start(structure.path, structure.format, structure.fix_atoms)
    if not moving:
        free(atoms)
    if label is not None and label.bare_atoms:
        drop(atoms)
        atoms.pbc = True
        return atoms
    try:
        return assigner.assign(atoms, times)
    except InputError as error:
        if error.file is None:
            raise InputError(error.message, structure.path) from error
        raise InputError(f"{error.message} ({structure.path})", error.file, error.key) from error


def explored_start(structure: StructureFile, label: LabelConfig) -> Atoms:
    """The structure of explored MD.

    In campaigns that version 0.5.0 began no atom is held, and all axes are periodic.
    """
    atoms = read_start(structure.path, structure.format, structure.fix_atoms)
    if label.bare_atoms:
        free(atoms)
        atoms.pbc = True
    return atoms


def unperturbed(
    assigner: Assigner, label: Optional[LabelConfig], entry: SystemEntry, moving: bool = True
) -> Atoms:
    """The structure of an entry with the atoms, in their order, of all that is made of it.

    Its cell is that of the super cell, before relaxation and scaling. `moving` as in `assigned`.
    """
    atoms = assigned(assigner, label, entry.structure, times_of(entry), moving)
    if entry.relax:
        atoms = ordered(atoms)
    if entry.super_cell is not None:
        atoms = super_cell(atoms, entry.super_cell, entry.pbc)
    return atoms


def times_of(entry: SystemEntry) -> int:
    """How many structures of the user the super cell of an entry holds."""
    if entry.super_cell is None:
        return 1
    numbers = np.array(entry.super_cell, dtype=float)
    matrix = np.diag(numbers) if numbers.size == 3 else numbers.reshape(3, 3)
    return round(float(np.linalg.det(matrix)))


def onto(start: Atoms, frame: Atoms, place: Union[str, Path] = "") -> Atoms:
    """Give a frame of an MD the properties of the structure from which the MD began.

    It is periodic along the same axes: files in between may not say so.

    By the order of the atoms, which a trajectory keeps; where an MD has changed it, by element, if
    all atoms of an element have the same.

    Parameters
    ----------
    place
        Of the trajectory, for the message.

    Raises
    ------
    TaskError
        Neither is possible.
    """
    frame.pbc = start.pbc
    found = properties_of(start)
    if np.array_equal(start.numbers, frame.numbers) or not found:
        return hand_on(start, frame) if found else frame
    if not set(frame.numbers.tolist()) <= set(start.numbers.tolist()) or not by_element(start):
        raise TaskError(
            f"{place}: its atoms are not those of the start structure in their order, so it is not "
            "known which of them has which of these: "
            f"{', '.join(words_for(start))}; only what is the same for all atoms of an element "
            "can be given then"
        )
    first = {number: place for place, number in reversed(list(enumerate(start.numbers.tolist())))}
    rows = np.array([first[number] for number in frame.numbers.tolist()])
    hand_on(start, frame, rows)
    for name, known in PROPERTIES.items():
        values = frame.arrays.get(name)
        if known.turns and values is not None and values.ndim == 2:
            frame.arrays[name] = values @ rotation(start.cell.array, frame.cell.array)
    return frame


def by_element(atoms: Atoms) -> bool:
    """Whether all atoms of an element have the same properties."""
    for values in properties_of(atoms).values():
        for number in set(atoms.numbers.tolist()):
            rows = values[atoms.numbers == number]
            if np.any(rows != rows[0]):
                return False
    return True


def words_for(atoms: Atoms) -> list[str]:
    """The properties of a structure, in words."""
    return [
        name[len(SETTING) :] if name.startswith(SETTING) else PROPERTIES[name].words
        for name in properties_of(atoms)
    ]


def mark(atoms: Atoms) -> dict[str, str]:
    """What a stage depends on in them, for its inputs; empty where there is nothing."""
    found = digest(atoms)
    return {"atoms": found} if found else {}
