"""All structures of a file, in any format of structures or of labelled frames."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Callable

import numpy as np

from pwact.errors import InputError, TaskError
from pwact.formats.cp2k_trajectory import iterate_cp2k_md
from pwact.formats.extxyz import iterate_extxyz
from pwact.formats.frames import format_found, iterate_frames
from pwact.formats.movement import complete_frames
from pwact.formats.outcar import Outcar
from pwact.formats.structure_guess import Giving, guess
from pwact.formats.structures import (
    check_format_name,
    plain,
    read_by_ase,
    read_structure,
    structure_formats,
)
from pwact.io import files
from pwact.io.arrays import are_usable
from pwact.registry.formats import FORMATS

if TYPE_CHECKING:
    from ase import Atoms

logger = logging.getLogger(__name__)

BY_OPTION = Giving("--format {format}", "--format, as in --format {format}")


def _movement(path: Path) -> Iterator[Atoms]:
    return complete_frames(path, lambda error: logger.warning("%s", error))


def _outcar(path: Path) -> Iterator[Atoms]:
    return (step.atoms for step in Outcar(path) if step.atoms is not None)


_SEVERAL: dict[str, Callable[[Path], Iterator[Atoms]]] = {
    "extxyz": partial(iterate_extxyz, properties=True),
    "pwmat/movement": _movement,
    "vasp/outcar": _outcar,
    "cp2k/md": iterate_cp2k_md,
}


def format_of(path: Path, given: str = "") -> str:
    """The format by which all structures of a file or folder are read.

    Parameters
    ----------
    given
        As the user gives it; "" where name and content decide.

    Raises
    ------
    InputError
        There is no such path or format, or neither name nor content tells one.
    """
    if problem := files.unreadable(path, or_folder=True):
        raise InputError(problem, path)
    if given:
        known = FORMATS.canonical(given)
        folder = known is not None and FORMATS[known].folder
        return str(known) if folder else check_format_name(given)
    if path.is_dir():
        found = format_found(path)
        if not found:
            raise InputError("is a folder that holds no data set", path)
        return found
    guessed = guess(path, BY_OPTION)
    return guessed.of_all or guessed.format


def iterate_structures(path: Path, structure_format: str) -> Iterator[Atoms]:
    """Yield all structures of a file or folder, each as `read_structure` gives the last.

    Parameters
    ----------
    structure_format
        As `format_of` returns it.

    Raises
    ------
    InputError
        It cannot be read; names the file.
    """
    number = -1
    try:
        for number, atoms in enumerate(_found(path, structure_format)):
            if not len(atoms) or not are_usable(np.vstack([atoms.positions, atoms.cell.array])):
                raise InputError(f"frame {number} is no structure", path)
            yield plain(atoms, structure_format)
    except TaskError as error:
        raise InputError(f"cannot be read in format {structure_format}: {error}", path) from error
    if number < 0:
        raise InputError(f"holds no structure in format {structure_format}", path)


def _found(path: Path, name: str) -> Iterator[Atoms]:
    if path.is_dir():
        yield from (atoms for _, _, atoms in iterate_frames(path, name, whole=True))
    elif name in _SEVERAL:
        yield from _SEVERAL[name](path)
    elif name in structure_formats():
        yield read_structure(path, name)
    else:
        yield from read_by_ase(path, name, slice(None))
