"""Sorts the explored frames into accurate, candidate and failed, and picks what to label."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Optional, Union

import numpy as np

from pwact import layout
from pwact.fingerprint import Settings, extended
from pwact.query.candidates import FrameTable, Group, Selection, select_candidates
from pwact.query.picks import RANDOM, Frames, Pick
from pwact.query.spread import quantiles
from pwact.query.window import Limits, Scores, Window, classify
from pwact.report import selection as tables
from pwact.report.plots import histogram
from pwact.report.records import SpreadRecord, SystemRecord
from pwact.uncertainties import recorded_in
from pwact.workflow.explored import CandidateFrames, Explored, contents_of, looked_at
from pwact.workflow.reports import SelectReport
from pwact.workflow.stage import Services, StageOutput
from pwact.workflow.stages.aim import AimStage, aim_of
from pwact.workflow.stages.selection import SelectionStage
from pwact.workflow.systems import System, systems_of
from pwact.workflow.tasks.prepare import link_inside, relative

if TYPE_CHECKING:
    from pwact.workflow.turn import Turn

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SelectStage(SelectionStage):
    """The selection of one iteration.

    Attributes
    ----------
    pick
        The rule by which candidates are chosen where there are more than asked for.
    frames
        Where that rule gets structures and features.
    condition
        The element of ``md_jobs`` that was explored; None for the one with the iteration's number.
    """

    pick: Pick = RANDOM
    frames: Optional[Frames] = None
    condition: Optional[int] = None

    @property
    def reads(self) -> Collection[str]:
        """Results of earlier stages in `inputs`."""
        return ("deviations", *self.pick.reads)

    def inputs(self) -> Mapping[str, Any]:
        """Window, limits and the uncertainties; of the frames what the rule looks at.

        Structures and features count as they were when their step had ended: they may be deleted.
        """
        by = Settings({**self._by(), "pick": self.config.strategy.pick}, {"pick": "random"})
        work_dir, what = self.config.work_dir, self.pick.reads
        return extended(
            by,
            **looked_at(self.explored, self.uncertainty, work_dir, what),
            limits={system.name: system.limit for system in self._systems()},
        )

    def _limits(self) -> dict[str, float]:
        """The user's limits by their keys, the lower one first."""
        strategy = self.config.strategy
        return {key: getattr(strategy, key) for key in self.uncertainty.measure.keys}

    def _by(self) -> Mapping[str, Any]:
        """The limits, and of which uncertainty they are if their keys do not tell."""
        limits = self._limits()
        if type(recorded_in(limits)) is type(self.uncertainty):
            return limits
        return {"uncertainty": self.config.strategy.uncertainty, **limits}

    def work(self, services: Services) -> StageOutput:
        """Write the tables and the summary; the pictures can wait."""
        self.directory.mkdir(parents=True, exist_ok=True)
        groups, stories = [], []
        for system in self._systems():
            group, story = self._group(system)
            groups.append(group)
            if story and group.trajectories:
                stories.append(f"{system.name}: {story}")
                logger.info("%s: %s", self.name, stories[-1])
        selection = self._selection(services, groups)
        basis = tables.Basis(self.uncertainty.measure.words, stories, self.pick.words)
        tables.write_selection(self.directory, selection, self.ends, basis)
        for system, group in zip(self._systems(), groups):
            services.later(partial(self._picture, system, group))
        counts = tables.record(selection)
        report = SelectReport(
            **counts.to_json(),
            spread=self._spread(groups),
            candidates=relative(self.directory / tables.CANDIDATE, services.work_dir),
            entry=tables.iteration_entry(layout.iteration_name(self.iteration), counts, self.ends),
        )
        return StageOutput(self.written(), report=report.to_json())

    def picked(self, services: Services, system: System) -> FrameTable:
        """The candidates of one system that are labelled; they do not depend on other systems."""
        return self._selection(services, [self._group(system)[0]]).candidate

    def _selection(self, services: Services, groups: Sequence[Group]) -> Selection:
        def generator(md: int, system: int) -> np.random.Generator:
            return services.rng(self.iteration, "select", md, system)

        return select_candidates(groups, generator, self.pick)

    def _spread(self, groups: Sequence[Group]) -> SpreadRecord:
        """How the values are spread, of all frames and of each system."""
        systems, pooled, zeros = [], [], 0
        for system, group in zip(self._systems(), groups):
            scores = [one for _, one in group.trajectories]
            usable = np.concatenate([one.usable for one in scores] or [np.empty(0)])
            zeros += sum(int(np.count_nonzero(one.values == 0)) for one in scores)
            systems.append(_system_record(system.name, scores, group.window))
            scale = group.window.lower if self.uncertainty.measure.relative else 1.0
            if scale > 0:
                pooled.append(usable / scale)
        everything = np.concatenate(pooled or [np.empty(0)])
        return SpreadRecord(quantiles(everything), zeros, tuple(systems))

    def _systems(self) -> list[System]:
        return systems_of(self.config, self.iteration, self.condition)

    def _group(self, system: System) -> tuple[Group, str]:
        """The trajectories of a system, and where its window comes from."""
        trajectories, name = [], system.name
        for entry in self.explored:
            if entry.system == name and entry.usable:
                scores = self.uncertainty.scores(self.config.work_dir / entry.directory)
                trajectories.append((entry.directory, scores))
        limits = Limits(*self._limits().values())
        window, story = self.uncertainty.window(limits, [one for _, one in trajectories])
        md, number, limit = system.md, system.number, system.limit
        return Group(md, number, limit, trajectories, window, self.frames), story

    def _picture(self, system: System, group: Group) -> None:
        """Draw the histogram of one system; an extra that nothing depends on."""
        values = [scores.usable for _, scores in group.trajectories]
        parent = layout.md_dir(self.config.work_dir, self.iteration) / system.name
        picture = parent / layout.HISTOGRAM
        limits, measure = (group.window.lower, group.window.upper), self.uncertainty.measure
        if values and histogram(picture, np.concatenate(values), limits, measure):
            stem, postfix = picture.stem, picture.suffix
            link_inside(picture, self.directory / f"{stem}-{system.name}{postfix}")


