"""Which limit the labels of an iteration give for the force error that is needed."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np

from pwact import layout
from pwact.errors import InputError
from pwact.io import files
from pwact.io.tables import flaw
from pwact.query.calibration import (
    FEWEST,
    Pairs,
    accepted_up_to,
    calibrate,
)
from pwact.query.scales import ALONE
from pwact.report.label_error import COLUMNS
from pwact.report.measure import Measure
from pwact.report.trial import TargetRecord
from pwact.tools.explored.trees import ExploredTree, judged_systems

_UNCERTAINTY, _ERROR = COLUMNS[2], COLUMNS[3]


def label_errors(tree: ExploredTree) -> Path:
    """Where the true errors of the model are that explored a tree.

    Labels of a working copy of PWact may have come home without it.
    """
    iteration = tree.directory.parents[1]
    home = [iteration.parent] if iteration.name == layout.PWACT_WORK else []
    for place in (iteration, *home):
        for step in (layout.LABEL, layout.old_step_name(layout.LABEL)):
            path = place / step / "result" / layout.LABEL_ERROR
            if path.is_file():
                return path
    return iteration / layout.LABEL / "result" / layout.LABEL_ERROR


def read_pairs(path: Path) -> Pairs:
    """Uncertainty and RMSE of the forces (eV/Å) of each labelled frame, from ``label_error.csv``.

    Raises
    ------
    InputError
        The file is not there, or is another one.
    """
    try:
        with files.demand_plain(path).open(
            newline="", encoding="utf-8", errors="surrogateescape"
        ) as stream:
            rows = list(csv.DictReader(stream))
        numbers = [(float(row[_UNCERTAINTY]), float(row[_ERROR])) for row in rows]
    except FileNotFoundError:
        problem = "does not exist; the frames of this iteration have no labels to learn from"
        raise InputError(problem, path) from None
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise InputError(
            f"is no table with {_UNCERTAINTY} and {_ERROR}: {flaw(error)}", path
        ) from None
    both = np.array(numbers, dtype=float).reshape(-1, 2)
    return Pairs(both[:, 0], both[:, 1])


def limits_file(tree: ExploredTree) -> Path:
    """What a campaign with a target decided about a tree, if it had one."""
    return tree.directory.parent / "select" / layout.LIMITS


def measure_of(tree: ExploredTree) -> Measure:
    """How people read the values of a tree: scaled ones have no unit that means anything."""
    measure = tree.uncertainty.measure
    return replace(measure, unit="") if limits_file(tree).is_file() else measure


def _known(tree: ExploredTree, path: Path) -> tuple[Pairs, float]:
    """The pairs that a tree has, and by what its uncertainties are scaled.

    With a target these are all labels so far, each uncertainty times σ of its own model unless it
    was compared with errors as it is.
    """
    pairs = read_pairs(path)
    limits = limits_file(tree)
    if not limits.is_file():
        return pairs, 1.0
    decided = _table(limits, ("sigma", "condition"))
    if len(decided) != 1:
        raise InputError(f"holds {len(decided)} rows; that of one iteration is expected", limits)
    sigma, condition = decided[0]
    calibration = limits.with_name(layout.CALIBRATION)
    before = _table(calibration, ("uncertainty", "sigma", "rmse_force", "condition"))
    scales = before[:, 1]
    if _rows(limits, ("measure",))[0] == (ALONE,):
        scales, sigma = np.ones(len(before)), 1.0
    every = Pairs(
        np.concatenate([before[:, 0] * scales, sigma * pairs.uncertainty]),
        np.concatenate([before[:, 2], pairs.error]),
        elsewhere=np.concatenate([before[:, 3] != condition, np.zeros(len(pairs), dtype=bool)]),
    )
    return every, float(sigma)


def _table(path: Path, columns: tuple[str, ...]) -> np.ndarray:
    """Columns of a table of the campaign, shape (n, columns); NaN where there is no number."""
    try:
        rows = [[float(word or "nan") for word in row] for row in _rows(path, columns)]
    except (TypeError, ValueError) as error:
        raise _other(path, columns, error) from None
    return np.array(rows, dtype=float).reshape(-1, len(columns))


def _rows(path: Path, columns: tuple[str, ...]) -> list[tuple[str, ...]]:
    try:
        with files.demand_plain(path).open(
            newline="", encoding="utf-8", errors="surrogateescape"
        ) as stream:
            return [tuple(row[name] for name in columns) for row in csv.DictReader(stream)]
    except (OSError, KeyError, csv.Error) as error:
        raise _other(path, columns, error) from None


def _other(path: Path, columns: tuple[str, ...], error: Exception) -> InputError:
    return InputError(f"is no table with {' and '.join(columns)}: {flaw(error)}", path)


def accepted_by(tree: ExploredTree, target: float) -> TargetRecord:
    """The limit below which the explored frames count as accurate enough for `target` (eV/Å).

    Frames that failed whatever their uncertainty are never accepted.

    Raises
    ------
    InputError
        Too few frames of the iteration were labelled.
    """
    path = label_errors(tree)
    pairs, scale = _known(tree, path)
    tree = replace(tree, measured=limits_file(tree).is_file())
    line = calibrate(pairs)
    if line is None:
        few = f"found {len(pairs.usable)} labelled frames with a positive uncertainty and error"
        raise InputError(f"{few}; at least {FEWEST} are needed", path)
    values = scale * np.concatenate(
        [one.usable for _, rows in judged_systems(tree) for _, one in rows]
    )
    limit = accepted_up_to(line, target, values)
    accepted = values[values <= limit] if limit is not None else np.empty(0)
    smallest = np.sort(values[values > 0])[:1]
    return TargetRecord(
        target,
        line.pairs,
        len(values),
        limit,
        len(accepted),
        _mean(line.below(target, accepted)),
        _mean(smallest),
        _mean(line.expected(smallest)),
    )


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else float("nan")
