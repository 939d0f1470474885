"""Computes the Kalman prediction uncertainty of every frame that was explored."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pwact import layout
from pwact.config.resources import ResourceBlock
from pwact.config.run import RunConfig
from pwact.engines.evaluator import KpuEvaluator
from pwact.engines.explorers import Explorer
from pwact.engines.trainers import TrainedModel
from pwact.errors import StageChangedError
from pwact.executors.base import Task
from pwact.io import files
from pwact.workflow.changes import free_backup
from pwact.workflow.explored import Explored, contents_of
from pwact.workflow.quorum import check_quorum, name_lost_groups
from pwact.workflow.reports import KpuReport, TrajectoryRecord
from pwact.workflow.stage import Services, StageOutput
from pwact.workflow.stages.explore import MAX_FAILED_RATE
from pwact.workflow.stages.train import model_content
from pwact.workflow.tasks.prepare import content, link_inside, prepare

if TYPE_CHECKING:
    from pwact.workflow.turn import Turn


@dataclass(frozen=True)
class KpuStage:
    """One task a usable trajectory, with the resources of the training.

    Attributes
    ----------
    explored
        The ``paths`` of the exploration's report: one entry a trajectory.
    explorer
        What ran the MD; its log stands for a trajectory, since it stays when the dump is deleted.
    result
        Name of the file that an evaluation leaves.
    """

    config: RunConfig
    evaluator: KpuEvaluator
    model: TrainedModel
    block: ResourceBlock
    iteration: int
    explored: Sequence[TrajectoryRecord]
    explorer: Explorer
    result: str = layout.KPU_MODEL_DEVI

    @property
    def name(self) -> str:
        """``iter.0000/kpu``."""
        return f"{layout.iteration_name(self.iteration)}/kpu"

    @property
    def directory(self) -> Path:
        """``01.explore/kpu``."""
        return layout.kpu_dir(self.config.work_dir, self.iteration)

    @property
    def reads(self) -> Collection[str]:
        """Results of earlier stages in `inputs`."""
        return ("model", "trajectories")

    def inputs(self) -> Mapping[str, Any]:
        """The model, the trajectories, and how they are evaluated."""
        work_dir = self.config.work_dir
        return {
            "kpu": self.evaluator.fingerprint(),
            "model": model_content(self.model),
            "trajectories": {
                entry.directory: content([work_dir / entry.directory / self.explorer.log])
                for entry in self._usable
            },
        }

    def work(self, services: Services) -> StageOutput:
        """Evaluate the trajectories; a tenth of them, or one, may come to nothing, but never all.

        The report repeats the entries of the exploration; a trajectory that was not evaluated
        is not usable any more.
        """
        tasks = {entry.directory: self._task(entry) for entry in self._usable}
        self._demand_untouched(services, tasks)
        results = list(services.dispatch("kpu", self.directory, list(tasks.values()), self.block))
        self._demand_untouched(services, tasks)  # jobs may have waited for long
        check_quorum(results, MAX_FAILED_RATE, self.name, services.work_dir)
        systems = {tasks[entry.directory].directory: entry.system for entry in self._usable}
        name_lost_groups(results, systems, self.name, "none of its frames can be a candidate")
        done = {result.task.directory for result in results if result.verdict.done}
        evaluated = {name for name, task in tasks.items() if task.directory in done}
        paths = tuple(self._judged(entry, entry.directory in evaluated) for entry in self.explored)
        products, links, waste = [], [], []
        for name in sorted(evaluated):
            place = tasks[name].directory
            products.append(place / self.result)
            links.append(self.config.work_dir / name / self.result)
            link_inside(products[-1], links[-1])
            waste += self.evaluator.transient_files(place)
        transient = [] if self.config.reserve_work else waste
        return StageOutput(products, transient, KpuReport(paths).to_json(), links)

    def _demand_untouched(self, services: Services, tasks: Mapping[str, Task]) -> None:
        """Raise StageChangedError if a dump is not what the MD left.

        What was computed from it, if anything was, is put aside: it would pass for a result.
        """
        explored = Explored(self.explorer, services.work_dir, contents_of(self.explored))
        for name, task in tasks.items():
            try:
                explored.demand(name, "its uncertainty is not computed")
            except StageChangedError:
                task.directory.rename(free_backup(task.directory))
                raise

    def _judged(self, entry: TrajectoryRecord, evaluated: bool) -> TrajectoryRecord:
        """A trajectory with the hash of its features, if it has some."""
        path = layout.evaluated(self.config.work_dir / entry.directory) / layout.FEATURES
        features = files.tree_hash(path) if evaluated and path.exists() else ""
        return replace(entry, usable=evaluated, features=features)

    @property
    def _usable(self) -> list[TrajectoryRecord]:
        return [entry for entry in self.explored if entry.usable]

    def _task(self, entry: TrajectoryRecord) -> Task:
        trajectory = self.config.work_dir / entry.directory
        directory = layout.evaluated(trajectory)
        evaluator = self.evaluator
        prepare(directory, partial(evaluator.write_input, model=self.model, trajectory=trajectory))
        return Task(
            directory, evaluator.command(), evaluator.check, evaluator.log, evaluator.shell_check
        )


class KpuStep:
    """Computes an uncertainty that the exploration does not leave."""

    def asked(self, turn: Turn) -> bool:
        """Whether frames are judged by one."""
        return turn.evaluator is not None

    def stage(self, turn: Turn) -> KpuStage:
        """The evaluation by the first model."""
        evaluator, engines = turn.evaluator, turn.engines
        assert evaluator is not None
        return KpuStage(
            turn.config,
            evaluator,
            turn.committee[0],
            engines.train,
            turn.iteration,
            turn.explored,
            engines.explorer,
            turn.uncertainty.result,
        )

    def done(self, turn: Turn, report: Mapping[str, Any]) -> None:
        """The trajectories that were evaluated."""
        turn.judged = KpuReport.from_json(report).paths
