"""What is kept of each round of a run, in a csv file."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROUNDS, BATCH = 12, 5


@dataclass(frozen=True)
class Key:
    """A run; `times` is its target over the error that can be reached."""

    system: str
    pool: str
    learner: str
    rule: str
    seed: int
    times: float


@dataclass(frozen=True)
class Row(Key):
    """A round of a run, before its labels are chosen.

    Attributes
    ----------
    labels
        Frames that have labels.
    rmse
        Of the forces over the test frames, each kind counting the same, eV/Å.
    mixed
        The same in the mix of the pool.
    share
        Of the test frames, in the mix of the pool, those with an error below the target.
    even
        The same with each kind counting the same.
    fresh, accepted, right
        Frames without labels; those of them that the rule accepts; those with an error below the
        target among these.
    ended
        Whether the rule came to its end with these labels.
    """

    target: float
    round: int
    labels: int
    rmse: float
    mixed: float
    share: float
    even: float
    fresh: int
    accepted: int
    right: int
    ended: bool
    floor: bool
    seconds: float


def write(path: Path, rows: Sequence[Row]) -> None:
    """Add rows to a csv file."""
    is_new = not path.exists()
    with path.open("a", newline="") as stream:
        writer = csv.DictWriter(stream, list(asdict(rows[0])))
        if is_new:
            writer.writeheader()
        writer.writerows({**asdict(row)} for row in rows)


def read(paths: Sequence[Path]) -> list[Row]:
    """Rows of files that `write` made."""
    annotations = {**Key.__annotations__, **Row.__annotations__}
    made = []
    for path in paths:
        with path.open(newline="") as stream:
            for row in csv.DictReader(stream):
                values = {key: _value(annotations[key], row[key]) for key in row}
                made.append(Row(**values))
    return made


def _value(kind: str, text: str) -> object:
    if kind == "bool":
        return text == "True"
    return {"str": str, "int": int, "float": float}[kind](text)
