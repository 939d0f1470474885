"""What the journal says about selections that found nothing, for log, status and summary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from pwact import layout
from pwact.query.spread import window_to_try
from pwact.report.causes import HOPELESS, Case, Limits
from pwact.report.findings import Finding, findings
from pwact.report.records import (
    SPREAD,
    ExploreRecord,
    LabelRecord,
    SelectRecord,
    SpreadRecord,
    TrainRecord,
)
from pwact.uncertainties import recorded_in
from pwact.workflow.ledger import StageState
from pwact.workflow.rows import report_of, stage_name


def findings_at(stages: Mapping[str, StageState], iteration: int) -> list[Finding]:
    """What there is to say about one iteration; nothing before its selection."""
    case = _case(stages, iteration)
    return [] if case is None else findings(case)


def all_findings(stages: Mapping[str, StageState]) -> list[Finding]:
    """What there is to say about all iterations, in their order."""
    numbers = sorted(
        int(name.partition("/")[0].partition(".")[2])
        for name in stages
        if name.startswith("iter.") and name.endswith("/select")
    )
    return [finding for number in numbers for finding in findings_at(stages, number)]


def _case(stages: Mapping[str, StageState], iteration: int) -> Optional[Case]:
    select = report_of(stages, iteration, "select")
    limits = limits_of(stages, iteration)
    if select is None or limits is None:
        return None
    train = report_of(stages, iteration, "train")
    explore = report_of(stages, iteration, "explore")
    chosen = _later(stages, iteration, layout.DIRECT)
    label = _later(stages, iteration, "label")
    counts = SelectRecord.from_json(select)
    spread = SpreadRecord.from_json(select.get(SPREAD, {}))
    return Case(
        layout.iteration_name(iteration),
        limits,
        counts,
        spread,
        None if explore is None else ExploreRecord.from_json(explore),
        TrainRecord.from_json(train or {}).valid_rmse_f,
        _last_label_error(stages, iteration),
        None if chosen is None else int(chosen["chosen"]),
        None if label is None else LabelRecord.from_json(label),
        _window(limits, counts, spread),
    )


def _later(
    stages: Mapping[str, StageState], iteration: int, step: str
) -> Optional[Mapping[str, Any]]:
    """Report of a step that followed the present selection; one that is older will be redone."""
    state, select = (stages.get(stage_name(iteration, word)) for word in (step, "select"))
    if state is None or select is None or state.position < select.position:
        return None
    return report_of(stages, iteration, step)


def limits_of(stages: Mapping[str, StageState], iteration: int) -> Optional[Limits]:
    """The limits with which an iteration selects."""
    state = stages.get(stage_name(iteration, "select"))
    given: Mapping[str, Any] = state.inputs if state else {}
    judge = recorded_in(given)
    if judge is None:
        return None
    lower, upper = (float(given[name]) for name in judge.measure.keys)
    return Limits(lower, upper, judge.measure)


def _last_label_error(stages: Mapping[str, StageState], iteration: int) -> Optional[float]:
    """Error of the exploring model on the labels that were made last, in this iteration at most."""
    for number in range(iteration, -1, -1):
        report = _later(stages, number, "label")
        error = None if report is None else LabelRecord.from_json(report).rmse_f
        if error is not None:
            return error
    return None


def _window(
    limits: Limits, counts: SelectRecord, spread: SpreadRecord
) -> Optional[tuple[float, float]]:
    below, above = counts.accurate > 0, counts.failed > spread.unusable
    relative = limits.measure.relative
    ratio = limits.upper if relative else limits.upper / limits.lower if limits.lower else 10.0
    if counts.candidate:  # hardly one: as if all lay on the side where most lie
        below, above = counts.accurate >= counts.failed, counts.failed > counts.accurate
    pair = window_to_try(spread.quantiles, below, above, ratio)
    if pair is None or (above and not relative and pair[0] >= HOPELESS):
        return None
    if not relative:
        return pair
    return float(f"{limits.lower * pair[0]:.3g}"), float(f"{pair[1] / pair[0]:.3g}")
