"""Recognises frames by their atoms, for programs that lose count."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pwact.atom_properties import PROPERTIES, properties_of
from pwact.errors import TaskError

if TYPE_CHECKING:
    from ase import Atoms

CLOSE = 1e-3  # Å; files may be written with few digits
GRID = 1e-8  # Å; what differs by less is one structure
WRITTEN_GRID = 1e-6  # Å; the same, whatever format the frames went through


def same_frame(one: Atoms, other: Atoms, close: float = CLOSE) -> bool:
    """Whether two frames have the same cell and the same atoms at the same places.

    Atoms may be in another order element by element and shifted by lattice vectors.

    Parameters
    ----------
    close
        How far apart two atoms, or the ends of two lattice vectors, may be; Å.
    """
    if len(one) != len(other) or not np.allclose(one.cell.array, other.cell.array, 0, close):
        return False
    orders = [np.argsort(atoms.numbers, kind="stable") for atoms in (one, other)]
    if not np.array_equal(one.numbers[orders[0]], other.numbers[orders[1]]):
        return False
    shifts = one.positions[orders[0]] - other.positions[orders[1]]
    if one.cell.rank == 3:
        fractions = one.cell.scaled_positions(shifts)
        shifts = (fractions - np.round(fractions)) @ one.cell.array
    return bool(np.all(np.linalg.norm(shifts, axis=1) <= close))


def structure_key(atoms: Atoms, grid: float = GRID) -> str:
    """Hash (32 hex digits) of what a label depends on.

    These are elements, positions and cell (to `grid`, Å), periodic axes, and what else is known
    of the atoms (`pwact.atom_properties`): moments and charges where there are any. Atoms count in
    the order that data sets have: by ascending Z.
    """
    order = np.argsort(atoms.numbers, kind="stable")
    digest = hashlib.sha256(b"%d %r" % (len(atoms), np.asarray(atoms.pbc, dtype=bool).tolist()))
    digest.update(atoms.numbers[order].astype("<i8").tobytes())
    for lengths in (atoms.cell.array, atoms.positions[order]):
        digest.update(np.rint(lengths / grid).astype("<i8").tobytes())
    for name, values in properties_of(atoms).items():
        if name in PROPERTIES and not PROPERTIES[name].of_labels:
            continue
        digest.update(name.encode() + _bytes(values[order]))
    return digest.hexdigest()[:32]


def structure_mark(atoms: Atoms) -> bytes:
    """A short form of `structure_key` that is the same whatever format a frame went through."""
    return bytes.fromhex(structure_key(atoms, WRITTEN_GRID))


def _bytes(values: np.ndarray) -> bytes:
    if values.dtype.kind == "U":
        return repr(values.tolist()).encode()
    return np.rint(values / GRID).astype("<i8").tobytes()


def match_frames(
    frames: Sequence[Atoms], candidates: Sequence[Atoms], likely: Sequence[int], path: Path
) -> list[int]:
    """Say which of the candidates each frame is.

    Each candidate counts once.

    Parameters
    ----------
    likely
        Numbers of candidates that come first, in the order in which they are expected.
    path
        The file of the frames, for the message.

    Raises
    ------
    TaskError
        A frame is none of the candidates, or is there more often than they.
    """
    left = dict.fromkeys([*likely, *range(len(candidates))])
    found = []
    for number, frame in enumerate(frames):
        index = _first(frame, candidates, left)
        if index is None:
            raise TaskError(f"{path}: {_stranger(number, frame, candidates)}")
        del left[index]
        found.append(index)
    return found


def _first(frame: Atoms, candidates: Sequence[Atoms], numbers: Iterable[int]) -> int | None:
    return next((one for one in numbers if same_frame(frame, candidates[one])), None)


def _stranger(number: int, frame: Atoms, candidates: Sequence[Atoms]) -> str:
    twin = _first(frame, candidates, range(len(candidates)))
    if twin is not None:
        return f"frame {number} is frame {twin} of those given, which is there already"
    return (
        f"frame {number} is none of the frames given: cell and positions must stay as they are, "
        "and atoms of one element in their order"
    )
