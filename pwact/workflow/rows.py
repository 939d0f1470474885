"""The line of each iteration: for the table at the end of a run, and for its learning curve."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Optional

from pwact import layout
from pwact.report.records import (
    ERRORS,
    ErrorRecord,
    ExploreRecord,
    IterationRow,
    LabelRecord,
    SelectRecord,
    TrainRecord,
)
from pwact.report.status import Failure
from pwact.workflow import steps
from pwact.workflow.ledger import StageState, place_of, together_s


def stage_name(iteration: int, step: str) -> str:
    """``iter.0000/train``."""
    return f"{layout.iteration_name(iteration)}/{step}"


def report_of(
    stages: Mapping[str, StageState], iteration: int, step: str
) -> Optional[Mapping[str, Any]]:
    """Report of a finished stage, else None."""
    state = stages.get(stage_name(iteration, step))
    return state.report if state is not None and state.done else None


def later_data(work_dir: Path, stages: Mapping[str, StageState], iteration: int) -> list[Path]:
    """Data sets of later iterations that stay while lost labels of this one are tried again."""
    own = stages.get(stage_name(iteration, "label"))
    if own is None or not own.reopened:
        return []
    found = []
    for state in stages.values():
        number, step = place_of(state.name)
        later = number is not None and number > iteration
        if step == "label" and later and state.done and state.report["data"]:
            found.append(work_dir / state.report["data"])
    return found


def row(stages: Mapping[str, StageState], iteration: int) -> IterationRow:
    """What the journal says of an iteration."""
    reports = {step: report_of(stages, iteration, step) for step in steps.names()}
    explore, select, label = (reports[step] for step in ("explore", "select", "label"))
    names = [stage_name(iteration, step) for step in steps.names()]
    return IterationRow(
        layout.iteration_name(iteration),
        TrainRecord.from_json(reports["train"] or {}),
        None if explore is None else ExploreRecord.from_json(explore),
        None if select is None else SelectRecord.from_json(select),
        None if label is None else LabelRecord.from_json(label),
        together_s(stages[name] for name in names if name in stages) or None,
        _errors(label),
        _errors(reports[layout.FINAL]),
    )


def _errors(report: Optional[Mapping[str, Any]]) -> tuple[ErrorRecord, ...]:
    return tuple(ErrorRecord.from_json(one) for one in (report or {}).get(ERRORS, ()))


def early_ends(work_dir: Path, states: Iterable[StageState]) -> list[Failure]:
    """Trajectories of finished explorations that died early and are used up to there."""
    return [
        Failure(
            state.name,
            entry["directory"],
            entry.get("why") or "the MD ended early",
            str(work_dir / entry["directory"]),
        )
        for state in states
        if state.done and state.name.endswith("/explore")
        for entry in state.report.get("paths", ())
        if entry["usable"] and not entry["normal"]
    ]
