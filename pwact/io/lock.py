"""One master a work directory."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import time
import types
from dataclasses import asdict
from pathlib import Path
from typing import Any, Callable, Optional

from pwact.errors import LockedError, PwactError
from pwact.io import lease
from pwact.io.files import demand_own
from pwact.io.lease import Lease, holder
from pwact.io.machine import Machine, start_of, this_machine

logger = logging.getLogger(__name__)
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
Holder = dict[str, Any]


def never(_: Holder) -> str:
    """Know of no holder that it is dead."""
    return ""


class WorkLock:
    """Context manager that holds a work directory for this process.

    On one machine the kernel's lock (`flock`) decides, so that a crash frees it. Machines that
    share the directory, but perhaps no locks, see each other by a lease beside it: a file that one
    of them at a time can make, and that the holder touches as a sign of life. The lock file tells
    people who holds it.

    What a dead holder has left is taken over with a notice in the log. On the same start of the
    same machine its process is looked for; a machine that was started again runs it no more;
    of another machine `known_dead` may know. Else the lease is watched: without a sign of life the
    holder is dead.

    Parameters
    ----------
    path
        The lock file; the lease lies beside it, as ``lease``.
    known_dead
        Says why a holder on another machine is dead for certain, or "".
    patient
        Whether to watch for a sign of life; else a holder on another machine counts as alive.

    Raises
    ------
    LockedError
        On entry, when another process holds the lock; it names the holder's host and pid.
    """

    def __init__(
        self,
        path: Path,
        known_dead: Callable[[Holder], str] = never,
        patient: bool = True,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.path = path
        self._known_dead = known_dead
        self._patient = patient
        self._sleep = sleep
        self._handle = -1
        self._lease: Optional[Lease] = None

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
        """Treat the present holder as dead from now on."""
        self._known_dead = lambda _: "it was ended"

    def demand(self) -> None:
        """Raise LockedError if another master has taken over, as it thought this one dead."""
        if self._lease is not None and not self._lease.still_mine():
            who = holder(self._lease.path) or {}
            raise LockedError(
                f"{self.path.parent.parent}: taken over by process {who.get('pid')} on host "
                f"{who.get('host')}, which saw no sign of life of this one; this one stops"
            )

    def _take(self, handle: int) -> None:
        locks = True
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise self._locked(holder(self.path)) from error
        except OSError as error:
            logger.warning("%s: this file system has no locks (%s)", self.path, error.strerror)
            locks = False
        place = self.path.with_name("lease")
        demand_own(place)
        before = holder(place) or ({} if place.exists() else None)  # {}: damaged by a crash
        named = before or holder(self.path) or before
        if named and self._of_another(named):
            logger.warning(
                "%s: copied from %s, which alone it locks", self.path, named["directory"]
            )
        elif named is not None:
            why = self._why_dead(named, locks, watched=before is not None)
            if not why:
                raise self._locked(named)
            logger.warning(
                "%s: taken over from process %s on %s, which ended without letting go: %s",
                self.path,
                named.get("pid"),
                named.get("host"),
                why,
            )
        me = self._myself()
        mine = Lease(place, me)
        ours = before is None or lease.take_away(place, before)
        if not ours or not self._made(mine):
            raise self._locked(holder(place))
        self._lease = mine
        mine.beat()
        self._write_holder(handle, me)

    def _why_dead(self, named: Holder, locks: bool, watched: bool) -> str:
        """Why a holder that did not let go is dead; "" if it lives, or may live."""
        here, there = this_machine(), _machine_of(named)
        same = here.same_start(there)
        if same or (same is None and here.host == there.host):
            return "" if _lives(named, locks) else "its process is gone"
        if here.started_again(there):
            return "the machine was started again since"
        if why := self._known_dead(named):
            return why
        if not watched or (named and not self._patient):
            return ""
        place = self.path.with_name("lease")
        logger.warning(
            "%s: process %s on %s may still work here; watching for %.0f s whether it lives",
            self.path,
            named.get("pid"),
            named.get("host"),
            lease.longest_watch_s(place),
        )
        return "" if lease.changes(place, self._sleep) else "it gave no sign of life"

    def _made(self, mine: Lease) -> bool:
        try:
            return mine.take()
        except OSError as error:
            raise PwactError(f"{mine.path}: cannot be written: {error.strerror}") from error

    def _of_another(self, named: Holder) -> bool:
        """Whether a holder works in another directory, of which this one is a copy."""
        other = Path(str(named.get("directory") or self.path.parent.parent), self.path.parent.name)
        return other.is_dir() and not other.samefile(self.path.parent)

    def _myself(self) -> Holder:
        return {
            **asdict(this_machine()),
            "pid": os.getpid(),
            "start": start_of(os.getpid()),
            "directory": str(self.path.absolute().parent.parent),
            "job": os.environ.get("SLURM_JOB_ID"),
            "restarts": os.environ.get("SLURM_RESTART_COUNT", "0"),
        }

    def _write_holder(self, handle: int, me: Holder) -> None:
        try:
            os.ftruncate(handle, 0)
            os.pwrite(handle, json.dumps(me).encode(), 0)
            os.fsync(handle)
        except OSError as error:
            self._let_go()
            raise PwactError(f"{self.path}: cannot be written: {error.strerror}") from error

    def _locked(self, who: Optional[Holder]) -> LockedError:
        who = who or {}
        host, pid = who.get("host", "unknown"), who.get("pid", "unknown")
        hint = ""
        if host != this_machine().host:
            hint = f"; if it is dead for certain, delete {self.path} and the file lease beside it"
        return LockedError(
            f"another pwact works in {self.path.parent.parent}: process {pid} on host {host}{hint}"
        )

    def _let_go(self) -> None:
        if self._lease is not None:
            self._lease.give_back()
            self._lease = None

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[types.TracebackType],
    ) -> None:
        if self._lease is not None and self._lease.still_mine():
            os.ftruncate(self._handle, 0)
        self._let_go()
        os.close(self._handle)
        self._handle = -1


def _machine_of(named: Holder) -> Machine:
    return Machine(*(str(named.get(key) or "") for key in ("host", "boot", "id")))


def _lives(named: Holder, locks: bool) -> bool:
    """Whether the process of a holder on this machine lives."""
    pid, start = named.get("pid"), named.get("start")
    if not isinstance(pid, int):
        return False
    found = start_of(pid)
    if start is None:  # pwact 0.5.0 did not say
        return not locks and found is not None
    return bool(found == start)
