"""What the journal says about selections that found nothing, for log, status and summary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Optional

from pwact import layout
from pwact.query.spread import window_to_try
from pwact.report.causes import HOPELESS, Case, Limits
from pwact.report.findings import Finding, findings
from pwact.report.hindrances import aimed_findings
from pwact.report.records import (
    ExploreRecord,
    LabelRecord,
    SelectRecord,
    SpreadRecord,
    TrainRecord,
)
from pwact.uncertainties import recorded_in
from pwact.workflow.ledger import StageState
from pwact.workflow.reports import DirectReport, SelectReport
from pwact.workflow.rows import R, report_of, stage_name


def findings_at(stages: Mapping[str, StageState], iteration: int) -> list[Finding]:
    """What there is to say about one iteration; nothing before its selection."""
    case = _case(stages, iteration)
    return _aimed(stages, iteration) if case is None else findings(case)


def all_findings(stages: Mapping[str, StageState]) -> list[Finding]:
    """What there is to say about all iterations, in their order."""
    numbers = sorted(
        int(name.partition("/")[0].partition(".")[2])
        for name in stages
        if name.startswith("iter.") and name.endswith("/select")
    )
    return [finding for number in numbers for finding in findings_at(stages, number)]


def _aimed(stages: Mapping[str, StageState], iteration: int) -> list[Finding]:
    """The same with a target."""
    select = report_of(stages, iteration, SelectReport)
    if select is None or select.target is None:
        return []
    label = _later(stages, iteration, LabelRecord)
    return aimed_findings(layout.iteration_name(iteration), select, select.target, label)


def _case(stages: Mapping[str, StageState], iteration: int) -> Optional[Case]:
    select = report_of(stages, iteration, SelectReport)
    limits = limits_of(stages, iteration)
    if select is None or limits is None:
        return None
    train = report_of(stages, iteration, TrainRecord) or TrainRecord()
    chosen = _later(stages, iteration, DirectReport)
    spread = select.spread or SpreadRecord()
    return Case(
        layout.iteration_name(iteration),
        limits,
        select,
        spread,
        report_of(stages, iteration, ExploreRecord),
        train.valid_rmse_f,
        _last_label_error(stages, iteration),
        None if chosen is None else chosen.chosen,
        _later(stages, iteration, LabelRecord),
        _window(limits, select, spread),
        validated(stages[name] for name in [stage_name(iteration, "train")] if name in stages),
    )


def validated(states: Iterable[StageState]) -> bool:
    """Whether a training among some stages got ``valid_data``."""
    return any(state.inputs.get("valid_data") for state in states)


def _later(stages: Mapping[str, StageState], iteration: int, kind: type[R]) -> Optional[R]:
    """Report of a step that followed the present selection; one that is older will be redone."""
    steps = (kind.by_step, SelectReport.by_step)
    state, select = (stages.get(stage_name(iteration, step)) for step in steps)
    if state is None or select is None or state.position < select.position:
        return None
    return report_of(stages, iteration, kind)


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
        label = _later(stages, number, LabelRecord)
        if label is not None and label.rmse_f is not None:
            return label.rmse_f
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
