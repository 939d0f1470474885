"""What the iterations of a campaign with a target have decided and found, from their tables."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np

from pwact import layout
from pwact.errors import InputError
from pwact.io import files
from pwact.io.tables import flaw
from pwact.query.calibration import (
    Calibration,
    Pairs,
    calibrate,
    lower_bound,
    upper_bound,
)
from pwact.query.scales import pairs_of_start
from pwact.report.target_pictures import Aim, Bin, Line, Points, RoundRow

CONTROL = "control"
BINS = (0.0, 0.2, 0.5, 0.8, 0.9, 0.95, 1.0)  # of the predicted probability, in the picture


@dataclass(frozen=True)
class Labels:
    """Labelled frames in their order: U, error (eV/Å), and which are controls, bool."""

    pairs: Pairs
    control: np.ndarray


@dataclass(frozen=True)
class Decided:
    """An iteration of a campaign with a target.

    Attributes
    ----------
    condition
        The element of ``md_jobs`` that it explored.
    target, sigma
        eV/Å.
    limit
        Largest U that is accepted; None if none is.
    share
        Accepted part of the physical frames; None without any.
    known, starting
        The pairs from which the limit was found, and whether they are training frames.
    fresh
        The frames that were labelled afterwards; none as long as they have no labels.
    """

    iteration: int
    condition: int
    target: float
    sigma: float
    limit: Optional[float]
    share: Optional[float]
    known: Pairs
    starting: bool
    fresh: Labels

    @property
    def words(self) -> str:
        """What the limit rests on: ``12 pairs``."""
        kind = "training frames" if self.starting else "pairs"
        return f"{len(self.known.usable)} {kind}"

    @property
    def line(self) -> Optional[Calibration]:
        """What the pairs say; None where they are too few."""
        return calibrate(self.known)


def read_rounds(work_dir: Path) -> list[Decided]:
    """The iterations of a work directory that have such tables, in their order.

    Raises
    ------
    InputError
        A table is damaged.
    """
    numbers = sorted(
        int(path.parents[2].name.partition(".")[2])
        for path in work_dir.glob(f"iter.*/*/select/{layout.LIMITS}")
    )
    return [read_round(work_dir, number) for number in numbers]


def read_round(work_dir: Path, iteration: int) -> Decided:
    """One iteration. Raises InputError."""
    place = layout.select_dir(work_dir, iteration)
    path = place / layout.LIMITS
    rows = _table(path)
    if len(rows) != 1:
        raise InputError(f"has {len(rows)} lines, not one", path)
    (row,) = rows
    known = _labels(place / layout.CALIBRATION, row.get("condition")).pairs
    try:
        starting = row["pairs_from"] == "training"
        if starting:
            known = _training(layout.appraise_dir(work_dir, iteration), row)
        return Decided(
            iteration,
            int(row["condition"]),
            float(row["target"]),
            float(row["sigma"]),
            _number(row["limit"]),
            _number(row["share"]),
            known,
            starting,
            _labels(_label_errors(work_dir, iteration)),
        )
    except (KeyError, ValueError) as error:
        raise InputError(f"is no table of limits: {flaw(error)}", path) from None


def _label_errors(work_dir: Path, iteration: int) -> Path:
    place = work_dir / layout.iteration_name(iteration) / layout.LABEL
    return place / "result" / layout.LABEL_ERROR


def _labels(path: Path, condition: Optional[str] = None) -> Labels:
    """Those of a table with ``uncertainty_scaled`` and ``kind``; none where it is not there.

    Where a condition is given, pairs of other ones are marked.
    """
    rows = _table(path) if path.is_file() else []
    try:
        values = [_value(row["uncertainty_scaled"]) for row in rows]
        errors = [_value(row["rmse_force"]) for row in rows]
        control = [row["kind"] == CONTROL for row in rows]
        elsewhere = [condition is not None and row["condition"] != condition for row in rows]
    except (KeyError, ValueError) as error:
        raise InputError(
            f"is no table of labels of a run with a target: {flaw(error)}", path
        ) from None
    return Labels(
        Pairs(
            np.array(values, dtype=float),
            np.array(errors, dtype=float),
            elsewhere=np.array(elsewhere, dtype=bool),
        ),
        np.array(control, dtype=bool),
    )


def _training(directory: Path, limits: Mapping[str, str]) -> Pairs:
    """The pairs of the training frames, scaled as in this iteration."""
    path = directory / layout.TRAINING_PAIRS
    rows = _table(path)
    try:
        u, force, error = (
            np.array([_value(row[name]) for row in rows], dtype=float)
            for name in ("uncertainty", "rms_force", "rmse_force")
        )
    except (KeyError, ValueError) as wrong:
        raise InputError(f"is no table of training frames: {flaw(wrong)}", path) from None
    return pairs_of_start(limits["measure"], (u, force, error), float(limits["sigma"]))


def _table(path: Path) -> list[dict[str, str]]:
    try:
        with files.demand_plain(path).open(
            newline="", encoding="utf-8", errors="surrogateescape"
        ) as stream:
            return list(csv.DictReader(stream))
    except (OSError, csv.Error) as error:
        raise InputError(f"cannot be read: {error}", path) from None


def _number(word: Optional[str]) -> Optional[float]:
    return float(word) if word else None


def _value(word: Optional[str]) -> float:
    return float(word) if word else float("nan")


def points_of(one: Decided) -> list[tuple[str, Points]]:
    """The frames of a round by kind, with their names in the legend.

    Errors of training frames are shown as they count, 1.5 times.
    """
    pairs, control = one.fresh.pairs, one.fresh.control
    chosen = Points(pairs.uncertainty[~control], pairs.error[~control])
    drawn = Points(pairs.uncertainty[control], pairs.error[control])
    known = one.known.usable
    return [
        (
            "training, error × 1.5" if one.starting else "known before",
            Points(known.uncertainty, known.error),
        ),
        ("chosen, labelled now", chosen),
        ("control, labelled now", drawn),
    ]


def line_of(one: Decided) -> Optional[Line]:
    """The line of a round and its band over the range of its frames; None without one."""
    line = one.line
    if line is None:
        return None
    values = np.concatenate([one.known.usable.uncertainty, one.fresh.pairs.usable.uncertainty])
    ends = [*values.tolist(), *([] if one.limit is None else [one.limit])]
    grid = np.geomspace(0.7 * min(ends), 1.4 * max(ends), 100)
    low, middle, high = (line.quantile(share, grid) for share in (0.05, 0.5, 0.95))
    return Line(grid, low, middle, high, one.words)


def aim_of(one: Decided) -> Aim:
    """Target and limit."""
    return Aim(one.target, one.limit)


def rows_of(rounds: Sequence[Decided]) -> list[RoundRow]:
    """Accepted share and controls of each iteration."""
    rows = []
    for one in rounds:
        errors = one.fresh.pairs.error[one.fresh.control]
        right = int(np.sum(errors < one.target))
        rows.append(RoundRow(one.iteration, one.condition, one.share, right, len(errors) - right))
    return rows


def reliability_of(rounds: Sequence[Decided]) -> list[Bin]:
    """What was predicted of all labelled frames before they had labels, and what was found.

    Only limits that rest on labels count. Frames without an uncertainty have no prediction.
    """
    predicted, right = [np.empty(0)], [np.empty(0, dtype=bool)]
    for one in rounds:
        line, pairs = one.line, one.fresh.pairs
        known = np.isfinite(pairs.uncertainty) & (pairs.uncertainty > 0)
        if line is not None and not one.starting:
            predicted.append(line.below(one.target, pairs.uncertainty[known]))
            right.append(pairs.error[known] < one.target)
    chance, below = np.concatenate(predicted), np.concatenate(right)
    places = np.clip(np.searchsorted(BINS, chance, side="right") - 1, 0, len(BINS) - 2)
    bins = []
    for place in np.unique(places).tolist():
        mine = places == place
        count, wrong = int(mine.sum()), int(np.sum(~below[mine]))
        bounds = lower_bound(count, wrong), upper_bound(count, wrong)
        bins.append(Bin(float(chance[mine].mean()), 1 - wrong / count, *bounds, count))
    return bins
