"""Ends a campaign: its master, if it is ours, and the jobs that its journal holds."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Callable

from pwact import layout
from pwact.config.resources import ResourceBlock
from pwact.errors import LockedError, PwactError
from pwact.executors import executor_for as default_executor_for
from pwact.executors.base import Executor
from pwact.executors.cancel import cancel_jobs, open_jobs
from pwact.executors.history import ASKED
from pwact.io import files
from pwact.io.journal import Journal
from pwact.io.lease import holder
from pwact.io.lock import WorkLock
from pwact.workflow import master
from pwact.workflow.place import living_elsewhere, original_of

_PATIENCE_S = 15.0
_LOOK_S = 0.05


def kill(
    work_dir: Path,
    command: str,
    executor_for: Callable[[ResourceBlock], Executor] = default_executor_for,
) -> list[str]:
    """End the master of `command` in `work_dir` and every open job of it; say what was ended.

    Works as well when the master is dead. No process is touched that the journal does not know.

    Parameters
    ----------
    command
        ``init_bulk`` or ``run``.

    Raises
    ------
    PwactError
        When pwact never worked here, or the master is out of reach: on another host, or busy with
        the other command.
    """
    path = work_dir / layout.STATE_DIR / layout.JOURNAL
    started = _masters(path)
    if not any(event["command"] == command for event in started):
        raise PwactError(f"{work_dir}: no 'pwact {command}' was ever started here")
    events = Journal(path).events()
    original = original_of(work_dir, events)
    if original is not None:
        raise PwactError(
            f"{work_dir}: is a copy of {original}, whose processes and jobs are left alone; to end "
            "them, give this command there"
        )
    if other := living_elsewhere(work_dir, events):
        raise PwactError(
            f"process {other['pid']}, which the journal names, does not hold the lock of this "
            f"directory, if it is not a copy of another one; end that process by hand"
        )
    lock = WorkLock(path.with_name(layout.LOCK), partial(master.why_dead, events), patient=False)
    ended = []
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(lock)
        except LockedError as error:
            ended.append(_stop_master(lock.path, command, started[-1], str(error), executor_for))
            lock.free()
            held.enter_context(lock)
        files.remove(work_dir / layout.PID)
        journal = Journal(path)
        held.callback(journal.close)
        directories = _directories(journal, command)
        for directory in directories:
            ended += cancel_jobs(journal, executor_for, below=directory)
        left = [job.name for job in open_jobs(journal) if job.directory in directories]
    if left:
        raise PwactError("\n".join([*ended, f"not ended: {', '.join(left)}; try again later"]))
    return ended


def _directories(journal: Journal, command: str) -> list[str]:
    """Where masters of `command` asked for jobs, relative."""
    asking, found = "", set()
    for event in journal.events():
        if event["event"] == master.EVENT:
            asking = event["command"]
        elif event["event"] == ASKED and asking == command:
            found.add(event["directory"])
    return sorted(found)


def _masters(path: Path) -> list[Mapping[str, Any]]:
    return [event for event in Journal(path).events() if event["event"] == master.EVENT]


def _stop_master(
    path: Path,
    command: str,
    last: Mapping[str, Any],
    held: str,
    executor_for: Callable[[ResourceBlock], Executor],
) -> str:
    """Stop the living master, which holds the lock at `path`; return when it let go."""
    pid = int(last["pid"])
    if last["command"] != command:
        raise PwactError(f"{held}; it is 'pwact {last['command']}', not 'pwact {command}'")
    named = (holder(path) or {}).get("pid") == last["pid"]
    if named and last.get("job") and _cancel_masters_job(last, executor_for):
        return f"job {last['job']} ended: the master of 'pwact {command}' ran in it"
    if last["host"] != socket.gethostname():
        raise PwactError(f"{held}; give this command on that host")
    if not master.lives_here(last) or not master.holds(pid, path):
        raise PwactError(f"{held}; it has only just begun or ends just now, try again")
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        if _gone(pid, last["mark"]):
            return f"process {pid} ended: the master of 'pwact {command}'"
    raise PwactError(f"process {pid} does not end")


def _cancel_masters_job(
    last: Mapping[str, Any], executor_for: Callable[[ResourceBlock], Executor]
) -> bool:
    """End the SLURM job in which a master runs; False if SLURM has no such job."""
    executor = executor_for(ResourceBlock(scheduler="slurm"))
    job = {str(last["job"]): str(last["job_name"])}
    if not executor.poll(job)[str(last["job"])].alive:
        return False
    executor.cancel(job)
    if executor.poll(job)[str(last["job"])].alive:
        raise PwactError(f"job {last['job']}, in which the master runs, does not end")
    return True


def _gone(pid: int, mark: str) -> bool:
    end = time.monotonic() + _PATIENCE_S
    while master.start_mark(pid) == mark:
        if time.monotonic() > end:
            return False
        time.sleep(_LOOK_S)
    return True
