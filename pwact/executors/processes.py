"""The processes of a job, found again through /proc whatever has happened to their parents."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "PWACT_JOB"  # every process of a job inherits it, with the job's name
_PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    """A living process of this user.

    Attributes
    ----------
    session
        Id of its session: the pid of the job's script.
    start
        When it was started, in clock ticks since the boot.
    job
        Name of the job that it belongs to, "" if its environment tells none.
    """

    pid: int
    session: int
    start: int
    job: str


def own_processes() -> Iterator[Process]:
    """All living processes of this user."""
    me = os.getuid()
    for entry in os.scandir(_PROC):
        if entry.name.isdigit():
            try:
                if entry.stat().st_uid != me:
                    continue
                found = read_process(int(entry.name))
            except OSError:
                continue
            if found is not None:
                yield found


def processes_with(program_name: str, words: Collection[str]) -> list[int]:
    """Pids of this user's living processes of a program that got one of the words.

    The program may be a script of that name, which a shell runs.
    """
    wanted = {os.fsencode(word) for word in words}
    found = []
    for process in own_processes():
        try:
            given = (_PROC / str(process.pid) / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        program = {os.path.basename(os.fsdecode(word)) for word in given}  # noqa: PTH119
        if program_name in program and not wanted.isdisjoint(given):
            found.append(process.pid)
    return found


def read_process(pid: int) -> Process | None:
    """Look at one process; None if it is dead or a zombie."""
    try:
        stat = (_PROC / str(pid) / "stat").read_bytes()
        fields = stat[stat.rindex(b")") + 2 :].split()
        if fields[0] in (b"Z", b"X"):
            return None
        return Process(pid, int(fields[3]), int(fields[19]), variable_of(pid, VARIABLE))
    except (OSError, ValueError, IndexError):
        return None


def variable_of(pid: int, name: str) -> str:
    """Value of a variable with which a process was started; "" if it has none."""
    prefix = f"{name}=".encode()
    try:
        environment = (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return ""
    for entry in environment:
        if entry.startswith(prefix):
            return os.fsdecode(entry[len(prefix) :])
    return ""


def processes_of(
    jobs: Collection[tuple[str, int, int]], children: Collection[int] = ()
) -> dict[str, list[Process]]:
    """All processes of some jobs, in one walk through /proc.

    A process belongs to a job if its environment says so. One that cleaned its environment belongs
    to it if it is in the session of the job's script, and that session is the job's for certain:
    the script lives (or is a child of this process that was not waited for), or another process in
    it has the job's name. A number alone is no proof, since it is given out again.

    Parameters
    ----------
    jobs
        Name, pid and start time of each job's script.
    children
        Pids of scripts that are children of this process and were not waited for.
    """
    scripts = {pid: (name, start) for name, pid, start in jobs}
    found: dict[str, list[Process]] = {name: [] for name, _, _ in jobs}
    everyone = list(own_processes())
    certain = {pid for pid in scripts if pid in children}
    certain |= {
        one.session
        for one in everyone
        if one.session in scripts and one.job == scripts[one.session][0]
    }
    leaders = {process.pid: process.start for process in everyone}
    for process in everyone:
        if process.job in found:
            found[process.job].append(process)
        elif not process.job and process.session in certain:
            name, start = scripts[process.session]
            if leaders.get(process.session, start) == start and process.start >= start:
                found[name].append(process)
    return found
