"""Runs molecular dynamics of every system with the committee."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Optional

from pwact import layout
from pwact.config.resources import ResourceBlock
from pwact.config.run import RunConfig
from pwact.engines.explorers import Condition, Explorer, Motion
from pwact.engines.potential import Calculators, Potential
from pwact.executors.base import Task, TaskResult
from pwact.fingerprint import ANY, Settings
from pwact.fixed_atoms import held
from pwact.io import files
from pwact.verdict import Verdict
from pwact.workflow.conditions import CONDITION, Serving
from pwact.workflow.quorum import check_quorum, name_lost_groups
from pwact.workflow.reports import ExploreReport, TrajectoryRecord
from pwact.workflow.retry import WOULD_SERVE
from pwact.workflow.stage import Services, StageOutput
from pwact.workflow.systems import System, explored_names, systems_of
from pwact.workflow.tasks.origin import explored_start
from pwact.workflow.tasks.prepare import demand_all, prepare, relative
from pwact.workflow.tasks.starts import started_once

if TYPE_CHECKING:
    from ase import Atoms

    from pwact.workflow.turn import Turn

MAX_FAILED_RATE = 0.1
SHOWN_ENDS = 10

logger = logging.getLogger(__name__)


WhenEnded = Callable[[Services, System, Sequence[TrajectoryRecord]], None]


@dataclass(frozen=True)
class ExploreStage:
    """All trajectories of one iteration.

    Attributes
    ----------
    potential
        The committee as LAMMPS needs it.
    when_ended
        Called with a system, and what its trajectories are like, as soon as all of them have ended.
    serving
        The condition that this iteration serves; None where that is the one with its own number.
    """

    config: RunConfig
    explorer: Explorer
    potential: Potential
    block: ResourceBlock
    iteration: int
    when_ended: Optional[WhenEnded] = None
    serving: Optional[Serving] = None

    @property
    def name(self) -> str:
        """``iter.0000/explore``."""
        return f"{layout.iteration_name(self.iteration)}/explore"

    @property
    def directory(self) -> Path:
        """``01.explore/md``."""
        return layout.md_dir(self.config.work_dir, self.iteration)

    @property
    def reads(self) -> Collection[str]:
        """Results of earlier stages in `inputs`."""
        return ("models", CONDITION)

    @property
    def systems(self) -> list[System]:
        """Every structure that is explored."""
        condition = None if self.serving is None else self.serving.condition
        return systems_of(self.config, self.iteration, condition)

    def inputs(self) -> Mapping[str, Any]:
        """Models, structures and conditions."""
        known = self.potential
        models = known.calculators if isinstance(known, Calculators) else ()
        own = {"types": "of the structure"} if self.potential.own_types else {}
        values = {
            **own,
            **({"calculator": dict(models[0])} if models else {}),
            **({"judges": [dict(model) for model in models[1:]]} if len(models) > 1 else {}),
            **({"rms": True} if known.rms else {}),
            "models": {
                name: files.tree_hash(path) for name, path in sorted(self.potential.links.items())
            },
            "pair_lines": list(self.potential.pair_lines),
            "lmps_tolerance": self.config.strategy.lmps_tolerance,
            "systems": {system.name: self._of_system(system) for system in self.systems},
            **({} if self.serving is None else self.serving.inputs),
        }
        absent = {"types": ANY, "rms": False, CONDITION: self.iteration, WOULD_SERVE: None}
        return Settings(values, absent)

    def _of_system(self, system: System) -> Settings:
        """A system in `inputs`; of atoms only where some are held."""
        still = held(explored_start(system.structure, self.config.dft))
        values = {
            "structure": files.tree_hash(system.structure.path),
            "format": system.structure.format,
            "md": {run.name: self.explorer.fingerprint(run.motion) for run in system.runs()},
            **({"held": still} if still else {}),
        }
        return Settings(values, {"held": None})

    def work(self, services: Services) -> StageOutput:
        """Run the trajectories; a tenth of them, or one, may come to nothing, but never all."""
        tasks: list[Task] = []
        owners: dict[Path, System] = {}
        for system in self.systems:
            for task in self._tasks(services, system):
                tasks.append(task)
                owners[task.directory] = system
        results = list(self._results(services, tasks, owners))
        check_quorum(results, MAX_FAILED_RATE, self.name, services.work_dir)
        names = {
            directory: f"{system.name} ({system.structure.path.name})"
            for directory, system in owners.items()
        }
        name_lost_groups(results, names, self.name, "nothing of it is explored in this iteration")
        if not self.config.strategy.lmps_tolerance:
            demand_all(results, f"{self.name} (strategy.lmps_tolerance is false)")
        return self._output(services.work_dir, results, owners)

    def _results(
        self, services: Services, tasks: Sequence[Task], owners: Mapping[Path, System]
    ) -> Iterator[TaskResult]:
        """Run the tasks; call `when_ended` as soon as the last trajectory of a system has ended."""
        places: dict[str, list[Path]] = {}
        for directory, system in owners.items():
            places.setdefault(system.name, []).append(directory)
        verdicts: dict[Path, Verdict] = {}
        for result in services.dispatch("md", self.directory, tasks, self.block):
            yield result
            directory = result.task.directory
            system, verdicts[directory] = owners[directory], result.verdict
            mine = places[system.name]
            if self.when_ended is not None and all(one in verdicts for one in mine):
                work_dir = services.work_dir
                ends = [self._end(work_dir, one, system, verdicts[one]) for one in mine]
                self.when_ended(services, system, ends)

    def _tasks(self, services: Services, system: System) -> Iterator[Task]:
        atoms = explored_start(system.structure, self.config.dft)
        for run in system.runs():
            directory = self.directory / system.name / run.name
            seed = services.seed(self.iteration, "md", system.md, system.number, *run.key)
            prepare(directory, partial(self._write, atoms, run.motion, seed))
            yield Task(
                directory,
                self.explorer.command(self.potential),
                started_once(partial(self._check, run.motion), self.explorer.heading, self.block),
                self.explorer.log,
                self.explorer.shell_check,
                self.explorer.reached,
            )

    def _write(self, atoms: Atoms, motion: Motion, seed: int, directory: Path) -> None:
        self.explorer.write_input(directory, atoms, self.potential, motion, seed)

    def _check(self, motion: Motion, directory: Path) -> Verdict:
        tolerance = self.config.strategy.lmps_tolerance
        return self.explorer.check(directory, tolerance, motion, self.potential)

    def _end(
        self,
        work_dir: Path,
        directory: Path,
        system: System,
        verdict: Verdict,
        whole: bool = False,
    ) -> TrajectoryRecord:
        """How one trajectory has ended; one that did not end normally says why.

        If `whole`, with the hash of its frames, so that later steps know them again.
        """
        normal = verdict.done and self.explorer.read_result(directory).ended_normally
        content = self.explorer.read_result(directory).content() if whole and verdict.done else ""
        return TrajectoryRecord(
            system.name,
            self._names[system.structure.path],
            relative(directory, work_dir),
            usable=verdict.done,
            normal=normal,
            why="" if normal else verdict.reason,
            at="" if normal else _condition(system, directory.name),
            frames=content,
        )

    @cached_property
    def _names(self) -> Mapping[Path, str]:
        """What the structures are called."""
        return explored_names(self.config)

    def _stays(self, directory: Path) -> list[Path]:
        """What tells this trajectory from another one, and is there when the dump is deleted."""
        if self.potential.deviates:
            return sorted(directory.glob(layout.MODEL_DEVI_FILES))
        return [directory / self.explorer.log]

    def _output(
        self, work_dir: Path, results: Sequence[TaskResult], owners: Mapping[Path, System]
    ) -> StageOutput:
        verdicts = {result.task.directory: result.verdict for result in results}
        products, transient, trajectories = [], [], []
        for directory, system in owners.items():  # in the order of their numbers
            verdict = verdicts[directory]
            if verdict.done:
                products += self._stays(directory)
            transient += self.explorer.transient_files(directory)
            trajectories.append(self._end(work_dir, directory, system, verdict, whole=True))
        tell_early_ends(self.name, trajectories)
        temps = {float(temp) for system in owners.values() for temp in system.job.temps}
        normal_ends = sum(entry.normal for entry in trajectories)
        condition = None if self.serving is None else self.serving.condition
        visited, paths = tuple(sorted(temps)), tuple(trajectories)
        report = ExploreReport(visited, len(paths), normal_ends, condition, paths)
        kept = self.config.reserve_md_traj
        return StageOutput(
            products,
            [] if kept else transient,
            report.to_json(),
            lasting=list(owners),
        )


def _condition(system: System, trajectory: str) -> str:
    """Condition of a trajectory: `` at 300 K, 0 bar, 0.001 ps a step``; "" by an own input."""
    motions = {run.name: run.motion for run in system.runs()}
    motion = motions[trajectory]
    if not isinstance(motion, Condition):
        return ""
    press = "" if motion.press_bar is None else f", {motion.press_bar:g} bar"
    return f" at {motion.temp_k:g} K{press}, {motion.dt_ps:g} ps a step"


def tell_early_ends(what: str, trajectories: Sequence[TrajectoryRecord]) -> None:
    """Warn of each trajectory that died and is used up to there."""
    early = [entry for entry in trajectories if entry.usable and not entry.normal]
    for entry in early[:SHOWN_ENDS]:
        text = "%s: %s (%s%s): %s; the frames until then count"
        why = entry.why or "the MD ended early"
        logger.warning(text, what, entry.directory, entry.structure, entry.at, why)
    if len(early) > SHOWN_ENDS:
        text = "%s: … and %d more trajectories ended early; error_traj.log will list them"
        logger.warning(text, what, len(early) - SHOWN_ENDS)


class ExploreStep:
    """Explores with the models of the iteration."""

    def asked(self, turn: Turn) -> bool:
        """Always."""
        del turn
        return True

    def stage(self, turn: Turn) -> ExploreStage:
        """The MD of all systems."""
        engines = turn.engines
        return ExploreStage(
            turn.config,
            engines.explorer,
            turn.potential(),
            engines.explore,
            turn.iteration,
            turn.when_ended,
            turn.serving,
        )

    def done(self, turn: Turn, report: Mapping[str, Any]) -> None:
        """The trajectories; frames that are made again later wait for nobody."""
        turn.explored = turn.judged = ExploreReport.from_json(report).paths
        turn.when_ended = None
