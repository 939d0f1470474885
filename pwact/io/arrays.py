"""Arrays of numbers in numpy's files, which somebody else may have written."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from pwact.errors import InputError
from pwact.io import files

FLOAT, INTEGER = "<f8", "<i8"
LARGEST_NUMBER = 118  # Og
BEYOND = 1e10  # eV, Å …: nothing in a frame is as large, and squares of it are still numbers
UNUSABLE = f"not finite, or beyond {BEYOND:g}"
logger = logging.getLogger(__name__)
_CHECKED = 1000  # rows at a time


def are_elements(numbers: np.ndarray) -> bool:
    """Whether all numbers are atomic numbers: whole, from 1 to 118."""
    values = np.asarray(numbers, dtype=float)
    whole = np.isfinite(values).all() and (values == np.round(values)).all()
    return bool(whole and (values >= 1).all() and (values <= LARGEST_NUMBER).all())


def are_usable(numbers: np.ndarray) -> bool:
    """Whether all are numbers that a frame can hold: finite, and smaller than `BEYOND` in size."""
    return bool(np.max(numbers, initial=0) < BEYOND and np.min(numbers, initial=0) > -BEYOND)


def load_numbers(path: Path) -> np.ndarray:
    """Open one array of real numbers, which stays on the disk.

    Raises
    ------
    InputError
        The file is missing, is no complete array, or holds something else than numbers.
    """
    problem = files.unreadable(path)
    if problem and path.exists():
        raise InputError(problem, path)
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", path) from error
    except Exception as error:  # a damaged head is read by Python's own parser
        raise InputError(f"is no complete numpy array: {error}", path) from error
    if not isinstance(array, np.ndarray):
        raise InputError("is an archive of arrays (npz), not one array (npy)", path)
    if array.dtype.kind not in "fiu":
        raise InputError(f"holds {array.dtype}, not numbers", path)
    return array


def load_shaped(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Open an array of numbers that `are_usable` and has, or can be given, this shape.

    Raises
    ------
    InputError
        As `load_numbers`; or it has another size, or holds what no frame can hold; names the row.
    """
    array = load_numbers(path)
    if array.size != np.prod(shape):
        raise InputError(f"holds {array.shape} numbers, not {shape}", path)
    if not _fits(array.shape, shape):
        raise InputError(f"has the shape {array.shape}, not {shape} or rows of that many", path)
    array = array.reshape(shape)
    for start in range(0, len(array), _CHECKED):
        if not are_usable(array[start : start + _CHECKED]):
            wrong = (n for n in range(start, len(array)) if not are_usable(array[n]))
            raise InputError(f"row {next(wrong)} holds what is {UNUSABLE}", path)
    return array


def _fits(found: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether an array keeps its order in another shape of the same size: one row a frame."""
    flat = sum(size > 1 for size in found) <= 1
    return flat or (found[0] == shape[0] and (len(found) == 2 or found == shape))


def load_cells(path: Path, frames: int) -> np.ndarray:
    """Open lattice vectors, shape (frames, 3, 3) in Å, each with a volume.

    Raises
    ------
    InputError
        As `load_shaped`; or the cell of a frame has no volume, names the frame.
    """
    cells = load_shaped(path, (frames, 3, 3))
    for start in range(0, frames, _CHECKED):
        part = np.asarray(cells[start : start + _CHECKED], dtype=float)
        flat = np.flatnonzero(np.linalg.det(part) == 0)
        if flat.size:
            raise InputError(f"the cell of frame {start + int(flat[0])} has no volume", path)
    return cells


def begun_array(
    stack: contextlib.ExitStack, path: Path, shape: tuple[int, ...], kind: str = FLOAT
) -> BinaryIO:
    """A file whose head is written, for the rows; it is put in its place when `stack` ends."""
    stream = stack.enter_context(stack.enter_context(files.replacing(path)).open("wb"))
    head = {"descr": kind, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, head)
    return stream


def say_unread(folders: Iterable[Path], known: Collection[str]) -> None:
    """Warn of arrays in these folders that are none of the `known` ones: nobody reads them."""
    others = {path.name: path.parent for one in folders for path in sorted(one.glob("*.npy"))}
    strange = sorted(name for name in others if name.removesuffix(".npy") not in known)
    if strange:
        logger.warning("%s: not read: %s", others[strange[0]], ", ".join(strange))
