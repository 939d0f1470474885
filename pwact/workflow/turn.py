"""One turn of the loop: what its steps hand to each other, and what a step has to offer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Optional, Protocol, Union

from pwact import layout
from pwact.config.resources import ResourceBlock, Resources
from pwact.config.run import RunConfig
from pwact.engines import explorer_for, run_labeler_for, trainer_for
from pwact.engines.batch import BatchLabeler
from pwact.engines.evaluator import KpuEvaluator
from pwact.engines.explorers import Explorer
from pwact.engines.labelers import Labeler
from pwact.engines.potential import Potential
from pwact.engines.scripts.direct import DirectScript
from pwact.engines.trainers import TrainedModel, Trainer
from pwact.errors import InputError
from pwact.query.picks import FEATURES, RANDOM, Pick
from pwact.registry.picks import PICKS
from pwact.uncertainties import uncertainty
from pwact.uncertainties.base import Uncertainty
from pwact.workflow.conditions import Serving
from pwact.workflow.ledger import StageState
from pwact.workflow.reports import TrajectoryRecord
from pwact.workflow.stage import Services, Stage
from pwact.workflow.steps import Step, load
from pwact.workflow.tasks.prepare import needed

Entries = Sequence[TrajectoryRecord]
WhenEnded = Callable[[Services, Any, Entries], None]


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


@dataclass
class Turn:
    """The state of the loop.

    Attributes
    ----------
    stages
        What is known of all stages, by name.
    distinct
        Whether a structure counts once; see `pwact.workflow.stages.label.LabelStage`.
    evaluator
        Computes what the exploration does not leave of the uncertainty; None where it leaves all.
    pick
        How candidates are chosen where there are more than asked for.
    data_sets
        Labelled data sets, one an iteration that labelled something.
    committee
        The models of this iteration, before its training those of the one before.
    labelled_last
        Whether the iteration before labelled anything.
    explored
        One entry a trajectory, as the exploration reports them.
    judged
        The same; ``usable`` are those with an uncertainty.
    table
        Lists what is labelled, if it is not all that was selected.
    sigma
        Force error of the driving model on its training data, eV/Å; NaN without a target.
    when_ended
        What to do when all trajectories of a system have ended; None if it can wait.
    serving
        Which condition the iteration serves; None where that is the one with its own number.
    last
        Whether the run ends with this iteration, which only trains.
    """

    config: RunConfig
    engines: Engines
    stages: Callable[[], Mapping[str, StageState]]
    distinct: bool
    uncertainty: Uncertainty
    evaluator: Optional[KpuEvaluator] = None
    pick: Pick = RANDOM
    iteration: int = 0
    data_sets: list[Path] = field(default_factory=list)
    committee: list[TrainedModel] = field(default_factory=list)
    labelled_last: bool = True
    explored: Entries = ()
    judged: Entries = ()
    table: Optional[Path] = None
    sigma: float = float("nan")
    when_ended: Optional[WhenEnded] = None
    serving: Optional[Serving] = None
    last: bool = False

    def begin(self, iteration: int, serving: Optional[Serving] = None, last: bool = False) -> None:
        """Begin an iteration: what belongs to the one before is forgotten."""
        self.iteration, self.serving, self.sigma = iteration, serving, float("nan")
        self.last = last
        self.explored, self.judged, self.table, self.when_ended = (), (), None, None

    @property
    def condition(self) -> Optional[int]:
        """The condition that the iteration serves; None where it has the iteration's number."""
        return None if self.serving is None else self.serving.condition

    def potential(self) -> Potential:
        """The models as the explorer needs them; with a target they tell more of each frame."""
        models = self.engines.trainer.potential(self.committee)
        aims = self.config.strategy.target_force_error is not None
        return models.with_rms() if aims else models

    @property
    def candidates(self) -> Path:
        """The table of the frames that are labelled as far as steps have chosen."""
        return self.table or layout.candidate_table(self.config.work_dir, self.iteration)


def turn_of(
    config: RunConfig,
    engines: Engines,
    stages: Callable[[], Mapping[str, StageState]],
    distinct: bool,
) -> Turn:
    """The loop before its first iteration.

    Raises
    ------
    InputError
        The trainer does not know the uncertainty that is asked for.
    """
    judge, evaluator, pick = judging(config, engines.trainer)
    return Turn(config, engines, stages, distinct, judge, evaluator, pick)


def judging(
    config: RunConfig, trainer: Trainer
) -> tuple[Uncertainty, Optional[KpuEvaluator], Pick]:
    """By what frames are judged, what computes it, and the rule that chooses.

    Raises
    ------
    InputError
        The trainer does not know the uncertainty that is asked for, or the rule asks for features
        that nothing gives.
    """
    judge = uncertainty(config.strategy.uncertainty)
    evaluator = judge.evaluator(trainer)
    name = config.strategy.pick or _usual_pick(evaluator)
    pick: Pick = PICKS[name].load()()
    if FEATURES not in pick.reads:
        return judge, evaluator, pick
    evaluator = evaluator.with_features() if evaluator is not None else None
    if evaluator is None:
        raise InputError(
            f"found {name}; it chooses by features of the frames, which engine "
            f"{config.train.engine} with uncertainty {config.strategy.uncertainty} does not give",
            config.file,
            "strategy.pick",
        )
    return judge, evaluator, pick


def _usual_pick(evaluator: Optional[KpuEvaluator]) -> str:
    """The rule where the user leaves it to a campaign with a target: the best that there is."""
    features = evaluator is not None and evaluator.with_features() is not None
    wanted = ("variance", "diverse") if features else ("diverse",)
    return next((name for name in wanted if name in PICKS), "random")


class Work(Protocol):
    """What a step has to offer; it keeps nothing between two calls."""

    def asked(self, turn: Turn) -> bool:
        """Whether the input asks for this step."""

    def stage(self, turn: Turn) -> Stage:
        """The stage that does it in this iteration."""

    def done(self, turn: Turn, report: Mapping[str, Any]) -> None:
        """Hand on what later steps need, from the report of the finished stage."""


def work_of(step: Step) -> Work:
    """What does a step, imported on use."""
    work: Work = load(step.work)()
    return work
