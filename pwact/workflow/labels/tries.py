"""Tells of further tries of labels whose SCF did not converge."""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from pwact.io import files

if TYPE_CHECKING:
    from ase import Atoms

log = logging.getLogger(__name__)

COLUMNS = ("task", "tries", "changes", "result")
CONVERGED = "converged"


@dataclass(frozen=True)
class Told:
    """The last further try of a label.

    Attributes
    ----------
    number
        Which one; the first try of all does not count.
    changes
        To the input.
    answer
        The labelled frame, or why there is none.
    """

    number: int
    changes: Mapping[str, Any]
    answer: Union[Atoms, str]

    @property
    def result(self) -> str:
        """How it ended, in words."""
        return self.answer if isinstance(self.answer, str) else CONVERGED


def write_tries(path: Path, stage: str, told: Mapping[Path, Told]) -> None:
    """List all labels that were tried again, and tell the log; without any there is no such file.

    Parameters
    ----------
    told
        Directory of the task of the first try → the last try.
    """
    if not told:
        files.remove(path)
        return
    good = sum(one.result == CONVERGED for one in told.values())
    text = "%s: %d SCFs did not converge; %d of them did in another try (all: %s)"
    log.info(text, stage, len(told), good, path)
    with files.replacing(path) as aside, aside.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for place in sorted(told):
            one = told[place]
            task = place.relative_to(path.parent).as_posix()
            writer.writerow([task, one.number, json.dumps(dict(one.changes)), one.result])
