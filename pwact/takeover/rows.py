"""The line of each iteration of PWact, from its own files."""

from __future__ import annotations

import re
from pathlib import Path

from pwact import layout
from pwact.engines.matpl.results import VALID_CURVE, read_errors
from pwact.errors import TaskError
from pwact.formats.al_record import Entry
from pwact.report.records import IterationRow, LabelRecord, SelectRecord, TrainRecord
from pwact.takeover.tree import PwactTree

_COUNTS = re.compile(
    r"Total structures (\d+)\s+accurate (\d+) rate \S+\s+selected (\d+) rate \S+\s+error (\d+)"
)


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
