"""The loop: train, explore, select, label, and a last training on everything.

Iteration k of n trains on the user's data and all labels of the iterations before it. Every step
is a stage of the campaign, so that a second start goes on where the first one stopped.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Callable, Optional, Protocol, Union

from pwact import layout
from pwact.config.resources import ResourceBlock, Resources
from pwact.config.run import RunConfig
from pwact.engines import explorer_for, run_labeler_for, trainer_for
from pwact.engines.base import Explorer, Labeler, TrainedModel, Trainer
from pwact.engines.batch import BatchLabeler
from pwact.engines.scripts.direct import DirectScript
from pwact.io.journal import Journal
from pwact.report import selection as tables
from pwact.report.records import IterationRow
from pwact.report.status import Failure
from pwact.workflow import views
from pwact.workflow.as_begun import run_as_begun
from pwact.workflow.campaign import Campaign
from pwact.workflow.explored import candidates_of, contents_of
from pwact.workflow.facts import tell_plan
from pwact.workflow.findings import all_findings, findings_at
from pwact.workflow.ledger import STEPS, StageState, place_of, set_aside_before
from pwact.workflow.opening import counts_once
from pwact.workflow.retry import in_hand
from pwact.workflow.rows import early_ends, report_of, row, stage_name
from pwact.workflow.stage import Services, Stage
from pwact.workflow.stages.choose import ChooseStage
from pwact.workflow.stages.explore import ExploreStage, System
from pwact.workflow.stages.kpu import KpuStage
from pwact.workflow.stages.label import LabelStage
from pwact.workflow.stages.select import SelectStage
from pwact.workflow.stages.train import ReuseStage, TrainStage
from pwact.workflow.tasks.prepare import needed
from pwact.workflow.uncertainty import uncertainty_of

log = logging.getLogger(__name__)


_Run = Callable[[Stage], Mapping[str, Any]]


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
    """

    work_dir: Path
    rows: list[IterationRow]
    data_sets: list[Path]
    models: list[Path]
    lost: Sequence[str] = ()
    findings: list[str] = field(default_factory=list)
    early_ends: Sequence[Failure] = ()


@dataclass(frozen=True)
class Engines:
    """Engines and resources of one run.

    Attributes
    ----------
    direct
        The script that chooses among the candidates; None without it.
    """

    trainer: Trainer
    explorer: Explorer
    labeler: Union[Labeler, BatchLabeler]
    train: ResourceBlock
    explore: ResourceBlock
    dft: ResourceBlock
    direct: Optional[DirectScript] = None


def engines_of(config: RunConfig, resources: Resources) -> Engines:
    """The engines that the input names.

    Raises
    ------
    InputError
        When an engine is not available or a block of the resource file is missing.
    """
    train = needed(resources.train, resources, "train")
    explore = needed(resources.explore, resources, "explore")
    dft = needed(resources.dft, resources, "DFT")
    direct = None
    if config.strategy.direct and config.strategy.direct_script is not None:
        block = needed(resources.direct, resources, layout.DIRECT)
        direct = DirectScript(config.strategy.direct_script, block, labels_needed=False)
    return Engines(
        trainer_for(config, train, explore),
        explorer_for(config, explore),
        run_labeler_for(config.dft, dft),
        train,
        explore,
        dft,
        direct,
    )


def run_active_learning(config: RunConfig, resources: Resources, campaign: Campaign) -> RunResult:
    """Do every iteration that is not done yet."""
    last = len(config.explore.md_jobs)
    config = run_as_begun(config, campaign.journal.events())
    tell_plan(campaign.journal, last)
    loop = Loop(config, engines_of(config, resources), campaign)
    for iteration in range(last):
        log.info("%s of %d", layout.iteration_name(iteration), last)
        loop.iterate(iteration)
    loop.train(last)
    models = [model.directory for model in loop.committee]
    mine = {name: one for name, one in campaign.stages().items() if place_of(name)[0] is not None}
    return RunResult(
        config.work_dir,
        loop.rows(),
        loop.data_sets,
        models,
        in_hand(mine.values()),
        [finding.words for finding in all_findings(mine)],
        early_ends(config.work_dir, mine.values()),
    )


class Runner(Protocol):
    """What the loop asks of a campaign; see `pwact.workflow.campaign.Campaign`."""

    journal: Journal

    def run(self, stage: Stage) -> Mapping[str, Any]:
        """Do a stage unless it is done already, and return its report."""

    def remakes(self, source: Stage, stage: Stage) -> bool:
        """Whether a finished stage is done again for files that another one needs by now."""

    def begin_early(self, stage: Stage, before: Stage) -> bool:
        """Begin a stage though the one before it is not done yet; whether that may be."""

    def stages(self) -> dict[str, StageState]:
        """All stages that were begun, by name."""

    def clean(self, names: Sequence[str]) -> None:
        """Delete what these finished stages have left for deletion."""

    def later(self, work: Callable[[], object]) -> None:
        """Do this when there is nothing to do but to wait."""


