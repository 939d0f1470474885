"""Keeps structures that no code can calculate away from the codes, and lists them."""

from __future__ import annotations

import csv
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pwact.errors import QuorumError
from pwact.geometry import flaw
from pwact.io import files

if TYPE_CHECKING:
    from ase import Atoms

logger = logging.getLogger(__name__)

COLUMNS = ("config_index", "file_path", "reason")


@dataclass(frozen=True)
class LeftOut:
    """A structure that is not calculated.

    Attributes
    ----------
    config_index
        Number of the frame, or its MD step.
    file_path
        The structure or its trajectory, relative to the work directory.
    """

    config_index: int
    file_path: str
    reason: str


class Gate:
    """Lets frames through to the calculations, and remembers those that it does not.

    Attributes
    ----------
    left_out
        What was refused, in the order of asking.
    """

    def __init__(self, min_distance: float) -> None:
        self._min_distance = min_distance
        self.left_out: list[LeftOut] = []

    def passes(self, atoms: Atoms, file_path: str, config_index: int = 0) -> bool:
        """Whether a frame may be calculated."""
        reason = flaw(atoms, self._min_distance)
        if reason:
            self.refuse(reason, file_path, config_index)
        return not reason

    def refuse(self, reason: str, file_path: str, config_index: int = 0) -> None:
        """Note that a frame is left out for a reason that showed later."""
        self.left_out.append(LeftOut(config_index, file_path, reason))

    def demand_some(self, passed: int, path: Path, what: str, hint: str) -> None:
        """Raise QuorumError where structures were refused and none of them all has passed.

        Parameters
        ----------
        passed
            How many may be calculated.
        path
            Where `write` lists what was refused.
        hint
            What the user may change.
        """
        if passed or not self.left_out:
            return
        count = len(self.left_out)
        counted = "its only structure is" if count == 1 else f"all {count} structures are"
        raise QuorumError(
            f"{what}: {counted} left out, so there is nothing to calculate; "
            f"the first because {self.left_out[0].reason} (all: {path})\nWhat next: {hint}"
        )

    def rows(self) -> list[list[Any]]:
        """What was refused as rows of `COLUMNS`."""
        return [[one.config_index, one.file_path, one.reason] for one in self.left_out]

    def write(self, path: Path, what: str) -> None:
        """List what was refused in `path`, and tell the log; without any there is no such file."""
        if not self.left_out:
            files.remove(path)
            return
        logger.warning(
            "%s: %d structures are left out, the first because %s (all: %s)",
            what,
            len(self.left_out),
            self.left_out[0].reason,
            path,
        )
        write_table(path, self.rows())


def write_table(path: Path, rows: Sequence[Sequence[Any]]) -> None:
    """Write rows of `COLUMNS` as CSV."""
    with files.replacing(path) as aside, aside.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)
