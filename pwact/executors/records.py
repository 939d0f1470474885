"""Exit records: what a job script writes last, read back."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

SET_UP = "set-up"
_WAITS = ".waits"  # behind the record's name: a script waits, and why


@dataclass(frozen=True)
class ExitRecord:
    """How a script ended.

    Attributes
    ----------
    name
        The job's name. A record under another name is left from an earlier job.
    missing
        Tasks without success tag.
    seconds
        Wall time of the script.
    how
        ``end``; ``set-up`` when that ended it before its tasks; or the signal that ended it (its
        programs may then still be dying).
    """

    name: str
    missing: int
    seconds: int
    how: str

    @property
    def complete(self) -> bool:
        """Whether the script came to its last line."""
        return self.how == "end"


def read_record(path: Path) -> Optional[ExitRecord]:
    """Read an exit record; None if there is none that can be read."""
    try:
        name, missing, seconds, how = path.read_text(encoding="utf-8").split()
        return ExitRecord(name, int(missing), int(seconds), how)
    except (OSError, ValueError):
        return None


class RecordWatch:
    """Sees new exit records in one directory, reading each file once.

    One listing of the directory, in which others may have as many, and a stat for every record:
    no call to the scheduler.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._seen: dict[str, tuple[int, int]] = {}

    def fresh(self, own: Collection[str]) -> dict[str, ExitRecord]:
        """Return those of the `own` records that were written since the last look, by job name."""
        found = {}
        for name in self._there(own):
            path = self._directory / name
            try:
                stat = path.stat()
            except OSError:
                continue
            mark = (stat.st_ino, stat.st_mtime_ns)
            if self._seen.get(name) == mark:
                continue
            record = read_record(path)
            if record:
                self._seen[name] = mark
                found[record.name] = record
        return found

    def waits(self, own: Collection[str]) -> dict[str, str]:
        """Return why jobs wait for another run that still works in a task's directory, by name.

        `own` are the names of the records that these jobs will leave.
        """
        found = {}
        for file in self._there({f"{one}{_WAITS}" for one in own}):
            try:
                text = (self._directory / file).read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            name, _, why = text.partition("\n")
            words = "".join(sign if sign.isprintable() else " " for sign in why)
            found[name] = " ".join(words.split())
        return found

    def _there(self, wanted: Collection[str]) -> list[str]:
        """Those of the wanted names that the directory has."""
        if not wanted:
            return []
        try:
            with os.scandir(self._directory) as entries:
                return [entry.name for entry in entries if entry.name in wanted]
        except OSError:
            return []
