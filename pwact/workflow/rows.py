"""The line of each iteration: for the table at the end of a run, and for its learning curve."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Optional, TypeVar

from pwact import layout
from pwact.report.record import Record
from pwact.report.records import (
    ExploreRecord,
    IterationRow,
    LabelRecord,
    SelectRecord,
    TrainRecord,
)
from pwact.report.status import Failure
from pwact.workflow import steps
from pwact.workflow.ledger import StageState, place_of, together_s
from pwact.workflow.reports import ExploreReport, FinalReport, LabelReport

R = TypeVar("R", bound=Record)


def stage_name(iteration: int, step: str) -> str:
    """``iter.0000/train``."""
    return f"{layout.iteration_name(iteration)}/{step}"


def stored_report(
    stages: Mapping[str, StageState], iteration: int, step: str
) -> Optional[Mapping[str, Any]]:
    """Report of a finished stage as it is on record, else None."""
    state = stages.get(stage_name(iteration, step))
    return state.report if state is not None and state.done else None


def report_of(stages: Mapping[str, StageState], iteration: int, kind: type[R]) -> Optional[R]:
    """Report of a finished stage as its type (`pwact.workflow.reports`), else None."""
    stored = stored_report(stages, iteration, kind.by_step)
    return None if stored is None else kind.from_json(stored)


def later_data(work_dir: Path, stages: Mapping[str, StageState], iteration: int) -> list[Path]:
    """Data sets of later iterations that stay while lost labels of this one are tried again."""
    own = stages.get(stage_name(iteration, "label"))
    if own is None or not own.reopened:
        return []
    found: list[Path] = []
    for state in stages.values():
        number, step = place_of(state.name)
        later = number is not None and number > iteration
        if step == LabelReport.by_step and later and state.done:
            data = LabelReport.from_json(state.report).data
            found += [work_dir / data] if data else []
    return found


def row(stages: Mapping[str, StageState], iteration: int) -> IterationRow:
    """What the journal says of an iteration."""
    label = report_of(stages, iteration, LabelReport)
    final = report_of(stages, iteration, FinalReport)
    names = [stage_name(iteration, step) for step in steps.names()]
    return IterationRow(
        layout.iteration_name(iteration),
        report_of(stages, iteration, TrainRecord) or TrainRecord(),
        report_of(stages, iteration, ExploreRecord),
        report_of(stages, iteration, SelectRecord),
        report_of(stages, iteration, LabelRecord),
        together_s(stages[name] for name in names if name in stages) or None,
        () if label is None else label.errors,
        () if final is None else final.errors,
    )


def early_ends(work_dir: Path, states: Iterable[StageState]) -> list[Failure]:
    """Trajectories of finished explorations that died early and are used up to there."""
    return [
        Failure(
            state.name,
            entry.directory,
            entry.why or "the MD ended early",
            str(work_dir / entry.directory),
        )
        for state in states
        if state.done and state.name.endswith("/explore")
        for entry in ExploreReport.from_json(state.report).paths
        if entry.usable and not entry.normal
    ]