class Loop:
    """The state that one iteration hands to the next."""

    def __init__(self, config: RunConfig, engines: Engines, campaign: Runner) -> None:
        self.config = config
        self.engines = engines
        self.campaign = campaign
        self.data_sets: list[Path] = []
        self.committee: list[TrainedModel] = []
        self.uncertainty = uncertainty_of(config, engines.trainer, engines.explorer, engines.train)
        self._labelled_last = True
        self._told = {finding.words for finding in all_findings(campaign.stages())}

    def iterate(self, iteration: int) -> None:
        """Train, explore, select and label once."""
        config, engines, run = self.config, self.engines, self.campaign.run
        self.train(iteration)
        potential = engines.trainer.potential(self.committee)
        explore = ExploreStage(config, engines.explorer, potential, engines.explore, iteration)
        label = LabelStage(
            config,
            engines.labeler,
            engines.explorer,
            engines.dft,
            iteration,
            known=(*config.init_data, *self.data_sets),
            distinct=counts_once(self.campaign.journal.events(), "run"),
        )
        if self._streams:
            explore = replace(
                explore, when_ended=partial(self._label_ahead, replace(label, ahead=True))
            )
        self._judge(iteration, run(explore), partial(self._with_frames, explore))
        self.tell(iteration)
        if self.chooses(iteration):
            label = replace(label, table=self._chosen(iteration, explore))
            self.show()
        labelled = self._with_frames(explore, label)
        self._labelled_last = bool(labelled["data"])
        if labelled["data"]:
            self.data_sets.append(config.work_dir / labelled["data"])
        self.show()
        self.tell(iteration)
        names = [stage_name(iteration, step) for step in STEPS]
        self.campaign.later(partial(self.campaign.clean, names))

    def _judge(self, iteration: int, explored: Mapping[str, Any], run: _Run) -> None:
        """Sort the explored frames."""
        paths = self.uncertainty.evaluate(run, self.committee, iteration, explored["paths"])
        self.campaign.run(SelectStage(self.config, self.uncertainty, iteration, paths))
        self.show()

    def _with_frames(self, explore: ExploreStage, stage: Stage) -> Mapping[str, Any]:
        """Do a stage that reads explored frames; make these again if they are needed and gone."""
        alone = replace(explore, when_ended=None)
        if self.campaign.remakes(alone, stage):
            explored = self.campaign.run(alone)
            if not isinstance(stage, KpuStage):
                self._judge(explore.iteration, explored, self.campaign.run)
        if isinstance(stage, (LabelStage, ChooseStage)):
            report = report_of(self.campaign.stages(), explore.iteration, "explore") or {}
            stage = replace(stage, contents=contents_of(report.get("paths", ())))
        return self.campaign.run(stage)

    @property
    def _streams(self) -> bool:
        """Whether a system is labelled while others explore; scripts look at all candidates."""
        scripts = self.engines.direct or isinstance(self.engines.labeler, BatchLabeler)
        return self.config.streaming and self.uncertainty.streams and not scripts

    def chooses(self, iteration: int) -> bool:
        """Whether DIRECT chooses; of an iteration that was labelled already, whether it chose."""
        stages = self.campaign.stages()
        label = stages.get(stage_name(iteration, "label"))
        if label and label.done and not set_aside_before(self.campaign.journal.events(), label):
            return report_of(stages, iteration, layout.DIRECT) is not None
        return self.engines.direct is not None

    def _chosen(self, iteration: int, explore: ExploreStage) -> Path:
        """Let DIRECT choose, if it is still asked for; the table of what it chose."""
        config, engines = self.config, self.engines
        if engines.direct is not None:
            script, block = engines.direct, engines.direct.block
            stage = ChooseStage(config, script, engines.explorer, block, iteration)
            self._with_frames(explore, stage)
        return layout.direct_dir(config.work_dir, iteration) / tables.CHOSEN

    def _label_ahead(
        self,
        label: LabelStage,
        services: Services,
        system: System,
        ends: Sequence[Mapping[str, Any]],
    ) -> None:
        """Begin to label a system whose trajectories have all ended well.

        One that failed may yet succeed: other frames are picked then.
        """
        if not all(end["usable"] for end in ends):
            return
        select = SelectStage(self.config, self.uncertainty, label.iteration, ends)
        candidates = candidates_of(select.picked(services, system))
        if candidates and self.campaign.begin_early(label, select):
            label.begin_ahead(services, candidates)

    def train(self, iteration: int) -> None:
        """Train the committee of `iteration`, or keep that of the iteration before."""
        config, engines = self.config, self.engines
        previous = tuple(self.committee)
        if self._labelled_last or not previous:
            stage: Union[TrainStage, ReuseStage] = TrainStage(
                config, engines.trainer, engines.train, iteration, tuple(self.data_sets), previous
            )
        else:
            found = findings_at(self.campaign.stages(), iteration - 1)
            because = found[0].kind.value if found else ""
            stage = ReuseStage(config, engines.trainer, iteration, previous, because)
        self.campaign.run(stage)
        self.show()
        members = range(config.strategy.model_num)
        places = [layout.member_dir(config.work_dir, iteration, member) for member in members]
        self.committee = [engines.trainer.read_result(place) for place in places]

    def tell(self, iteration: int) -> None:
        """Say why nothing, or hardly anything, was selected, unless the log has it already."""
        for finding in findings_at(self.campaign.stages(), iteration):
            if finding.words not in self._told:
                self._told.add(finding.words)
                log.log(logging.WARNING if finding.warns else logging.INFO, "%s", finding.words)

    def show(self) -> None:
        """Write the views from what the journal holds."""
        stages = self.campaign.stages()
        steps, entries = [], []
        for number in self._iterations:
            done = {step: report_of(stages, number, step) for step in STEPS}
            for mark, step in enumerate(("train", "select", "label")):
                if done[step] is not None:
                    steps.append((number, mark))
            reports = (done["select"], done[layout.DIRECT], done["label"])
            entries += [report["entry"] for report in reports if report is not None]
        views.write_record(self.config.work_dir / self.config.record_file, steps)
        views.write_iter_result(self.config.work_dir, entries)

    def rows(self) -> list[IterationRow]:
        """The final table."""
        stages = self.campaign.stages()
        return [row(stages, iteration) for iteration in self._iterations]

    @property
    def _iterations(self) -> range:
        return range(len(self.config.explore.md_jobs) + 1)
