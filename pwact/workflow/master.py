"""Who the master of a work directory is: its PID file and its identity."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from pwact import layout
from pwact.errors import BudgetError, PwactError
from pwact.executors.foreign import slurm_job_ended
from pwact.executors.processes import read_process
from pwact.io import files
from pwact.io.lease import holder
from pwact.io.machine import boot_id

EVENT = "master_started"
ENDED = "master_ended"


@dataclass(frozen=True)
class PidFile:
    """Content of ``PID``: the process and, when it runs inside a SLURM job, that job's id."""

    pid: int
    job: Optional[str] = None

    @property
    def text(self) -> str:
        """As PWact writes it, without a newline."""
        return f"pid {self.pid}" + (f" job {self.job}" if self.job else "")


def read_pid(work_dir: Path) -> Optional[PidFile]:
    """Read ``PID`` in any of its historical forms; None if there is none.

    Raises
    ------
    PwactError
        When the file holds something else.
    """
    path = work_dir / layout.PID
    if not path.exists():
        return None
    text = path.read_bytes().decode("utf-8", "replace").strip()
    found = re.fullmatch(r"(?:pid\s+)?([1-9]\d{0,9})(?:\s+job\s+(\S+))?", text)
    if found is None:
        raise PwactError(f"{path}: does not hold a process number, but {text[:40]!r}")
    return PidFile(int(found[1]), found[2])


@contextlib.contextmanager
def pid_file(work_dir: Path) -> Iterator[None]:
    """Keep ``PID`` while the master works; the file of a killed master is replaced."""
    path = work_dir / layout.PID
    for left in work_dir.glob(f".{layout.PID}.*.tmp"):  # by a master that died while writing it
        files.remove(left)
    me = PidFile(os.getpid(), os.environ.get("SLURM_JOB_ID"))
    files.write_text(path, me.text)
    try:
        yield
    finally:
        with contextlib.suppress(PwactError):
            if read_pid(work_dir) == me:  # another master may have taken over
                files.remove(path)


def myself() -> dict[str, Any]:
    """Host, pid and start mark of this process, and its SLURM job if any, for the journal."""
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "mark": start_mark(os.getpid()),
        "job": os.environ.get("SLURM_JOB_ID"),
        "job_name": os.environ.get("SLURM_JOB_NAME"),
    }


def beginning(command: str, work_dir: Path, inputs: Mapping[str, str]) -> dict[str, Any]:
    """For the journal: a command begins to work, with these input files."""
    return {"command": command, "directory": str(work_dir), **myself(), **inputs}


def ending(error: Optional[BaseException], left: str = "") -> dict[str, str]:
    """How a master ended, for the journal: well, maybe with work `left`, or by which error."""
    if error is None:
        return {"how": "stopped" if left else "finished", "why": left}
    stopped = isinstance(error, (KeyboardInterrupt, GeneratorExit, BudgetError))
    why = str(error) or ("interrupted" if stopped else type(error).__name__)
    return {"how": "stopped" if stopped else "failed", "why": why}


def lives(started: Mapping[str, Any], work_dir: Path) -> Optional[bool]:
    """Whether the master that the journal tells of lives here; None if that cannot be seen.

    In a copy of a work directory the master of the original does not count.
    """
    if _works_elsewhere(started, work_dir):
        return False
    if started["host"] == socket.gethostname():
        return lives_here(started)
    held = holder(work_dir / layout.STATE_DIR / layout.LOCK) or {}
    same = all(held.get(key) == started[key] for key in ("host", "pid"))
    return None if same else False


def _works_elsewhere(started: Mapping[str, Any], work_dir: Path) -> bool:
    other = Path(str(started.get("directory") or work_dir))
    return other.is_dir() and not other.samefile(work_dir)


def lives_here(started: Mapping[str, Any]) -> bool:
    """Whether the process that the journal tells of lives on this machine."""
    mark = started.get("mark")
    return mark is not None and start_mark(int(started["pid"])) == mark


def holds(pid: int, path: Path) -> bool:
    """Whether a process of this machine has a file open."""
    with contextlib.suppress(OSError):
        for handle in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                if handle.samefile(path):
                    return True
    return False


def why_dead(events: Sequence[Mapping[str, Any]], named: Mapping[str, Any]) -> str:
    """Why a master on another machine is dead for certain, by its SLURM job; "" if it may live.

    Parameters
    ----------
    events
        Of the journal: pwact 0.5.0 named the job of a master there only.
    named
        Whom the lock names.
    """
    told = [event for event in events if event["event"] == EVENT]
    last = told[-1] if told else {}
    if all(named.get(key) == last.get(key) for key in ("host", "pid")):
        named = {"job": last.get("job"), **named}
    job = named.get("job")
    if not job:
        return ""
    if job == os.environ.get("SLURM_JOB_ID"):
        again = "restarts" not in named or _restarts(named["restarts"]) < _restarts(
            os.environ.get("SLURM_RESTART_COUNT")
        )
        return f"SLURM has started its job {job} again" if again else ""
    return f"its SLURM job {job} runs no more" if slurm_job_ended(str(job)) else ""


def _restarts(count: Any) -> int:
    text = str(count)
    return int(text) if text.isascii() and text.isdigit() else 0


def start_mark(pid: int) -> Optional[str]:
    """Text that tells a process from another that later gets the same number; None if dead."""
    process = read_process(pid)
    if process is None:
        return None
    return f"{boot_id()} {process.start}"