def _system_record(name: str, scores: Sequence[Scores], window: Window) -> SystemRecord:
    usable = np.concatenate([one.usable for one in scores] or [np.empty(0)])
    classes = classify(usable, ~np.isfinite(usable), window.lower, window.upper)
    accurate, candidate, failed = np.bincount(classes, minlength=3).tolist()
    lost = int(np.count_nonzero(~np.isfinite(usable)))
    known = bool(window.lower < window.upper)
    lower = float(window.lower) if known else None
    return SystemRecord(
        name, len(usable), accurate, candidate, failed, lost, lower, quantiles(usable)
    )


class SelectStep:
    """Sorts the frames that were judged."""

    def asked(self, turn: Turn) -> bool:
        """Always."""
        del turn
        return True

    def stage(self, turn: Turn) -> Union[SelectStage, AimStage]:
        """The selection, by a window or by a target."""
        if turn.config.strategy.target_force_error is not None:
            return aim_of(turn)
        return self.by_window(turn)

    def by_window(self, turn: Turn) -> SelectStage:
        """The selection by the limits of the user."""
        work_dir, explorer = turn.config.work_dir, turn.engines.explorer
        frames = CandidateFrames(Explored(explorer, work_dir, contents_of(turn.explored)), work_dir)
        return SelectStage(
            turn.config,
            turn.uncertainty,
            turn.iteration,
            turn.judged,
            turn.pick,
            frames,
            turn.condition,
        )

    def done(self, turn: Turn, report: Mapping[str, Any]) -> None:
        """All candidates are labelled unless a later step chooses among them."""
        del report
        turn.table = None
