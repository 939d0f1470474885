"""The frames that may be labelled: rows of a table, and the frames of the explored trajectories."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pwact import layout
from pwact.engines.base import Explorer, Trajectory

if TYPE_CHECKING:
    from ase import Atoms

    from pwact.query.candidates import FrameTable


@dataclass(frozen=True)
class Candidate:
    """One line of ``candidate.csv``.

    Attributes
    ----------
    trajectory
        Directory of the trajectory relative to the work directory.
    """

    devi_force: float
    step: int
    trajectory: str


class Explored:
    """The explored frames; each trajectory is opened once."""

    def __init__(self, explorer: Explorer, work_dir: Path) -> None:
        self._explorer = explorer
        self._work_dir = work_dir
        self._open: dict[str, Trajectory] = {}

    def frame(self, candidate: Candidate) -> Atoms:
        """The frame, with the forces of the exploring model as array ``forces``."""
        name = candidate.trajectory
        if name not in self._open:
            self._open[name] = self._explorer.read_result(self._work_dir / name)
        return self._open[name].frame(candidate.step)


def candidates_of(table: FrameTable) -> list[Candidate]:
    """Picked frames as candidates."""
    rows = zip(table.devi_force.tolist(), table.config_index.tolist(), table.file_path.tolist())
    return [Candidate(deviation, step, trajectory) for deviation, step, trajectory in rows]


def read_candidates(path: Path, work_dir: Path) -> list[Candidate]:
    """Read ``candidate.csv`` by column names.

    PWact names trajectories by absolute paths in its working copy, which may be gone, or lie
    elsewhere by now: what exists of them below `work_dir` counts.
    """
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as stream:
        return [
            Candidate(
                float(row["devi_force"]),
                int(float(row["config_index"])),
                _below(work_dir, Path(row["file_path"])),
            )
            for row in csv.DictReader(stream)
        ]


def _below(work_dir: Path, path: Path) -> str:
    """A trajectory's path relative to `work_dir`."""
    if not path.is_absolute():
        return path.as_posix()
    first = max((n for n, part in enumerate(path.parts) if part.startswith("iter.")), default=-1)
    parts = path.parts[first:]
    copy = Path(*parts)
    final = Path(*(part for part in parts if part != layout.PWACT_WORK))
    return (copy if (work_dir / copy).is_dir() else final).as_posix()
