"""The loop: train, explore, select, label, and a last training on everything.

Iteration k of n trains on the user's data and all labels of the iterations before it. Every step
is a stage of the campaign, so that a second start goes on where the first one stopped.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Callable, Optional, Protocol

from pwact import layout
from pwact.config.resources import Resources
from pwact.config.run import RunConfig
from pwact.engines.batch import BatchLabeler
from pwact.io.journal import Journal
from pwact.report.records import IterationRow
from pwact.report.status import Failure
from pwact.report.target import TargetFacts
from pwact.workflow import beyond, steps, views
from pwact.workflow.as_begun import run_as_begun
from pwact.workflow.budget import Budget, Spent, spent
from pwact.workflow.campaign import Campaign
from pwact.workflow.conditions import (
    Serving,
    begun_iterations,
    exploration,
    next_condition,
    plan_of,
    rounds_of,
    served_until,
    settled,
    stays,
)
from pwact.workflow.explored import candidates_of, read_candidates
from pwact.workflow.facts import tell_plan
from pwact.workflow.final_folder import published
from pwact.workflow.findings import all_findings, findings_at
from pwact.workflow.ledger import StageState, place_of, set_aside_before
from pwact.workflow.opening import CampaignOptions, counts_once
from pwact.workflow.outcome import outcome_of
from pwact.workflow.reports import EntryReport
from pwact.workflow.retry import in_hand
from pwact.workflow.rows import early_ends, row, stage_name, stored_report
from pwact.workflow.stage import Services, Stage
from pwact.workflow.stages.label import LabelStage, LabelStep
from pwact.workflow.stages.select import SelectStep
from pwact.workflow.steps import Step
from pwact.workflow.systems import System, systems_of
from pwact.workflow.turn import Engines, Entries, Work, engines_of, turn_of, work_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunResult:
    """What a finished run leaves.

    Attributes
    ----------
    rows
        One line of the final table an iteration; the last training is the last row.
    data_sets
        Labelled data sets, one an iteration that labelled something.
    models
        Directories of the last committee.
    lost
        Directories of the failed tasks that steps went on without, relative to the work directory.
    findings
        What the selections say beyond their numbers, a sentence each.
    early_ends
        Trajectories that died early.
    target
        How the conditions stand; None without a target.
    final
        The folder with the force field; None where the input wants none.
    """

    work_dir: Path
    rows: list[IterationRow]
    data_sets: list[Path]
    models: list[Path]
    lost: Sequence[str] = ()
    findings: list[str] = field(default_factory=list)
    early_ends: Sequence[Failure] = ()
    target: Optional[TargetFacts] = None
    final: Optional[Path] = None


def run_active_learning(config: RunConfig, resources: Resources, campaign: Campaign) -> RunResult:
    """Do every iteration that is not done yet."""
    config = run_as_begun(config, campaign.journal.events())
    tell_plan(campaign.journal, plan_of(config), config.budget)
    loop = Loop(config, engines_of(config, resources), campaign)
    loop.run()
    models = [model.directory for model in loop.turn.committee]
    mine = {name: one for name, one in campaign.stages().items() if place_of(name)[0] is not None}
    return RunResult(
        config.work_dir,
        loop.rows(),
        loop.turn.data_sets,
        models,
        in_hand(mine.values()),
        [finding.words for finding in all_findings(mine)],
        early_ends(config.work_dir, mine.values()),
        outcome_of(loop.plan, mine),
        published(loop.turn, campaign),
    )


class Runner(Protocol):
    """What the loop asks of a campaign; see `pwact.workflow.campaign.Campaign`."""

    work_dir: Path
    journal: Journal
    options: CampaignOptions

    def run(self, stage: Stage) -> Mapping[str, Any]:
        """Do a stage unless it is done already, and return its report."""

    def remakes(self, source: Stage, stage: Stage) -> bool:
        """Whether a finished stage is done again for files that another one needs by now."""

    def begin_early(self, stage: Stage, before: Stage) -> bool:
        """Begin a stage though the one before it is not done yet; whether that may be."""

    def stages(self) -> dict[str, StageState]:
        """All stages that were begun, by name."""

    def asked(self, name: str) -> bool:
        """Whether the user wants this stage done again, and it was not yet."""

    def set_aside(self, stage: Stage) -> None:
        """Put on record that a stage makes room."""

    def finish_set_aside(self, stage: Stage) -> None:
        """Move what a stage that made room has left, unless that was done."""

    def clean(self, names: Sequence[str]) -> None:
        """Delete what these finished stages have left for deletion."""

    def later(self, work: Callable[[], object]) -> None:
        """Do this when there is nothing to do but to wait."""


class Loop:
    """Walks the steps of every iteration; see `pwact.workflow.steps`."""

    def __init__(self, config: RunConfig, engines: Engines, campaign: Runner) -> None:
        self.config = config
        self.campaign = campaign
        self.plan = plan_of(config)
        distinct = counts_once(campaign.journal.events(), "run")
        self.turn = turn_of(config, engines, campaign.stages, distinct)
        self._budget = Budget(config.budget, config.file)
        self._ahead: Optional[LabelStage] = None  # that of this iteration, begun early
        self._told = {finding.words for finding in all_findings(campaign.stages())}

    def run(self) -> None:
        """Do every iteration that is not done yet, and train once more."""
        iteration = 0
        while (serving := self.serving(iteration)) is not None:
            self.announce(iteration, serving)
            self.iterate(iteration, serving)
            iteration += 1
        self.finish(iteration)

    def serving(self, iteration: int) -> Optional[Serving]:
        """What an iteration serves; None at the end of the run, where nothing may lie beyond."""
        if self.plan.target is None:
            return Serving(iteration) if iteration < self.plan.conditions else None
        stages, events = self.campaign.stages(), self.campaign.journal.events()
        planned = next_condition(self.plan, served_until(stages, iteration))
        name = exploration(iteration)
        state = stages.get(name, StageState(name))
        if self.campaign.asked(name):
            state = StageState(name)  # it is done again, whatever it was
        kept = stays(events, state, self.campaign.options.keep_finished)
        found = settled(state, iteration, planned, kept)
        if found is None:
            self.leave_out(iteration)
        return found

    def leave_out(self, last: int) -> None:
        """Move aside what lies beyond the last training: later decisions ended the run before."""
        follows = False
        for number, step in beyond.places(self.campaign.stages(), last):
            self.turn.begin(number)
            stage = work_of(step).stage(self.turn)
            follows |= beyond.leave_out(self.campaign, stage, last, follows)

    def announce(self, iteration: int, serving: Serving) -> None:
        """Tell the log which iteration comes."""
        name = layout.iteration_name(iteration)
        if self.plan.target is None:
            logger.info("%s of %d", name, self.plan.conditions)
            return
        served = served_until(self.campaign.stages(), iteration)
        number = 1 + len(rounds_of(served, serving.condition))
        text = "%s: md_jobs[%d], iteration %d of at most %d for it"
        logger.info(text, name, serving.condition, number, self.plan.most)

    def iterate(self, iteration: int, serving: Serving) -> None:
        """Train, explore, select and label once."""
        self.turn.begin(iteration, serving if self.plan.target else None)
        self._ahead = None
        self.turn.when_ended = self._label_ahead if self._streams else None
        for step in steps.STEPS:
            self._do(step)
        names = [stage_name(iteration, step) for step in steps.names()]
        self.campaign.later(partial(self.campaign.clean, names))

    def finish(self, iteration: int) -> None:
        """Train once more, on everything."""
        self.turn.begin(iteration, last=True)
        for step in steps.of_the_end():
            self._do(step)

    def _do(self, step: Step) -> None:
        """Do a step that is asked for, unless its iteration was complete without it."""
        turn, work = self.turn, work_of(step)
        stages = self.campaign.stages()
        report = stored_report(stages, turn.iteration, step.name)
        asked = work.asked(turn)
        if step.optional and self._complete(stages):
            if report is None:
                return
        elif not asked:
            return
        if asked:
            stage = self._stage(step, work)
            self._demand_budget(step, stage, stages.get(stage.name))
            report = self.campaign.run(stage)
        assert report is not None
        work.done(turn, report)
        self.show()
        self._tell_found(step, stages, report)
        self.tell(turn.iteration)

    def _demand_budget(self, step: Step, stage: Stage, state: Optional[StageState]) -> None:
        """Raise BudgetError where a step that was not begun yet may not begin."""
        if step.free or not self._budget.limits or (state is not None and state.begun):
            return
        wants = 0
        if isinstance(stage, LabelStage):
            wants = len(read_candidates(stage.candidates, self.config.work_dir))
        self._budget.demand(stage.name, self._spent(), wants)

    def _spent(self) -> Spent:
        """What the run has cost so far."""
        return spent(self.campaign.stages(), self.campaign.journal.events(), time.time())

    def _tell_found(
        self, step: Step, before: Mapping[str, StageState], report: Mapping[str, Any]
    ) -> None:
        """Say in the log what a step has found, unless it was done before."""
        name = stage_name(self.turn.iteration, step.name)
        new = before.get(name, StageState(name)) != self.campaign.stages()[name]
        for line in steps.load(step.line)(self.turn, report) if step.line and new else ():
            logger.info("%s %s", layout.iteration_name(self.turn.iteration), line)

    def _complete(self, stages: Mapping[str, StageState]) -> bool:
        """Whether the labels of the iteration are done, and stay so."""
        label = stages.get(stage_name(self.turn.iteration, steps.source_of(steps.LABELS).name))
        if label is None or not label.done:
            return False
        return not set_aside_before(self.campaign.journal.events(), label)

    def _stage(self, step: Step, work: Work) -> Stage:
        """The stage of a step; what it needs and was deleted is made again before."""
        stage = work.stage(self.turn)
        wanted = {steps.FRAMES, steps.FEATURES} & {*step.needs, *stage.reads}
        gone = []
        for source in steps.between(steps.STEPS[0], step) if wanted else ():
            maker = work_of(source)
            makes = bool(wanted & set(source.leaves)) and maker.asked(self.turn)
            if makes and self.campaign.remakes(maker.stage(self.turn), stage):
                gone.append(source)
        if not gone:
            return stage
        for earlier in steps.between(gone[0], step):
            self._do(earlier)
        return work.stage(self.turn)

    @property
    def _streams(self) -> bool:
        """Whether a system is labelled while others explore."""
        turn = self.turn
        whole = isinstance(turn.engines.labeler, BatchLabeler)
        whole |= any(not step.by_system and work_of(step).asked(turn) for step in steps.STEPS)
        alone = turn.uncertainty.streams and turn.pick.by_system
        return self.config.streaming and alone and not whole and self._affords_all

    @property
    def _affords_all(self) -> bool:
        """Whether the budget allows all labels that this iteration may ask for."""
        if not self._budget.limits:
            return True
        systems = systems_of(self.config, self.turn.iteration, self.turn.condition)
        return self._budget.covers(self._spent(), sum(one.limit for one in systems))

    def _label_ahead(self, services: Services, system: System, ends: Entries) -> None:
        """Begin to label a system whose trajectories have all ended well.

        One that failed may yet succeed: other frames are picked then.
        """
        if not all(end.usable for end in ends):
            return
        select = replace(SelectStep().by_window(self.turn), explored=ends)
        label = self._ahead = self._ahead or replace(LabelStep().stage(self.turn), ahead=True)
        candidates = candidates_of(select.picked(services, system))
        if candidates and self.campaign.begin_early(label, select):
            label.begin_ahead(services, candidates)

    def tell(self, iteration: int) -> None:
        """Say why nothing, or hardly anything, was selected, unless the log has it already."""
        for finding in findings_at(self.campaign.stages(), iteration):
            if finding.words not in self._told:
                self._told.add(finding.words)
                logger.log(logging.WARNING if finding.warns else logging.INFO, "%s", finding.words)

    def show(self) -> None:
        """Write the views from what the journal holds."""
        stages = self.campaign.stages()
        done = [
            (number, step, report)
            for number in self._iterations
            for step in steps.STEPS
            if (report := stored_report(stages, number, step.name)) is not None
        ]
        record = [(number, step.number) for number, step, _ in done if step.closes]
        views.write_record(self.config.work_dir / self.config.record_file, record)
        entries = [EntryReport.from_json(one).entry for _, step, one in done if step.entry]
        views.write_iter_result(self.config.work_dir, entries)

    def rows(self) -> list[IterationRow]:
        """The final table."""
        stages = self.campaign.stages()
        return [row(stages, iteration) for iteration in self._iterations]

    @property
    def _iterations(self) -> range:
        if self.plan.target is None:
            return range(self.plan.conditions + 1)
        return range(begun_iterations(self.campaign.stages()))
