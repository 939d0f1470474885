"""One master a work directory."""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import socket
import types
from pathlib import Path
from typing import Any, Optional

from pwact.errors import LockedError, PwactError
from pwact.io.files import demand_own

_LOG = logging.getLogger(__name__)
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class WorkLock:
    """Context manager that holds a work directory for this process.

    The kernel's lock (`flock`) decides, so that a crash frees it; the file tells who holds it.
    A file that a crashed holder has left is taken over with a notice in the log. When the file
    system knows no locks, or does not share them between hosts, a holder on another host that did
    not let go is believed to live.

    Raises
    ------
    LockedError
        On entry, when another process holds the lock; it names the holder's host and pid.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle = -1

    def __enter__(self) -> WorkLock:
        handle = os.open(demand_own(self.path), _FLAGS, 0o644)
        try:
            self._take(handle)
        except BaseException:
            os.close(handle)
            raise
        self._handle = handle
        return self

    def free(self) -> None:
        """Forget a holder that is dead for certain, and may have been on another host."""
        with contextlib.suppress(OSError):
            os.truncate(self.path, 0)

    def _take(self, handle: int) -> None:
        locks = True
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise self._locked(holder(self.path)) from error
        except OSError as error:
            _LOG.warning("%s: this file system has no locks (%s)", self.path, error.strerror)
            locks = False
        before = holder(self.path)
        if before:
            alive = not locks and Path(f"/proc/{before.get('pid')}").exists()
            if alive or before.get("host") != socket.gethostname():
                raise self._locked(before)
            _LOG.warning(
                "%s: taken over from process %s on %s, which ended without letting go",
                self.path,
                before.get("pid"),
                before.get("host"),
            )
        self._write_holder(handle)

    def _write_holder(self, handle: int) -> None:
        text = json.dumps({"host": socket.gethostname(), "pid": os.getpid()})
        try:
            os.ftruncate(handle, 0)
            os.pwrite(handle, text.encode(), 0)
            os.fsync(handle)
        except OSError as error:
            raise PwactError(f"{self.path}: cannot be written: {error.strerror}") from error

    def _locked(self, who: Optional[dict[str, Any]]) -> LockedError:
        who = who or {}
        host, pid = who.get("host", "unknown"), who.get("pid", "unknown")
        hint = ""
        if host != socket.gethostname():
            hint = f"; if it is dead for certain, delete {self.path}"
        return LockedError(
            f"another pwact works in {self.path.parent.parent}: process {pid} on host {host}{hint}"
        )

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[types.TracebackType],
    ) -> None:
        os.ftruncate(self._handle, 0)
        os.close(self._handle)
        self._handle = -1


def holder(path: Path) -> Optional[dict[str, Any]]:
    """Host and pid that a lock file tells, None if nobody holds it."""
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
    return None
