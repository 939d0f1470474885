"""The front door to data sets: frames with labels, in any format that is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from pwact.errors import InputError, TaskError
from pwact.formats.labels import labels_of, set_labels
from pwact.io import files
from pwact.io.arrays import UNUSABLE, are_usable
from pwact.registry.formats import FORMATS, WRITTEN

if TYPE_CHECKING:
    from pwact.formats.data_format import DataSetFormat


def composition_name(atoms: Atoms) -> str:
    """Elements with counts in order of ascending Z: ``Ag18Au30``."""
    numbers, counts = np.unique(atoms.numbers, return_counts=True)
    return "".join(f"{chemical_symbols[z]}{n}" for z, n in zip(numbers, counts))


def ordered(atoms: Atoms) -> Atoms:
    """Copy of a frame, labels included, with its atoms grouped by ascending Z.

    Atoms of one element keep their order.
    """
    return reordered(atoms, np.argsort(atoms.numbers, kind="stable"))


def reordered(atoms: Atoms, order: np.ndarray) -> Atoms:
    """Copy of a frame, labels included, with its atoms in another order."""
    copy = atoms[order]
    if atoms.calc is not None:
        labels = labels_of(atoms)
        set_labels(copy, labels.energy, labels.forces[order], labels.virial)
    return copy


def read_frames(path: Path, data_format: str) -> list[Atoms]:
    """Labelled frames of a data set.

    Parameters
    ----------
    path
        A file, or a folder that holds data sets at any depth; as in `data_paths`.
    data_format
        One of `registry.formats.WRITTEN`, in any spelling.

    Raises
    ------
    InputError
        There is no data, it cannot be read, or a frame has no energy and forces.
    """
    return [atoms for _, _, atoms in iterate_frames(path, data_format)]


def iterate_frames(
    path: Path, data_format: str, whole: bool = False
) -> Iterator[tuple[Path, int, Atoms]]:
    """The frames of `read_frames` one by one, each with its single data set and its number there.

    Numbers count from 0. If `whole`, moments and charges of atoms come along. Raises InputError as
    `read_frames`.
    """
    made = data_set_format(data_format)
    for place in data_paths(path, data_format):
        for index, atoms in enumerate((made.iterate_whole if whole else made.iterate)(place)):
            yield place, index, atoms


def write_frames(path: Path, frames: Sequence[Atoms], data_format: str) -> None:
    """Write labelled frames as a data set, in place of what was there.

    Parameters
    ----------
    path
        The file; of most formats the folder that gets one data folder a composition.
    frames
        Frames with labels; most data folders hold them with their atoms by ascending Z.
    data_format
        One of `registry.formats.WRITTEN`, in any spelling.

    Raises
    ------
    TaskError
        A frame has no labels, or labels that are not finite.
    InputError
        The folder to be replaced holds something else than data.
    """
    for index, atoms in enumerate(frames):
        labels = labels_of(atoms)
        if not are_usable(np.append(labels.forces, labels.energy)):
            raise TaskError(f"{path}: energy or forces of frame {index} are {UNUSABLE}")
    path.parent.mkdir(parents=True, exist_ok=True)
    data_set_format(data_format).write(path, frames)


def data_paths(path: Path, data_format: str) -> list[Path]:
    """The single data sets of a path, sorted.

    A file itself, or all files with an ending of the format below a folder; or all data folders,
    the path itself included.

    Raises
    ------
    InputError
        There is none, or a folder cannot be looked into.
    """
    if problem := files.unreadable(path, or_folder=True):
        raise InputError(problem, path)
    try:
        found = data_set_format(data_format).find(path)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", Path(error.filename)) from error
    if not found:
        raise InputError(f"holds no {data_format} data", path)
    return found


def data_set_format(name: str) -> DataSetFormat:
    """The format of data sets with this name, in any spelling.

    Raises
    ------
    InputError
        There is none.
    """
    known = FORMATS.canonical(name)
    if known is None or not FORMATS[known].writes:
        raise InputError(f"data format {name!r} is none of {', '.join(WRITTEN)}")
    made: DataSetFormat = FORMATS[known].load()()
    return made


def format_found(path: Path) -> str:
    """The format of a data set by what lies there; "" if it is none.

    A file has the format of its ending; a folder that which finds data sets in it.
    """
    kinds = [name for name, one in FORMATS.items() if one.writes and one.folder == path.is_dir()]
    exists = path.exists()
    return next((name for name in kinds if exists and data_set_format(name).looks_like(path)), "")
