"""The tables of a campaign with a target: pairs of uncertainty and error, and limits.

Forces and errors are in eV/Å. U is the scaled uncertainty: σ, the force error of the exploring
model on its training data, times u, or times what stands for u (`pwact.query.scales`).
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from pwact.errors import TaskError
from pwact.io import files
from pwact.io.tables import flaw
from pwact.report.records import RoundRecord

TRAINING_COLUMNS = ("frame", "atoms", "uncertainty", "rms_force", "rmse_force")
PAIR_COLUMNS = (
    *("file_path", "config_index", "uncertainty_scaled", "rmse_force", "kind"),
    *("iteration", "condition", "sigma", "uncertainty", "rms_force"),
)
LIMIT_COLUMNS = (
    *("iteration", "condition", "target", "sigma", "measure", "pairs", "pairs_from", "limit"),
    "error_at_limit",
    *("frames", "accepted", "share", "expected", "unphysical", "controls", "wrong_controls"),
    *("labelled", "pick", "floor"),
)


@dataclass(frozen=True)
class TrainingRow:
    """A frame of the training data, as the model that was trained on it sees it.

    Attributes
    ----------
    frame
        Where it was evaluated.
    uncertainty
        u of the model; NaN where it was not computed.
    force
        Root mean square over the components of the forces that the model predicts, eV/Å.
    error
        RMSE of these components, eV/Å.
    """

    frame: str
    atoms: int
    uncertainty: float
    force: float
    error: float


def write_training(path: Path, rows: Iterable[TrainingRow]) -> None:
    """Write ``training.csv``."""
    made = ((row.frame, row.atoms, row.uncertainty, row.force, row.error) for row in rows)
    write_rows(path, TRAINING_COLUMNS, made)


def read_training(path: Path) -> list[TrainingRow]:
    """Read it. Raises TaskError."""
    try:
        with files.demand_plain(path).open(newline="", encoding="utf-8") as stream:
            return [
                TrainingRow(row["frame"], int(row["atoms"]), *map(_number, _numbers(row)))
                for row in csv.DictReader(stream)
            ]
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise TaskError(
            f"{path}: no errors on the training data can be read: {flaw(error)}"
        ) from error


def _numbers(row: dict[str, str]) -> list[str]:
    return [row[name] for name in TRAINING_COLUMNS[2:]]


def _number(word: str) -> float:
    return float(word) if word else float("nan")


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table; numbers with 8 digits, nothing where there is no number."""
    with (
        files.replacing(path) as aside,
        aside.open("w", newline="", encoding="utf-8", errors="surrogateescape") as stream,
    ):
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_word(value) for value in row] for row in rows)


def _word(value: Optional[object]) -> object:
    if isinstance(value, float):
        return f"{value:.8g}" if math.isfinite(value) else ""
    return "" if value is None else value


def round_words(record: RoundRecord) -> str:
    """What a round decided, in one line."""
    source = "training frames" if record.starting else "pairs"
    count = f"{record.pairs} {source}" if record.pairs else f"too few {source}"
    if record.limit is None:
        limit = f"no limit from {count}"
        accepted = f"none of {record.frames} frames accepted"
    else:
        there = "" if record.at_limit is None else f" (error about {record.at_limit:.2g} eV/Å)"
        limit = f"limit U ≤ {record.limit:.3g}{there} from {count}"
        expected = 100 * (record.expected or 0.0)
        accepted = (
            f"{record.accepted} of {record.frames} frames accepted "
            f"(expected {expected:.0f} % below {record.target:g} eV/Å)"
        )
    return f"{limit}; {accepted}; {record.selected} to label, {record.controls} of them controls"
