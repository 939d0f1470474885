"""Selects by a target for the force error: what is accepted, and what is labelled.

All systems are decided together, for one limit holds for all of them; see `pwact.query.driving`.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import numpy as np

from pwact import layout
from pwact.config.elements import NUMBERS
from pwact.formats.frames import read_frames
from pwact.query.driving import Decision, Round, at_floor, decide
from pwact.query.duplicates import Known as Labelled
from pwact.query.picks import RANDOM, Pick, Pool
from pwact.query.scales import measures
from pwact.report import selection as tables
from pwact.report.calibration import read_training, round_words, write_rows
from pwact.report.records import AcceptedRecord, RoundRecord
from pwact.workflow.conditions import rounds_of, served_until
from pwact.workflow.explored import Candidate, CandidateFrames, Explored, contents_of, looked_at
from pwact.workflow.known_pairs import (
    KnownPair,
    Scale,
    real_pairs,
    scale_of,
    write_limits,
    write_pairs,
)
from pwact.workflow.looks import Looks, Seen, labelled_rows, look_at, selection_of
from pwact.workflow.reports import SelectReport
from pwact.workflow.stage import Services, StageOutput
from pwact.workflow.stages.selection import SelectionStage
from pwact.workflow.systems import System, systems_of
from pwact.workflow.tasks.prepare import content, relative

if TYPE_CHECKING:
    from pwact.workflow.turn import Turn

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Known:
    """What earlier work says of the models.

    Attributes
    ----------
    sigma
        Force error of the driving model on its training data, eV/Å.
    pairs
        Labels of earlier iterations.
    rounds
        Earlier iterations of the same condition.
    training
        Table of the training frames (`pwact.report.calibration`).
    """

    sigma: float
    pairs: Sequence[KnownPair]
    rounds: Sequence[Round]
    training: Path


@dataclass(frozen=True)
class AimStage(SelectionStage):
    """The selection of one iteration of a campaign with a target.

    Attributes
    ----------
    frames
        The explored frames; each is read once.
    pick
        The rule by which frames above the limit are chosen.
    data
        All data sets: what is nearly one of their frames is not labelled.
    condition
        The element of ``md_jobs`` that was explored; None for the one with the iteration's number.
    """

    pick: Pick
    frames: Explored
    known: Known
    data: Sequence[Path]
    condition: Optional[int] = None

    @property
    def reads(self) -> Collection[str]:
        """Results of earlier stages in `inputs`."""
        mine = ("deviations", "frames", "sigma", "pairs", "rounds", "training", "data")
        return (*mine, *self.pick.reads)

    def inputs(self) -> Mapping[str, Any]:
        """Target, limits, uncertainties, frames, and what is known of the models.

        Frames and features count as they were when their step had ended: they may be deleted.
        """
        work_dir, known = self.config.work_dir, self.known
        what = {"frames", *self.pick.reads}
        return {
            **looked_at(self.explored, self.uncertainty, work_dir, what),
            "target": self._target,
            "judged_by": self.config.strategy.uncertainty,
            "pick": self.pick.words,
            "min_distance": self.config.dft.min_distance,
            "limits": {system.name: system.limit for system in self._systems()},
            "sigma": known.sigma if np.isfinite(known.sigma) else None,  # PWact knew none
            "pairs": [one.record.to_json() for one in known.pairs],
            "rounds": [repr(one) for one in known.rounds],
            "training": content([known.training] if known.training.exists() else []),
            "data": content(self.data),
        }

    @property
    def _target(self) -> float:
        target = self.config.strategy.target_force_error
        assert target is not None
        return target

    @property
    def _served(self) -> int:
        return self.iteration if self.condition is None else self.condition

    def _systems(self) -> list[System]:
        return systems_of(self.config, self.iteration, self.condition)

    def work(self, services: Services) -> StageOutput:
        """Decide on all frames, and write the tables."""
        self.directory.mkdir(parents=True, exist_ok=True)
        known = self.known
        training = read_training(known.training)
        names = self.uncertainty.scales
        scale = scale_of(known.pairs, training, known.sigma, self._served, names)
        seen = [self._seen(system) for system in self._systems()]
        pools = [self._pool(services, one, scale) for one in seen]
        physical = [one.looks.physical for one in seen]
        floor = self._floor()
        pick = RANDOM if floor else self.pick
        decision = decide(pools, physical, scale.pairs, self._target, pick, self._labelled())
        record = self._record(decision, physical, scale, floor)
        record = replace(record, at_limit=scale.error_at(decision.limit))
        self._tell(record)
        return self._output(services.work_dir, seen, pools, decision, record)

    def _seen(self, system: System) -> Seen:
        """All frames of a system, in the order of its trajectories."""
        names, steps, values, looks = [], [], [], []
        for entry in self.explored:
            if entry.system == system.name and entry.usable:
                directory = entry.directory
                scores = self.uncertainty.measured(self.config.work_dir / directory)
                names.append(np.full(len(scores.steps), directory, dtype=object))
                steps.append(scores.steps)
                values.append(np.where(np.isfinite(scores.values), scores.values, np.nan))
                looks.append(self._looks(directory, scores.steps))
        return Seen(
            system,
            np.concatenate(names or [np.empty(0, dtype=object)]),
            np.concatenate(steps or [np.empty(0, dtype=np.int64)]),
            np.concatenate(values or [np.empty(0)]),
            Looks(
                np.concatenate([one.force for one in looks] or [np.empty(0)]),
                np.concatenate([one.physical for one in looks] or [np.empty(0, dtype=bool)]),
                "",
            ),
        )

    def _labelled(self) -> Labelled:
        """All frames that have labels."""
        elements = [NUMBERS[symbol] for symbol in self.config.train.atom_type]
        data_format = self.config.data_format
        return Labelled(
            elements, (frame for path in self.data for frame in read_frames(path, data_format))
        )

    def _looks(self, directory: str, steps: np.ndarray) -> Looks:
        frames = (self.frames.frame(_frame(directory, step)) for step in steps.tolist())
        found = look_at(frames, self.config.dft.min_distance)
        if found.why:
            end = int(np.count_nonzero(found.physical))
            logger.warning(
                "%s: %s: %d of %d frames are looked at, for at step %d %s",
                *(self.name, directory, end, len(steps), steps[end], found.why),
            )
        return found

    def _pool(self, services: Services, seen: Seen, scale: Scale) -> Pool:
        system = seen.system
        found = measures(seen.uncertainty, seen.looks.force, self.known.sigma)
        values = found[scale.measure]
        rng = services.rng(self.iteration, "select", system.md, system.number)
        more = CandidateFrames(self.frames, self.config.work_dir)
        return Pool(values, seen.steps, seen.names, system.limit, rng, more)

    def _floor(self) -> str:
        now = Round(0, 0, self.known.sigma, float("nan"), ())
        return at_floor([*self.known.rounds, now], self._target)

    def _record(
        self,
        decision: Decision,
        physical: Sequence[np.ndarray],
        scale: Scale,
        floor: str,
    ) -> RoundRecord:
        frames, fresh = sum(map(_count, physical)), list(map(_count, decision.fresh))
        systems = tuple(
            AcceptedRecord(
                *(one.name, count, _count(accepted)), _count(~mask), empty=not mask.any()
            )
            for one, count, accepted, mask in zip(
                self._systems(), fresh, decision.accepted, physical
            )
        )
        controls, chosen = (sum(map(len, one)) for one in (decision.controls, decision.chosen))
        return RoundRecord(
            self._target,
            self._served,
            self.known.sigma,
            scale.measure,
            decision.pairs,
            scale.starting,
            decision.limit,
            sum(fresh),
            sum(map(_count, decision.accepted)),
            sum(map(len, physical)) - frames,
            None if decision.limit is None else decision.expected,
            controls,
            controls + chosen,
            decision.rule,
            floor,
            systems=systems,
            spread=decision.spread,
        )

    def _tell(self, record: RoundRecord) -> None:
        name = layout.iteration_name(self.iteration)
        logger.info("%s: %s", name, round_words(record))
        if record.floor:
            logger.warning(
                "%s: this model cannot reach the target: %s. Frames above the limit are drawn by "
                "lot. A larger cutoff, more basis functions or weights, or another "
                "engine may help; else raise strategy.target_force_error",
                name,
                record.floor,
            )

    def _output(
        self,
        work_dir: Path,
        seen: Sequence[Seen],
        pools: Sequence[Pool],
        decision: Decision,
        record: RoundRecord,
    ) -> StageOutput:
        selection = selection_of(seen, decision)
        basis = tables.Basis(self.uncertainty.measure.words, [round_words(record)], decision.rule)
        tables.write_selection(self.directory, selection, self.ends, basis)
        labelled = labelled_rows(seen, pools, decision, self.known.sigma)
        write_rows(self.directory / tables.CANDIDATE, tables.TARGET_COLUMNS, labelled)
        write_pairs(self.directory / layout.CALIBRATION, self.known.pairs, record.measure)
        write_limits(self.directory / layout.LIMITS, self.iteration, record, self.known.pairs)
        counts = tables.record(selection)
        name = layout.iteration_name(self.iteration)
        entry = tables.iteration_entry(name, counts, self.ends)
        report = SelectReport(
            **counts.to_json(),
            candidates=relative(self.directory / tables.CANDIDATE, work_dir),
            entry=f"{entry}{round_words(record)}\n",
            target=record,
        )
        return StageOutput(self.written(layout.LIMITS, layout.CALIBRATION), report=report.to_json())


def _count(mask: np.ndarray) -> int:
    return int(np.count_nonzero(mask))


def _frame(directory: str, step: int) -> Candidate:
    return Candidate(float("nan"), step, directory)


def aim_of(turn: Turn) -> AimStage:
    """The selection of an iteration, with what earlier ones and the judgement of the models say."""
    work_dir, explorer = turn.config.work_dir, turn.engines.explorer
    training = layout.appraise_dir(work_dir, turn.iteration) / layout.TRAINING_PAIRS
    stages, iteration = turn.stages(), turn.iteration
    condition = iteration if turn.condition is None else turn.condition
    rounds = rounds_of(served_until(stages, iteration), condition)
    known = Known(turn.sigma, real_pairs(stages, iteration), rounds, training)
    return AimStage(
        turn.config,
        turn.uncertainty,
        turn.iteration,
        turn.judged,
        turn.pick,
        Explored(explorer, work_dir, contents_of(turn.explored)),
        known,
        (*turn.config.init_data, *turn.data_sets),
        turn.condition,
    )
