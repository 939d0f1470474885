"""Text dumps of LAMMPS, read frame by frame on demand. Lengths in Å, forces in eV/Å."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from ase import Atoms

from pwact.errors import TaskError
from pwact.geometry import lower_triangular

_FRAME = b"ITEM: TIMESTEP"
_POSITIONS = (("x", "y", "z"), ("xu", "yu", "zu"), ("xs", "ys", "zs"), ("xsu", "ysu", "zsu"))
_FORCES = ("fx", "fy", "fz")
_IN_ANGSTROM = frozenset({"metal", "real"})


@dataclass(frozen=True)
class _Place:
    file: Path
    start: int
    end: int


def frame_text(step: int, atoms: Atoms, forces: np.ndarray, types: Sequence[str]) -> str:
    """A frame as LAMMPS dumps positions and forces in a tilted box; atoms keep their order.

    Parameters
    ----------
    forces
        In eV/Å, shape (N, 3); turned with the cell.
    types
        Element symbol of type 1, 2, …

    Raises
    ------
    InputError
        The cell does not suit LAMMPS.
    """
    head, rotation = _head(step, atoms)
    rows = np.hstack([atoms.positions @ rotation, forces @ rotation]).tolist()
    kinds = [types.index(symbol) + 1 for symbol in atoms.get_chemical_symbols()]
    lines = [
        f"{number} {kind} " + " ".join(f"{value:.16g}" for value in row)
        for number, (kind, row) in enumerate(zip(kinds, rows), 1)
    ]
    return "\n".join([*head, "ITEM: ATOMS id type x y z fx fy fz", *lines]) + "\n"


def _head(step: int, atoms: Atoms) -> tuple[list[str], np.ndarray]:
    """The lines before those of the atoms, and what turns vectors to LAMMPS's axes."""
    cell, rotation = lower_triangular(atoms.cell.array)
    xy, xz, yz = cell[1, 0], cell[2, 0], cell[2, 1]
    below = (min(0.0, xy, xz, xy + xz), min(0.0, yz), 0.0)
    above = (max(0.0, xy, xz, xy + xz), max(0.0, yz), 0.0)
    bounds = zip(below, np.diagonal(cell) + above, (xy, xz, yz))
    lines = [
        *["ITEM: TIMESTEP", f"{step}", "ITEM: NUMBER OF ATOMS", f"{len(atoms)}"],
        "ITEM: BOX BOUNDS xy xz yz pp pp pp",
        *[" ".join(f"{number:.16g}" for number in row) for row in bounds],
    ]
    return lines, rotation


def refuse_unclear(text: str) -> None:
    """Refuse a dump of somebody else whose last frame may be cut off.

    Raises
    ------
    ValueError
        It names no elements, is in units without Å, has a general triclinic box, or its last frame
        is cut off.
    """
    lines = text.splitlines()
    heads = [place for place, line in enumerate(lines) if line.startswith("ITEM: ATOMS")]
    if not heads or any("element" not in lines[place].split() for place in heads):
        raise ValueError(
            "names no elements, only types; dump the column element, or write a data file"
        )
    for line, after in zip(lines, lines[1:]):
        if line.startswith("ITEM: UNITS") and after.strip() not in _IN_ANGSTROM:
            raise ValueError(f"is in units {after.strip()}; metal or real (Å) are read")
        if line.startswith("ITEM: BOX BOUNDS") and "abc" in line.split():
            raise ValueError("has a general triclinic box, which is not read; write a data file")
    numbers = [place for place, line in enumerate(lines) if line.startswith("ITEM: NUMBER OF")]
    count, there = int(lines[numbers[-1] + 1]) if numbers else 0, len(lines) - heads[-1] - 1
    whole = there == count and text.endswith("\n")
    if not whole or not numbers or numbers[-1] > heads[-1]:
        raise ValueError(
            f"its last frame is cut off: {count} atoms are announced, {there} lines are there; "
            "take it away"
        )


