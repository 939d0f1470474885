"""Labels the candidates, and tells how wrong the exploring model was about them."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pwact import layout
from pwact.config.resources import ResourceBlock
from pwact.config.run import RunConfig
from pwact.engines.base import Explorer, Labeler, Purpose, Trajectory
from pwact.executors.base import TaskResult
from pwact.io import files
from pwact.io.frames import ordered, write_frames
from pwact.io.labels import labels_of
from pwact.report import selection as tables
from pwact.report.label_error import LabelError, force_errors, write_label_error
from pwact.report.records import LabelRecord
from pwact.verdict import Outcome
from pwact.workflow.quorum import check_quorum
from pwact.workflow.stage import Services, StageOutput
from pwact.workflow.stages.first_principles import Calculation, calculate, task_of
from pwact.workflow.stages.gate import Gate
from pwact.workflow.stages.prepare import relative

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


@dataclass
class _Gathered:
    """What the finished tasks gave."""

    frames: list[Atoms] = field(default_factory=list)
    errors: list[LabelError] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class LabelStage:
    """The labelling of one iteration's candidates.

    Attributes
    ----------
    ahead
        Some systems still explore, so not all candidates are known.
    """

    config: RunConfig
    labeler: Labeler
    explorer: Explorer
    block: ResourceBlock
    iteration: int
    ahead: bool = False

    @property
    def name(self) -> str:
        """``iter.0000/label``."""
        return f"{layout.iteration_name(self.iteration)}/label"

    @property
    def directory(self) -> Path:
        """``02.label``."""
        return layout.label_dir(self.config.work_dir, self.iteration)

    @property
    def _candidates(self) -> Path:
        return layout.select_dir(self.config.work_dir, self.iteration) / tables.CANDIDATE

    def inputs(self) -> Mapping[str, Any]:
        """Labeler, candidates, and what decides about them."""
        known = {} if self.ahead else {"candidates": files.tree_hash(self._candidates)}
        return {
            "labeler": self.labeler.fingerprint(Purpose.SCF),
            **known,
            "min_distance": self.config.dft.min_distance,
            "data_format": self.config.data_format,
        }

    def work(self, services: Services) -> StageOutput:
        """Label what can be labelled and write the data set."""
        explored = Explored(self.explorer, services.work_dir)
        gate = Gate(self.config.dft.min_distance)
        asked = self._sane(read_candidates(self._candidates), explored, gate)
        gate.write(self.directory / layout.LEFT_OUT, self.name)
        calculations = [self._calculation(candidate, explored) for candidate in asked]
        scf = layout.scf_dir(services.work_dir, self.iteration)
        results = list(calculate(services, Purpose.SCF, scf, calculations, self.block))
        broken = [result for result in results if result.verdict.outcome is not Outcome.UNUSABLE]
        check_quorum(broken, self.config.dft.max_failed_rate, self.name, services.work_dir)
        ends = {result.task.directory: result for result in results}
        gathered = self._gather(asked, [ends[one.directory] for one in calculations], explored)
        return self._output(gathered, [one.directory for one in calculations])

    def begin_ahead(self, services: Services, candidates: Sequence[Candidate]) -> None:
        """Begin to label some of the candidates while others are not known yet."""
        explored = Explored(self.explorer, services.work_dir)
        asked = self._sane(candidates, explored, Gate(self.config.dft.min_distance))
        tasks = [task_of(self._calculation(one, explored), Purpose.SCF) for one in asked]
        scf = layout.scf_dir(services.work_dir, self.iteration)
        services.begin_ahead(Purpose.SCF.value, scf, tasks, self.block)

    def _sane(
        self, candidates: Sequence[Candidate], explored: Explored, gate: Gate
    ) -> list[Candidate]:
        """The candidates that a code may have; what has a directory has passed already."""
        return [
            one
            for one in candidates
            if self._task_dir(one).is_dir()
            or gate.passes(explored.frame(one), one.trajectory, one.step)
        ]

    def _task_dir(self, candidate: Candidate) -> Path:
        work_dir = self.config.work_dir
        md = layout.md_dir(work_dir, self.iteration)
        place = (work_dir / candidate.trajectory).relative_to(md)
        return layout.scf_dir(work_dir, self.iteration) / place / layout.scf_name(candidate.step)

    def _calculation(self, candidate: Candidate, explored: Explored) -> Calculation:
        return Calculation(
            self.labeler,
            self._task_dir(candidate),
            partial(explored.frame, candidate),
            step=candidate.step,
        )

    def _gather(
        self, asked: Sequence[Candidate], results: Sequence[TaskResult], explored: Explored
    ) -> _Gathered:
        gathered = _Gathered()
        for candidate, result in zip(asked, results):
            directory = result.task.directory
            if not result.verdict.done:
                gathered.lost.append(relative(directory, self.config.work_dir))
                continue
            frame = self.labeler.read_result(directory, Purpose.SCF)[-1]
            predicted = ordered(explored.frame(candidate)).arrays["forces"]
            rmse, largest = force_errors(predicted, labels_of(frame).forces)
            gathered.frames.append(frame)
            gathered.errors.append(
                LabelError(
                    candidate.trajectory, candidate.step, candidate.devi_force, rmse, largest
                )
            )
        return gathered

    def _output(self, gathered: _Gathered, directories: Sequence[Path]) -> StageOutput:
        result = layout.result_dir(self.config.work_dir, self.iteration)
        files.remove(result)
        result.mkdir(parents=True)
        products = [result / layout.LABEL_ERROR]
        rmse = write_label_error(products[0], gathered.errors)
        data = layout.labelled(result, self.config.data_format)
        if gathered.frames:
            write_frames(data, gathered.frames, self.config.data_format)
            products.append(data)
        labelled, failed = len(gathered.frames), len(gathered.lost)
        record = LabelRecord(labelled, failed, rmse)
        transient: list[Path] = []
        if not self.config.reserve_scf_files:
            transient = [path for folder in directories for path in self._waste(folder)]
        report = {
            **record.to_json(),
            "data": relative(data, self.config.work_dir) if labelled else "",
            "entry": tables.label_entry(labelled, gathered.lost),
        }
        return StageOutput(products, transient, report)

    def _waste(self, directory: Path) -> list[Path]:
        if not directory.is_dir():
            return []
        return [path for path in directory.iterdir() if not self.labeler.kept_files(path.name)]


def candidates_of(table: FrameTable) -> list[Candidate]:
    """Picked frames as candidates."""
    rows = zip(table.devi_force.tolist(), table.config_index.tolist(), table.file_path.tolist())
    return [Candidate(deviation, step, trajectory) for deviation, step, trajectory in rows]


def read_candidates(path: Path) -> list[Candidate]:
    """Read ``candidate.csv`` by column names."""
    with path.open(encoding="utf-8", newline="") as stream:
        return [
            Candidate(float(row["devi_force"]), int(float(row["config_index"])), row["file_path"])
            for row in csv.DictReader(stream)
        ]
