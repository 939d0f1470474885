"""The line of each iteration: for the table at the end of a run, and for its learning curve."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Optional

from pwact import layout
from pwact.engines.matpl_results import VALID_CURVE, read_errors
from pwact.errors import TaskError
from pwact.io.al_record import Entry
from pwact.report.records import (
    ExploreRecord,
    IterationRow,
    LabelRecord,
    SelectRecord,
    TrainRecord,
)
from pwact.report.status import Failure
from pwact.workflow.ledger import STEPS, StageState, together_s
from pwact.workflow.pwact_tree import PwactTree

_COUNTS = re.compile(
    r"Total structures (\d+)\s+accurate (\d+) rate \S+\s+selected (\d+) rate \S+\s+error (\d+)"
)


def stage_name(iteration: int, step: str) -> str:
    """``iter.0000/train``."""
    return f"{layout.iteration_name(iteration)}/{step}"


def report_of(
    stages: Mapping[str, StageState], iteration: int, step: str
) -> Optional[Mapping[str, Any]]:
    """Report of a finished stage, else None."""
    state = stages.get(stage_name(iteration, step))
    return state.report if state is not None and state.done else None


def row(stages: Mapping[str, StageState], iteration: int) -> IterationRow:
    """What the journal says of an iteration."""
    reports = {step: report_of(stages, iteration, step) for step in STEPS}
    explore, select, label = (reports[step] for step in ("explore", "select", "label"))
    names = [stage_name(iteration, step) for step in STEPS]
    return IterationRow(
        layout.iteration_name(iteration),
        TrainRecord.from_json(reports["train"] or {}),
        None if explore is None else ExploreRecord.from_json(explore),
        None if select is None else SelectRecord.from_json(select),
        None if label is None else LabelRecord.from_json(label),
        together_s(stages[name] for name in names if name in stages) or None,
    )


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


def rows_of_pwact(tree: PwactTree) -> list[IterationRow]:
    """What PWact's own files say of its finished iterations, as far as they do."""
    last = -1 if tree.last is None else tree.last.iteration
    return [_row_of_pwact(tree, iteration) for iteration in range(last + 1)]


def _row_of_pwact(tree: PwactTree, iteration: int) -> IterationRow:
    entry = tree.entries.get(iteration, Entry())
    counts = _COUNTS.search(entry.select)
    select = label = None
    if counts:
        frames, accurate, candidate, failed = map(int, counts.groups())
        select = SelectRecord(frames, accurate, candidate, failed, candidate)
    if entry.converged is not None:
        label = LabelRecord(entry.converged, entry.not_converged or 0)
    name = layout.iteration_name(iteration)
    train = _errors_of_pwact(tree.work_dir / name)
    return IterationRow(name, train, None, select, label)


def _errors_of_pwact(iteration: Path) -> TrainRecord:
    for step in (layout.TRAIN, layout.old_step_name(layout.TRAIN)):
        for record in sorted((iteration / step / "train.000").rglob(VALID_CURVE)):
            try:
                errors = read_errors(record)
            except TaskError:
                continue
            if errors is not None:
                return TrainRecord(errors.rmse_e, errors.rmse_f)
    return TrainRecord()
