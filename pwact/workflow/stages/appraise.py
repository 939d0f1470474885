"""Judges the models of an iteration on frames that they were trained on.

The force error of the driving model there, σ, is what turns its uncertainty into a force error; see
`pwact.query.calibration`. It is computed in the same way for all engines: the explorer evaluates
the models on the frames as if they were those of an MD.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import numpy as np

from pwact import layout
from pwact.config.resources import ResourceBlock
from pwact.config.run import RunConfig
from pwact.engines.evaluator import KpuEvaluator
from pwact.engines.explorers import Explorer, Given
from pwact.engines.potential import Potential
from pwact.engines.trainers import TrainedModel
from pwact.errors import QuorumError, TaskError
from pwact.executors.base import Task
from pwact.formats.frames import read_frames
from pwact.formats.labels import labels_of
from pwact.io import files
from pwact.report.calibration import TrainingRow, write_training
from pwact.report.label_error import force_errors
from pwact.uncertainties.base import Uncertainty
from pwact.workflow.known_pairs import real_pairs, too_few
from pwact.workflow.quorum import check_quorum
from pwact.workflow.reports import AppraiseReport
from pwact.workflow.stage import Services, StageOutput
from pwact.workflow.stages.explore import MAX_FAILED_RATE
from pwact.workflow.stages.train import model_content
from pwact.workflow.tasks.given import can_be_explored, evaluations, turned
from pwact.workflow.tasks.prepare import content, prepare

if TYPE_CHECKING:
    from ase import Atoms

    from pwact.workflow.turn import Turn

logger = logging.getLogger(__name__)

MOST_FRAMES = 200  # of the training data that are looked at, drawn by lot


@dataclass(frozen=True)
class AppraiseStage:
    """One task for all frames of the same atoms.

    Attributes
    ----------
    potential
        The models as the explorer needs them; the first one drives.
    evaluator
        Computes the uncertainty where the exploration does not leave it.
    data
        All data sets of the training.
    pairs
        Whether the uncertainty of these frames is needed: as long as there are too few labels.
    """

    config: RunConfig
    explorer: Explorer
    potential: Potential
    uncertainty: Uncertainty
    evaluator: Optional[KpuEvaluator]
    model: TrainedModel
    blocks: tuple[ResourceBlock, ResourceBlock]
    iteration: int
    data: Sequence[Path]
    pairs: bool

    @property
    def name(self) -> str:
        """``iter.0000/appraise``."""
        return f"{layout.iteration_name(self.iteration)}/appraise"

    @property
    def directory(self) -> Path:
        """``01.explore/appraise``."""
        return layout.appraise_dir(self.config.work_dir, self.iteration)

    @property
    def reads(self) -> Collection[str]:
        """Results of earlier stages in `inputs`."""
        return ("models", "model", "data", "pairs")

    def inputs(self) -> Mapping[str, Any]:
        """Models and frames."""
        links = sorted(self.potential.links.items())
        return {
            "models": {name: files.tree_hash(path) for name, path in links},
            "model": model_content(self.model),
            "data": content(self.data),
            "pairs": self.pairs,
            "frames": MOST_FRAMES,
        }

    def work(self, services: Services) -> StageOutput:
        """Evaluate the frames; a tenth of the tasks, or one, may come to nothing, but never all."""
        made = list(
            evaluations(
                self._frames(services),
                self.directory / "md",
                (self.explorer, self.potential),
                self.blocks[0],
            )
        )
        every = {task.directory: given for task, given in made}
        done = self._run(services, "md", [task for task, _ in made])
        sets = {place: given for place, given in every.items() if place in done}
        if self.pairs and self.evaluator is not None:
            sets = self._evaluated(services, self.evaluator, sets)
        rows = [row for place, given in sets.items() for row in self._rows(place, given)]
        if not rows:
            raise QuorumError(
                f"{self.name}: the model could not be evaluated on any frame of its training data, "
                f"so nothing is known of its error (tasks: {self.directory})"
            )
        table = self.directory / layout.TRAINING_PAIRS
        write_training(table, rows)
        sigma = training_error(rows)
        logger.info("%s: force error on %d training frames: %.4g eV/Å", self.name, len(rows), sigma)
        waste = [self.directory / name for name in ("md", "kpu")]
        kept = self.config.reserve_work
        report = AppraiseReport(sigma, len(rows))
        return StageOutput([table], [] if kept else waste, report.to_json())

    def _frames(self, services: Services) -> list[Atoms]:
        """At most `MOST_FRAMES` frames of the training data, ready for an explorer."""
        every = [
            frame for path in self.data for frame in read_frames(path, self.config.data_format)
        ]
        good = [frame for frame in every if can_be_explored(frame)]
        if len(good) < len(every):
            logger.info(
                "%s: %d of %d training frames are open, have no room or forces, or atoms in one "
                "place; the model is not judged on them",
                self.name,
                len(every) - len(good),
                len(every),
            )
        rng = services.rng(self.iteration, "appraise")
        drawn = np.sort(rng.permutation(len(good))[:MOST_FRAMES])
        return [turned(good[place]) for place in drawn]

    def _evaluated(
        self, services: Services, evaluator: KpuEvaluator, sets: Mapping[Path, Given]
    ) -> dict[Path, Given]:
        """Those of which the uncertainty was computed."""
        command, check = evaluator.command(), evaluator.check
        tasks = []
        for place in sets:
            directory = layout.evaluated(place)
            write = partial(evaluator.write_input, model=self.model, trajectory=place)
            prepare(directory, write)
            tasks.append(Task(directory, command, check, evaluator.log, evaluator.shell_check))
        done = self._run(services, "kpu", tasks)
        return {place: one for place, one in sets.items() if layout.evaluated(place) in done}

    def _run(self, services: Services, kind: str, tasks: Sequence[Task]) -> set[Path]:
        """Directories of the tasks that succeeded. Raises QuorumError where too few did."""
        block = self.blocks[0] if kind == "md" else self.blocks[1]
        results = list(services.dispatch(kind, self.directory / kind, tasks, block))
        good = check_quorum(results, MAX_FAILED_RATE, self.name, services.work_dir)
        return {result.task.directory for result in good}

    def _rows(self, place: Path, given: Given) -> Iterator[TrainingRow]:
        """Uncertainty and error of each frame that was evaluated."""
        trajectory = self.explorer.read_result(place)
        known: dict[int, float] = {}
        if self.pairs:
            scores = self.uncertainty.measured(place)
            known = dict(zip(scores.steps.tolist(), scores.usable.tolist()))
        for step, frame in enumerate(given.frames):
            try:
                forces = trajectory.frame(step).arrays["forces"]
            except TaskError:
                continue  # the program gave up before
            true = labels_of(frame).forces
            yield TrainingRow(
                f"{place.parent.name}/{step}",
                len(true),
                known.get(step, float("nan")),
                float(np.sqrt(np.mean(forces**2))),
                force_errors(forces, true)[0],
            )


def training_error(rows: Sequence[TrainingRow]) -> float:
    """RMSE over all force components of all frames, eV/Å."""
    atoms = np.array([row.atoms for row in rows], dtype=float)
    squares = np.array([row.error for row in rows]) ** 2
    return float(np.sqrt(np.average(squares, weights=atoms)))


class AppraiseStep:
    """Judges the models on what they were trained on, where the campaign has a target."""

    def asked(self, turn: Turn) -> bool:
        """Whether there is a target."""
        return turn.config.strategy.target_force_error is not None

    def stage(self, turn: Turn) -> AppraiseStage:
        """The evaluation."""
        engines = turn.engines
        known = real_pairs(turn.stages(), turn.iteration)
        return AppraiseStage(
            turn.config,
            engines.explorer,
            turn.potential(),
            turn.uncertainty,
            turn.evaluator,
            turn.committee[0],
            (engines.explore, engines.train),
            turn.iteration,
            (*turn.config.init_data, *turn.data_sets),
            too_few(known, turn.uncertainty.scales),
        )

    def done(self, turn: Turn, report: Mapping[str, Any]) -> None:
        """The error."""
        turn.sigma = AppraiseReport.from_json(report).sigma
