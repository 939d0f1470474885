"""How a campaign with a target stands, from what the journal says of its stages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Optional

import numpy as np

from pwact.query.calibration import lower_bound
from pwact.query.driving import IN_A_ROW, LATEST_CONTROLS, good_rounds
from pwact.report.hindrances import hindrance
from pwact.report.records import AcceptedRecord, RoundRecord
from pwact.report.target import (
    LEFT,
    REACHED,
    RUNNING,
    WAITING,
    ConditionFacts,
    ProofFacts,
    TargetFacts,
)
from pwact.workflow.conditions import (
    CONTROL,
    Plan,
    Served,
    begun_iterations,
    ending,
    next_condition,
    rounds_of,
    served_until,
)
from pwact.workflow.ledger import StageState
from pwact.workflow.reports import ExploreReport, LabelReport, SelectReport
from pwact.workflow.rows import report_of

Stages = Mapping[str, StageState]


def outcome_of(plan: Plan, stages: Stages) -> Optional[TargetFacts]:
    """How each condition stands; None without a target."""
    if plan.target is None:
        return None
    served = served_until(stages, begun_iterations(stages))
    facts = tuple(
        _facts(plan, stages, served, number, plan.target) for number in range(plan.conditions)
    )
    over = next_condition(plan, served) is None
    reached = all(one.state == REACHED for one in facts)
    return TargetFacts(plan.target, reached if over else None, plan.most, facts)


def _facts(
    plan: Plan, stages: Stages, served: Sequence[Served], number: int, target: float
) -> ConditionFacts:
    mine = [one for one in served if one.condition == number]
    if not mine:
        waits = number > max((one.condition for one in served), default=-1)
        return ConditionFacts(number, state=WAITING if waits else LEFT)
    state = ending(plan, rounds_of(served, number))
    if not state:
        state = RUNNING if mine[-1] is served[-1] else LEFT
    iterations = [one.iteration for one in mine]
    last = report_of(stages, iterations[-1], SelectReport) or SelectReport()
    aim = last.target or RoundRecord()
    controls = _controls(stages, mine)
    known = {one.name: one for one in aim.systems}
    systems = [
        _proof(known.get(name, AcceptedRecord(name)), controls.get(name, []), target)
        for name in sorted({*known, *controls})
    ]
    together = [error for errors in controls.values() for error in errors]
    after = mine[-1].round.after
    counts = AcceptedRecord("", aim.frames, aim.accepted, aim.unphysical)
    whole = replace(
        _proof(counts, together, target),
        after=after if np.isfinite(after) else None,
        unlabelled=_unlabelled(stages, mine, len(together)),
    )
    explore = report_of(stages, iterations[-1], ExploreReport) or ExploreReport()
    return ConditionFacts(
        *(number, tuple(iterations), state, aim.floor, whole, tuple(systems)),
        hindrance(last, aim, explore) if last.target is not None else "",
    )


def _controls(stages: Stages, served: Sequence[Served]) -> dict[str, list[float]]:
    """Errors of the latest controls of a condition, by system."""
    found: dict[str, list[float]] = {}
    for one in _looked_at(served):
        report = report_of(stages, one.iteration, LabelReport) or LabelReport()
        for pair in report.pairs:
            if pair.kind == CONTROL:
                system = PurePosixPath(pair.trajectory).parts[-2]
                found.setdefault(system, []).append(pair.error)
    return found


def _looked_at(served: Sequence[Served]) -> Iterator[Served]:
    """Whole iterations from the last one back: as many as the stop rule looks at, or two."""
    count, most = 0, max(good_rounds([one.round for one in served]), IN_A_ROW)
    for number, one in enumerate(reversed(served)):
        if number >= most or (number >= IN_A_ROW and count >= LATEST_CONTROLS):
            break
        yield one
        count += len(one.round.controls)


def _unlabelled(stages: Stages, served: Sequence[Served], labelled: int) -> int:
    """How many of the controls that `_controls` looks at were drawn and have no label."""
    drawn = 0
    for one in _looked_at(served):
        report = report_of(stages, one.iteration, SelectReport) or SelectReport()
        drawn += report.target.controls if report.target is not None else 0
    return max(drawn - labelled, 0)


def _proof(counts: AcceptedRecord, errors: Sequence[float], target: float) -> ProofFacts:
    wrong = sum(not error < target for error in errors)
    return ProofFacts(
        counts.name,
        counts.frames,
        counts.accepted,
        len(errors),
        wrong,
        round(lower_bound(len(errors), wrong), 4),
        float(np.sqrt(np.mean(np.square(errors)))) if errors else None,
        max(errors) if errors else None,
        unphysical=counts.unphysical,
    )
