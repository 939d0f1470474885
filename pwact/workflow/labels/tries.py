"""Tells of further tries of labels whose SCF did not converge."""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pwact.io import files

logger = logging.getLogger(__name__)

COLUMNS = ("task", "tries", "changes", "result")
CONVERGED = "converged"
TAKEN = "taken from the labels that are there"


@dataclass(frozen=True)
class FurtherTry:
    """The last further try of a label.

    Attributes
    ----------
    number
        Which one; the first try of all does not count.
    changes
        To the input.
    result
        How it ended, in words.
    """

    number: int
    changes: Mapping[str, Any]
    result: str


def write_tries(path: Path, stage: str, tries: Mapping[Path, FurtherTry]) -> None:
    """List all labels that were tried again, and tell the log; without any there is no such file.

    Parameters
    ----------
    tries
        Directory of the task of the first try → the last try.
    """
    if not tries:
        files.remove(path)
        return
    good = sum(one.result in (CONVERGED, TAKEN) for one in tries.values())
    text = "%s: %d SCFs did not converge; %d of them did in another try (all: %s)"
    logger.info(text, stage, len(tries), good, path)
    with files.replacing(path) as aside, aside.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for place in sorted(tries):
            one = tries[place]
            task = place.relative_to(path.parent).as_posix()
            writer.writerow([task, one.number, json.dumps(dict(one.changes)), one.result])


def retried(path: Path) -> dict[str, int]:
    """For the report of a stage: which labels were tried again how often; empty if none was."""
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return {row["task"]: int(row["tries"]) for row in rows}
