"""The frames that may be labelled: rows of a table, and the frames of the explored trajectories."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Optional

from pwact import layout
from pwact.engines.explorers import Explorer, Trajectory
from pwact.errors import StageChangedError
from pwact.formats.features import Features
from pwact.io import files
from pwact.workflow.reports import TrajectoryRecord
from pwact.workflow.tasks.origin import onto
from pwact.workflow.tasks.prepare import content

if TYPE_CHECKING:
    import numpy as np
    from ase import Atoms

    from pwact.query.candidates import FrameTable
    from pwact.uncertainties.base import Uncertainty

_UNKNOWN: Mapping[str, str] = {}


@dataclass(frozen=True)
class Aim:
    """What a selection with a target knows of a frame that is labelled.

    Attributes
    ----------
    kind
        Whether it was chosen, or drawn by lot as a control.
    scaled
        U; NaN where it is no number.
    force
        Root mean square of the components of the predicted forces, eV/Å.
    sigma
        Force error of the exploring model on its training data, eV/Å.
    """

    kind: str
    scaled: float
    force: float
    sigma: float


@dataclass(frozen=True)
class Candidate:
    """One line of ``candidate.csv``.

    Attributes
    ----------
    trajectory
        Directory of the trajectory relative to the work directory.
    aim
        What else stands there in a campaign with a target.
    """

    uncertainty: float
    step: int
    trajectory: str
    aim: Optional[Aim] = None

    @property
    def system(self) -> str:
        """The name of its system."""
        return Path(self.trajectory).parts[-2]


class Explored:
    """The explored frames; each trajectory is opened once.

    Parameters
    ----------
    contents
        Trajectory → hash of its frames when its MD had ended, where that is known.
    start
        Gives the structure from which a system began, by the system's name, with what belongs to
        its atoms: its frames get the same.
    """

    def __init__(
        self,
        explorer: Explorer,
        work_dir: Path,
        contents: Mapping[str, str] = _UNKNOWN,
        start: Optional[Callable[[str], Atoms]] = None,
    ) -> None:
        self._explorer = explorer
        self._work_dir = work_dir
        self._contents = contents
        self._open: dict[str, Trajectory] = {}
        self._start = start
        self._starts: dict[str, Atoms] = {}

    def frame(self, candidate: Candidate) -> Atoms:
        """The frame, with the forces of the exploring model as array ``forces``.

        Raises
        ------
        StageChangedError
            The trajectory is not what the MD left.
        TaskError
            It is not known which atom has which properties of the start structure.
        """
        name = candidate.trajectory
        if name not in self._open:
            self._open[name] = self._opened(name)
        frame = self._open[name].frame(candidate.step)
        if self._start is None:
            return frame
        system = candidate.system
        if system not in self._starts:
            self._starts[system] = self._start(system)
        return onto(self._starts[system], frame, self._work_dir / name)

    def energy(self, candidate: Candidate) -> Optional[float]:
        """Potential energy of a frame that was read, by the exploring model; None if not known."""
        return self._open[candidate.trajectory].energy(candidate.step)

    def _opened(self, name: str) -> Trajectory:
        self.demand(name, "none of its frames is labelled")
        return self._explorer.read_result(self._work_dir / name)

    def demand(self, name: str, so: str) -> None:
        """Raise StageChangedError unless a trajectory is what the MD left.

        Parameters
        ----------
        so
            What follows for the work that reads it, in words.
        """
        known = self._contents.get(name, "")
        if not known:
            return
        place, stage = self._work_dir / name, f"{Path(name).parts[0]}/explore"
        found = self._explorer.read_result(place).content()
        if not found:
            raise StageChangedError(
                f"{place}: the trajectory is gone, so {so}. Put it back, or start with "
                f"--redo {stage}: the same seeds give the same frames"
            )
        if found != known:
            raise StageChangedError(
                f"{place}: the trajectory was altered since {stage} ended, so {so}. Undo the "
                f"change, or start with --redo {stage} to run the MD again"
            )


class CandidateFrames:
    """Structures and features of explored frames, for the rule that chooses among them.

    See `pwact.query.picks.Frames`. Features stay on the disk until they are looked at.
    """

    def __init__(self, explored: Explored, work_dir: Path) -> None:
        self._explored = explored
        self._work_dir = work_dir
        self._features: dict[str, Features] = {}

    def structure(self, trajectory: str, step: int) -> Atoms:
        """The frame as it was explored."""
        return self._explored.frame(Candidate(float("nan"), step, trajectory))

    def features(self, trajectory: str, step: int) -> np.ndarray:
        """What the evaluation of the uncertainty has left. Raises TaskError."""
        if trajectory not in self._features:
            place = layout.evaluated(self._work_dir / trajectory) / layout.FEATURES
            self._features[trajectory] = Features(place)
        return self._features[trajectory].of(step)


def contents_of(explored: Sequence[TrajectoryRecord]) -> dict[str, str]:
    """Trajectory → hash of its frames, from the ``paths`` of an exploration's report."""
    return {entry.directory: entry.frames for entry in explored}


def looked_at(
    explored: Sequence[TrajectoryRecord],
    uncertainty: Uncertainty,
    work_dir: Path,
    what: Iterable[str],
) -> dict[str, Any]:
    """What a selection depends on of the trajectories that it can use: part of its inputs.

    Parameters
    ----------
    explored
        The ``paths`` of the exploration's report.
    what
        What is looked at besides the uncertainties (`pwact.query.picks`). It counts as it was when
        its step had ended: it may be deleted.
    """
    usable = [entry for entry in explored if entry.usable]
    seen = {one: {entry.directory: getattr(entry, one) for entry in usable} for one in what}
    deviations = {
        entry.directory: content(uncertainty.files(work_dir / entry.directory)) for entry in usable
    }
    return {**seen, "deviations": deviations}


def candidates_of(table: FrameTable) -> list[Candidate]:
    """Picked frames as candidates."""
    rows = zip(table.values.tolist(), table.steps.tolist(), table.trajectories.tolist())
    return [Candidate(value, step, trajectory) for value, step, trajectory in rows]


def read_candidates(path: Path, work_dir: Path) -> list[Candidate]:
    """Read ``candidate.csv`` by column names.

    PWact names trajectories by absolute paths in its working copy, which may be gone, or lie
    elsewhere by now: what exists of them below `work_dir` counts.
    """
    plain = files.demand_plain(path)
    with plain.open(encoding="utf-8", errors="surrogateescape", newline="") as stream:
        return [
            Candidate(
                _number(row["devi_force"]),
                int(float(row["config_index"])),
                _below(work_dir, Path(row["file_path"])),
                _aim(row),
            )
            for row in csv.DictReader(stream)
        ]


def _aim(row: Mapping[str, str]) -> Optional[Aim]:
    if "kind" not in row:
        return None
    numbers = (_number(row[name]) for name in ("uncertainty_scaled", "rms_force", "sigma"))
    return Aim(row["kind"], *numbers)


def _number(word: str) -> float:
    """A number; NaN where a frame has none."""
    return float(word) if word else float("nan")


def _below(work_dir: Path, path: Path) -> str:
    """A trajectory's path relative to `work_dir`."""
    if not path.is_absolute():
        return path.as_posix()
    first = max((n for n, part in enumerate(path.parts) if part.startswith("iter.")), default=-1)
    parts = path.parts[first:]
    copy = Path(*parts)
    final = Path(*(part for part in parts if part != layout.PWACT_WORK))
    return (copy if (work_dir / copy).is_dir() else final).as_posix()
