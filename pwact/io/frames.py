"""The front door to data sets: frames with labels, in any of the two data formats."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms

from pwact.errors import InputError, TaskError
from pwact.io import files
from pwact.io.durable import sync_directory
from pwact.io.extxyz import iterate_extxyz, why_unlabelled, write_extxyz
from pwact.io.labels import labels_of, set_labels
from pwact.io.pwmlff_npy import MARK, composition_name, iterate_folder, write_folder


def ordered(atoms: Atoms) -> Atoms:
    """Copy of a frame, labels included, with its atoms grouped by ascending Z.

    Atoms of one element keep their order.
    """
    order = np.argsort(atoms.numbers, kind="stable")
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
        A file of extxyz, or a folder that holds data folders at any depth; as in `data_paths`.
    data_format
        One of `DATA_FORMATS`, in any case.

    Raises
    ------
    InputError
        There is no data, it cannot be read, or a frame has no energy and forces.
    """
    return [atoms for _, _, atoms in iterate_frames(path, data_format)]


def iterate_frames(path: Path, data_format: str) -> Iterator[tuple[Path, int, Atoms]]:
    """The frames of `read_frames` one by one, each with its single data set and its number there.

    Numbers count from 0. Raises InputError as `read_frames`.
    """
    read = _named(data_format)[1]
    for place in data_paths(path, data_format):
        for index, atoms in enumerate(read(place)):
            if atoms.calc is None:
                raise InputError(f"frame {index} {why_unlabelled(atoms)}", place)
            yield place, index, atoms


def write_frames(path: Path, frames: Sequence[Atoms], data_format: str) -> None:
    """Write labelled frames as a data set, in place of what was there.

    Parameters
    ----------
    path
        extxyz: the file. pwmlff/npy: the folder that gets one data folder a composition.
    frames
        Frames with labels; the data folders hold them with their atoms by ascending Z.
    data_format
        One of `DATA_FORMATS`, in any case.

    Raises
    ------
    TaskError
        A frame has no labels, or labels that are not finite.
    InputError
        The folder to be replaced holds something else than data.
    """
    for index, atoms in enumerate(frames):
        labels = labels_of(atoms)
        if not (math.isfinite(labels.energy) and np.isfinite(labels.forces).all()):
            raise TaskError(f"{path}: energy or forces of frame {index} are not finite")
    path.parent.mkdir(parents=True, exist_ok=True)
    _named(data_format)[2](path, frames)


def data_paths(path: Path, data_format: str) -> list[Path]:
    """The single data sets of a path, sorted.

    For extxyz the file itself, or all ``*.xyz`` and ``*.extxyz`` files below a folder; for
    pwmlff/npy all data folders, the path itself included.

    Raises
    ------
    InputError
        There is none, or a folder cannot be looked into.
    """
    if problem := files.unreadable(path, or_folder=True):
        raise InputError(problem, path)
    try:
        found = _named(data_format)[0](path)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", Path(error.filename)) from error
    if not found:
        raise InputError(f"holds no {data_format} data", path)
    return found


def _find_extxyz(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return files.found_below(path, lambda name: Path(name).suffix in {".xyz", ".extxyz"})


def _iterate_file(path: Path) -> Iterator[Atoms]:
    empty = True
    for atoms in iterate_extxyz(path):
        empty = False
        yield atoms
    if empty:
        raise InputError("holds no frame", path)


def _find_npy(path: Path) -> list[Path]:
    return [item.parent for item in files.found_below(path, lambda name: name == MARK)]


def _write_npy(path: Path, frames: Sequence[Atoms]) -> None:
    """Write beside `path`, then swap."""
    _refuse_foreign(path)
    groups: dict[str, list[Atoms]] = {}
    for atoms in frames:
        groups.setdefault(composition_name(atoms), []).append(ordered(atoms))
    mark = uuid.uuid4().hex[:8]
    fresh, old = (path.with_name(f".{path.name}.{mark}.{word}") for word in ("new", "old"))
    try:
        fresh.mkdir()
        for name, group in groups.items():
            write_folder(fresh / name, group)
        if path.exists():
            path.rename(old)
        fresh.rename(path)
    finally:
        files.remove(fresh)
        files.remove(old)
    sync_directory(path.parent)


def _refuse_foreign(path: Path) -> None:
    others = [item for item in path.rglob("*") if not item.is_dir() and item.suffix != ".npy"]
    if others or (path.exists() and not path.is_dir()):
        raise InputError("is not replaced: it holds other things than data", path)


_FORMATS: dict[
    str,
    tuple[
        Callable[[Path], list[Path]],
        Callable[[Path], Iterable[Atoms]],
        Callable[[Path, Sequence[Atoms]], None],
    ],
] = {
    "extxyz": (_find_extxyz, _iterate_file, write_extxyz),
    "pwmlff/npy": (_find_npy, iterate_folder, _write_npy),
}
DATA_FORMATS = tuple(_FORMATS)


def _named(
    data_format: str,
) -> tuple[
    Callable[[Path], list[Path]],
    Callable[[Path], Iterable[Atoms]],
    Callable[[Path, Sequence[Atoms]], None],
]:
    try:
        return _FORMATS[data_format.lower()]
    except KeyError:
        allowed = ", ".join(DATA_FORMATS)
        raise InputError(f"data format {data_format!r} is none of {allowed}") from None
