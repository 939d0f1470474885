"""Which condition an iteration serves, and when a run ends: functions of what the journal says.

The elements of ``explore.md_jobs`` are conditions. Without a target each of them is one iteration.
With a target each is repeated until its stop rule holds (`pwact.query.driving.reached`) or it has
had `Plan.most` iterations; then comes the next one. All of this follows from the reports of
finished stages, so that a start after a kill, or one with more conditions, decides the same.

What an iteration serves is on record in the inputs of its exploration. Where that is not what
the reports say by now, the exploration has changed, and `pwact.workflow.fate` decides: it is done
again where an earlier step was, and refused where the user changed something else. It stays where
the user wants that (``--keep-finished``), or where labels came late that an earlier start had lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Optional, Union

import numpy as np

from pwact.config.run import RunConfig
from pwact.query.calibration import Pairs
from pwact.query.driving import Round, hindsight, reached
from pwact.report.records import ExploreRecord, PairRecord, RoundRecord
from pwact.report.target import REACHED, USED_UP
from pwact.workflow import ledger, steps
from pwact.workflow.ledger import StageState
from pwact.workflow.reports import ExploreReport, LabelReport, SelectReport
from pwact.workflow.retry import WOULD_SERVE, late_labels
from pwact.workflow.rows import report_of, stage_name

CONDITION = "condition"  # in the inputs of an exploration
END = "the end"  # … if that is no condition: the run would end before it
CONTROL = "control"  # kind of a frame that was drawn at random to prove the error


@dataclass(frozen=True)
class Plan:
    """What a run asks for.

    Attributes
    ----------
    conditions
        How many there are.
    target
        Force error that is needed, eV/Å; None without: each condition is one iteration.
    most
        Iterations that one condition may have.
    """

    conditions: int
    target: Optional[float] = None
    most: int = 1

    @property
    def longest(self) -> int:
        """The largest number of iterations, the last training not counted."""
        return self.conditions * self.most


def plan_of(config: RunConfig) -> Plan:
    """What the input asks for."""
    strategy, conditions = config.strategy, len(config.explore.md_jobs)
    if strategy.target_force_error is None:
        return Plan(conditions)
    return Plan(conditions, strategy.target_force_error, strategy.max_iterations)


@dataclass(frozen=True)
class Served:
    """A finished iteration with a target."""

    iteration: int
    condition: int
    round: Round


@dataclass(frozen=True)
class Serving:
    """What an iteration serves.

    Attributes
    ----------
    condition
        The element of ``md_jobs``.
    instead
        What the reports say by now, where it stays as it is: a number, or `END`.
    """

    condition: int
    instead: Union[int, str, None] = None

    @property
    def inputs(self) -> dict[str, Any]:
        """What belongs to the inputs of an exploration."""
        kept = {} if self.instead is None else {WOULD_SERVE: self.instead}
        return {CONDITION: self.condition, **kept}


def served_until(stages: Mapping[str, StageState], iteration: int) -> list[Served]:
    """The iterations before this one that are finished, in their order."""
    found = []
    for number in range(iteration):
        select = report_of(stages, number, SelectReport)
        label = report_of(stages, number, LabelReport)
        if select is None or label is None:
            break
        made = round_of(select, label, report_of(stages, number, ExploreReport))
        found.append(Served(number, on_record(stages, number), made))
    return found


def on_record(stages: Mapping[str, StageState], iteration: int) -> int:
    """The condition that a begun exploration serves; without a word of it that of its number."""
    state = stages.get(exploration(iteration))
    return int(state.inputs.get(CONDITION, iteration)) if state is not None else iteration


def begun_iterations(stages: Mapping[str, StageState]) -> int:
    """How many iterations of a run were begun, that of the last training counted."""
    numbers = [ledger.place_of(state.name)[0] for state in stages.values() if state.begun]
    return max((number + 1 for number in numbers if number is not None), default=0)


def exploration(iteration: int) -> str:
    """``iter.0000/explore``."""
    return stage_name(iteration, steps.source_of(steps.FRAMES).name)


def round_of(
    select: SelectReport, label: LabelReport, explore: Optional[ExploreRecord] = None
) -> Round:
    """What an iteration has shown, from the reports of its steps.

    One that knew no target (PWact's, say) accepted nothing and has no controls.
    """
    nan = float("nan")
    aim = select.target or RoundRecord(frames=select.frames, sigma=nan, target=nan)
    errors = [pair.error for pair in label.pairs]
    return Round(
        aim.frames,
        aim.accepted,
        aim.sigma,
        median(errors) if errors else nan,
        tuple(pair.error for pair in label.pairs if pair.kind == CONTROL),
        hindsight(aim.spread, _as_chosen(label.pairs), aim.target),
        aim.unphysical,
        explore.ended_normally / explore.trajectories if explore and explore.trajectories else 1.0,
        sum(one.empty for one in aim.systems),
    )


def _as_chosen(pairs: Sequence[PairRecord]) -> Pairs:
    """The pairs of a labelling, by the measure by which its frames were judged."""
    rows = [(pair.scaled, pair.error) for pair in pairs]
    uncertainty, error = np.array(rows, dtype=float).reshape(-1, 2).T
    return Pairs(uncertainty, error)


def rounds_of(served: Sequence[Served], condition: int) -> list[Round]:
    """The rounds of one condition, from the first one."""
    return [one.round for one in served if one.condition == condition]


def ending(plan: Plan, rounds: Sequence[Round]) -> str:
    """Why a condition has ended (`REACHED`, `USED_UP`); "" if it goes on."""
    if plan.target is not None and reached(rounds, plan.target):
        return REACHED
    return USED_UP if len(rounds) >= plan.most else ""


def next_condition(plan: Plan, served: Sequence[Served]) -> Optional[int]:
    """What the next iteration serves; None at the end of the run.

    Parameters
    ----------
    served
        All iterations so far. What they served counts as it is.
    """
    if not served:
        return 0 if plan.conditions else None
    present = served[-1].condition
    if ending(plan, rounds_of(served, present)):
        present += 1
    return present if present < plan.conditions else None


def settled(
    state: StageState, iteration: int, planned: Optional[int], kept: bool
) -> Optional[Serving]:
    """What an iteration serves, in view of what its exploration may have begun already.

    Parameters
    ----------
    state
        Of the exploration.
    planned
        As `next_condition` says.
    kept
        Whether it stays as it is, though the reports say something else by now.

    Returns
    -------
    Serving or None
        None: there is no such iteration in this run.
    """
    fresh = None if planned is None else Serving(planned)
    if not state.begun:
        return fresh
    recorded = int(state.inputs.get(CONDITION, iteration))
    if state.done and not state.version:
        return Serving(recorded)  # PWact went on to the next one, whatever it had reached
    accepted = state.inputs.get(WOULD_SERVE)
    word = END if planned is None else planned
    if recorded == planned or (accepted is not None and accepted == word):
        return Serving(recorded, accepted)
    return Serving(recorded, word) if kept else fresh


def stays(events: Sequence[Mapping[str, Any]], state: StageState, keep: bool) -> bool:
    """Whether an exploration stays that would serve something else by now.

    It does if the user says so (`keep`), or if nothing but labels came that were lost before; not
    if an earlier step was done again, which it follows.
    """
    if ledger.set_aside_before(events, state):
        return False
    return keep or bool(late_labels(events, state))
