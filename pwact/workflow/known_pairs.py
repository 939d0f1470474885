"""Frames whose true error is known: from what labels have left in the journal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np

from pwact.query.calibration import FEWEST, Pairs, calibrate, pairs_in_force
from pwact.query.scales import best_scale, measures, pairs_of_start
from pwact.report.calibration import LIMIT_COLUMNS, PAIR_COLUMNS, TrainingRow, write_rows
from pwact.report.records import PairRecord, RoundRecord
from pwact.workflow.conditions import CONTROL
from pwact.workflow.explored import Candidate
from pwact.workflow.ledger import StageState
from pwact.workflow.reports import LabelReport
from pwact.workflow.rows import report_of

CHOSEN = "chosen"  # kind of a frame that is labelled and is no control


@dataclass(frozen=True)
class KnownPair:
    """A pair, and the iteration whose model it belongs to."""

    iteration: int
    record: PairRecord


@dataclass(frozen=True)
class Scale:
    """By what frames are judged in an iteration.

    Attributes
    ----------
    measure
        Name of what is compared with errors (`pwact.query.scales.measures`).
    pairs
        Scaled, those that count.
    starting
        Whether they are those of the training data.
    """

    measure: str
    pairs: Pairs
    starting: bool

    def error_at(self, limit: Optional[float]) -> Optional[float]:
        """Median error that these pairs let expect at a limit, eV/Å; None without one."""
        line = calibrate(self.pairs)
        if limit is None or line is None:
            return None
        return float(line.expected(np.array([limit]))[0])


def pairs_of(candidate: Candidate, error: float, condition: int) -> list[PairRecord]:
    """The pair of a frame that was labelled; none without a target.

    Parameters
    ----------
    error
        RMSE of the forces that the exploring model predicted for it, eV/Å.
    condition
        The element of ``md_jobs`` that was explored.
    """
    aim = candidate.aim
    if aim is None:
        return []
    made = PairRecord(
        candidate.trajectory,
        candidate.step,
        _finite(aim.scaled),
        _finite(candidate.uncertainty),
        _finite(aim.force),
        aim.sigma,
        error,
        aim.kind,
        condition,
    )
    return [made]


def _finite(value: float) -> Optional[float]:
    return value if math.isfinite(value) else None


def real_pairs(stages: Mapping[str, StageState], before: int) -> list[KnownPair]:
    """The pairs of all labels of earlier iterations than `before`, in their order."""
    found: list[KnownPair] = []
    for iteration in range(before):
        report = report_of(stages, iteration, LabelReport) or LabelReport()
        found += [KnownPair(iteration, one) for one in report.pairs]
    return found


def too_few(known: Sequence[KnownPair], scales: Sequence[str]) -> bool:
    """Whether the training frames have to stand in: by the same count by which `scale_of` judges.

    A label of a frame without an uncertainty, or without forces, is no pair.
    """
    uncertainty = _scaled(known)[scales[0]]
    return len(Pairs(uncertainty, _numbers([one.record.error for one in known])).usable) < FEWEST


def scale_of(
    known: Sequence[KnownPair],
    training: Sequence[TrainingRow],
    sigma: float,
    condition: int,
    scales: Sequence[str],
) -> Scale:
    """By what to judge, from the labels, or from the training data as long as these are too few.

    What is scaled is scaled by the σ of the model that it comes from, so that pairs of several
    models lie on one line.

    Parameters
    ----------
    training
        Training frames as the present model sees them.
    sigma
        Its σ, eV/Å.
    condition
        What is explored; pairs of others say less of it.
    scales
        Names of the measures that are compared.
    """
    labelled = _scaled(known)
    error = _numbers([one.record.error for one in known])
    measure = best_scale({name: labelled[name] for name in scales}, error)
    seen = [(row.uncertainty, row.force, row.error) for row in training]
    u, force, wrong = np.array(seen, dtype=float).reshape(-1, 3).T
    first = pairs_of_start(measure, (u, force, wrong), sigma)
    elsewhere = np.array([one.record.condition != condition for one in known], dtype=bool)
    mine = Pairs(labelled[measure], error, elsewhere=elsewhere)
    pairs = pairs_in_force(mine, first)
    return Scale(measure, pairs, pairs is not mine)


def _scaled(known: Sequence[KnownPair]) -> dict[str, np.ndarray]:
    records = [one.record for one in known]
    return measures(
        _numbers([one.uncertainty for one in records]),
        _numbers([one.force for one in records]),
        _numbers([one.sigma for one in records]),
    )


def write_pairs(path: Path, known: Sequence[KnownPair], measure: str) -> None:
    """Write ``calibration.csv``: all labels so far, scaled as `measure` is."""
    rows = [
        (
            *(one.record.trajectory, one.record.step, float(value), one.record.error),
            *(one.record.kind, one.iteration, one.record.condition, one.record.sigma),
            *(one.record.uncertainty, one.record.force),
        )
        for one, value in zip(known, _scaled(known)[measure])
    ]
    write_rows(path, PAIR_COLUMNS, rows)


def write_limits(
    path: Path, iteration: int, record: RoundRecord, known: Sequence[KnownPair]
) -> None:
    """Write ``limits.csv``: what a round decided, and the controls of its condition so far."""
    controls = [
        one.record.error
        for one in known
        if one.record.kind == CONTROL and one.record.condition == record.condition
    ]
    wrong = sum(not error < record.target for error in controls)
    share = record.accepted / record.frames if record.frames else None
    row = (
        *(iteration, record.condition, record.target, record.sigma, record.measure),
        *(record.pairs, "training" if record.starting else "labels", record.limit),
        record.at_limit,
        *(record.frames, record.accepted, share, record.expected, record.unphysical),
        *(len(controls), wrong, record.selected, record.rule, record.floor),
    )
    write_rows(path, LIMIT_COLUMNS, [row])


def _numbers(values: Sequence[object]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], dtype=float)