class DumpTrajectory:
    """The frames of a dump: one file, or a directory with one file a frame.

    Frames that were cut off are left out. Of frames with one step (LAMMPS writes the restart step
    again) the last counts.

    Parameters
    ----------
    path
        The file or the directory.
    types
        Element symbol of type 1, 2, …
    """

    def __init__(self, path: Path, types: Sequence[str]) -> None:
        self._path = path
        self._types = np.array(["", *types], dtype=object)

    def steps(self) -> np.ndarray:
        """MD steps of all frames, ascending, int.

        Raises
        ------
        TaskError
            The dump cannot be read.
        """
        return np.array(sorted(self._places), dtype=np.int64)

    def frame(self, step: int) -> Atoms:
        """The frame of an MD step, atoms by ascending id.

        The origin of the box is subtracted. Forces (N, 3), if there are any, are the array
        ``forces``: a dump holds no energy, so they are no labels.

        Raises
        ------
        TaskError
            The dump has no such frame, or it cannot be understood.
        """
        content = self.text(step)
        try:
            return _parse(content, self._types)
        except (ValueError, IndexError, KeyError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else error
            file = self._places[int(step)].file
            raise TaskError(f"{file}: step {step}: {reason}") from error

    def text(self, step: int) -> bytes:
        """The frame of an MD step as it stands in the dump.

        Raises
        ------
        TaskError
            The dump has no such frame.
        """
        place = self._places.get(int(step))
        if place is None:
            raise TaskError(f"{self._path}: no frame of step {step}")
        with place.file.open("rb") as stream:
            stream.seek(place.start)
            return stream.read(place.end - place.start)

    @cached_property
    def _places(self) -> dict[int, _Place]:
        try:
            paths = [self._path]
            if self._path.is_dir():
                paths = sorted(path for path in self._path.iterdir() if path.is_file())
            return {step: place for path in paths for step, place in _complete_frames(path)}
        except OSError as error:
            raise TaskError(f"{self._path}: cannot be read: {error.strerror}") from error


def _complete_frames(path: Path) -> Iterator[tuple[int, _Place]]:
    """Step and extent of each frame that has all its lines."""
    with path.open("rb") as stream:
        if stream.seek(0, 2) == 0:
            return
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            start = content.find(_FRAME)
            while start >= 0:
                after = content.find(_FRAME, start + len(_FRAME))
                end = after if after >= 0 else len(content)
                frame = content[start:end]
                step = _step_if_complete(frame)
                if step is not None:
                    yield step, _Place(path, start, end)
                start = after


def _step_if_complete(frame: bytes) -> int | None:
    """The step of a frame that holds as many lines as it announces."""
    table = frame.find(b"ITEM: ATOMS")
    head = frame[: max(table, 0)].split(b"\n")
    try:
        atoms = int(head[head.index(b"ITEM: NUMBER OF ATOMS") + 1])
        return int(head[1]) if frame.count(b"\n", table) >= atoms + 1 else None
    except (ValueError, IndexError):
        return None


def _parse(content: bytes, types: np.ndarray) -> Atoms:
    head, title, body = content.partition(b"ITEM: ATOMS")
    if not title:
        raise ValueError("no atoms")
    heading, _, body = body.partition(b"\n")
    columns = {name: place for place, name in enumerate(heading.decode("ascii").split())}
    lines = head.decode("ascii").splitlines()
    count = int(lines[lines.index("ITEM: NUMBER OF ATOMS") + 1])
    words = np.array(body.split()[: count * len(columns)]).reshape(count, len(columns))
    if "id" in columns:
        words = words[np.argsort(words[:, columns["id"]].astype(int), kind="stable")]
    cell, origin = _box(lines)
    numbers = words[:, columns["type"]].astype(int)
    if numbers.min() < 1 or numbers.max() >= len(types):
        raise ValueError(f"type {numbers.max()}, but only {len(types) - 1} elements are known")
    positions = _positions(words, columns, cell, origin)
    atoms = Atoms(types[numbers].tolist(), positions, cell=cell, pbc=True)
    if all(name in columns for name in _FORCES):
        atoms.set_array("forces", _numbers(words, columns, _FORCES), float, (3,))
    return atoms


def _numbers(words: np.ndarray, columns: dict[str, int], names: Sequence[str]) -> np.ndarray:
    return words[:, [columns[name] for name in names]].astype(float)


def _positions(
    words: np.ndarray, columns: dict[str, int], cell: np.ndarray, origin: np.ndarray
) -> np.ndarray:
    names = next((names for names in _POSITIONS if all(name in columns for name in names)), None)
    if names is None:
        raise ValueError("no columns x y z")
    numbers = _numbers(words, columns, names)
    if not np.isfinite(numbers).all():
        raise ValueError("positions are not finite")
    result: np.ndarray = numbers @ cell if names[0].startswith("xs") else numbers - origin
    return result


def _box(lines: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Cell and origin; a tilted box is given by the bounds that enclose it."""
    place = next((i for i, line in enumerate(lines) if line.startswith("ITEM: BOX BOUNDS")), None)
    if place is None:
        raise ValueError("no box")
    words = lines[place].split()
    if "abc" in words:
        raise ValueError("general triclinic boxes are not supported")
    rows = np.array([line.split() for line in lines[place + 1 : place + 4]]).astype(float)
    xy, xz, yz = rows[:, 2] if "xy" in words else (0.0, 0.0, 0.0)
    low = rows[:, 0] - [min(0.0, xy, xz, xy + xz), min(0.0, yz), 0.0]
    high = rows[:, 1] - [max(0.0, xy, xz, xy + xz), max(0.0, yz), 0.0]
    cell = np.diag(high - low)
    cell[1, 0], cell[2, 0], cell[2, 1] = xy, xz, yz
    return cell, low
