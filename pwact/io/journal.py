"""The append-only record of a campaign: one JSON event a line."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Callable

from pwact import __version__
from pwact.errors import PwactError, UsageError
from pwact.io.durable import sync_directory
from pwact.io.files import demand_own
from pwact.io.folding import Events, Folds
from pwact.io.journal_fields import error_of

FORMAT = 2  # of what is written; 1, which pwact 0.5.0 wrote, names no format


class Journal:
    """Append events that are on disk before the caller goes on, and read them back.

    A last line that a crash has torn is no event; it is cut off by the first `append`. Until
    then the file is only read, so that others may look into the journal of a running campaign.

    Parameters
    ----------
    path
        The file; its directory exists.
    clock
        Seconds since the epoch, put into every event as ``time``.
    permit
        Called before anything is written; raises where this process must not write any more.
    """

    def __init__(
        self,
        path: Path,
        clock: Callable[[], float] = time.time,
        permit: Callable[[], None] = lambda: None,
    ) -> None:
        self.path = path
        self._permit = permit
        self._clock = clock
        self._guard = threading.Lock()
        self._handle = -1
        self._held = b""
        self._events, self._size = _read(path)
        self._folds = Folds()

    def append(self, event: str, **fields: Any) -> None:
        """Write one event and wait until it is on disk.

        Raises
        ------
        PwactError
            When the disk does not take it; the journal is then as it was before.
        """
        self.append_all(event, [fields])

    def append_all(self, event: str, records: Sequence[Mapping[str, Any]]) -> None:
        """Write several events of one sort in one go, for the price of one; see `append`."""
        lines = self._lines(event, records)
        with self._guard:
            self._write_out(self._held + _text(lines))
            self._events.extend(json.loads(line) for line in lines)

    def hold(self, event: str, **fields: Any) -> None:
        """Keep an event in mind: it is written together with the next one, or by `flush`."""
        lines = self._lines(event, [fields])
        with self._guard:
            self._held += _text(lines)
            self._events.extend(json.loads(line) for line in lines)

    def flush(self) -> None:
        """Write the events that were held."""
        with self._guard:
            if self._held:
                self._write_out(self._held)

    @property
    def holds(self) -> bool:
        """Whether nothing was written since the first event that is held."""
        return bool(self._held)

    def _lines(self, event: str, records: Sequence[Mapping[str, Any]]) -> list[str]:
        now = self._clock()
        return [json.dumps({"event": event, "time": now, **fields}) for fields in records]

    def _write_out(self, text: bytes) -> None:
        self._permit()
        try:
            self._open()
            self._write(text)
        except OSError as error:
            raise PwactError(
                f"{self.path}: cannot be written ({error.strerror or error}); nothing recorded "
                "is lost: mend it and start again"
            ) from error
        self._size += len(text)
        self._held = b""

    def _open(self) -> None:
        if self._handle >= 0:
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        new = not self.path.exists()
        handle = os.open(self.path, flags, 0o644)
        os.ftruncate(handle, self._size)
        self._handle = handle
        if new:  # its name, that of its directory and that of the work directory
            for directory in list(self.path.absolute().parents)[:3]:
                sync_directory(directory)

    def _write(self, text: bytes) -> None:
        try:
            if os.write(self._handle, text) < len(text):
                raise OSError("the disk is full")
            os.fsync(self._handle)
        except OSError:
            os.ftruncate(self._handle, self._size)
            raise

    def events(self) -> Events:
        """Return all events so far, oldest first."""
        with self._guard:
            return Events(self._events, len(self._events), self._folds)

    def close(self) -> None:
        """Close the file; a later `append` opens it again."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def _text(lines: Sequence[str]) -> bytes:
    return "".join(line + "\n" for line in lines).encode("ascii")


def _read(path: Path) -> tuple[list[dict[str, Any]], int]:
    """Return the events of a journal and the size in bytes of its whole lines."""
    try:
        content = demand_own(path).read_bytes()
    except FileNotFoundError:
        return [], 0
    return parse(content, path)


def parse(content: bytes, path: Path) -> tuple[list[dict[str, Any]], int]:
    """Return the events in the bytes of a journal, and the size of its whole lines.

    Raises
    ------
    PwactError
        A line that is not the last one is no event; `path` is what it names.
    UsageError
        A newer program wrote it.
    """
    size = content.rfind(b"\n") + 1
    events = []
    for number, line in enumerate(content[:size].split(b"\n")[:-1], start=1):
        try:
            event = json.loads(line)
        except ValueError as error:
            raise _damaged(path, number, str(error)) from error
        if not isinstance(event, dict) or not isinstance(event.get("event"), str):
            raise _damaged(path, number, "it is not an event")
        _check_format(path, event)
        if found := error_of(event):
            raise _damaged(path, number, found)
        events.append(event)
    return events, size


def _damaged(path: Path, number: int, why: str) -> PwactError:
    return PwactError(
        f"{path}: line {number} is damaged: {why}; nothing was changed. The lines before it can be "
        "kept: docs/troubleshooting.md, 'A damaged journal'"
    )


def _check_format(path: Path, event: Mapping[str, Any]) -> None:
    """Raise UsageError when a newer program wrote this event, so that we might misread it."""
    found = event.get("journal_format", 1)
    if not isinstance(found, int) or found > FORMAT:
        raise UsageError(
            f"{path}: pwact {event.get('version', '(unknown)')} wrote this journal in format "
            f"{found}; this is pwact {__version__}, which knows formats 1 to {FORMAT}. Go on with "
            "that version or a newer one"
        )
