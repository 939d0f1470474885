"""Runs pytest and ends with it, whatever happens: a test that hangs, a worker that died.

    python tests/watchdog.py [--test-s S] [--idle-s S] [--total-s S] COMMAND …

pytest ends a test at its own time limit. It cannot where the test ignores that, where a worker
died without a word and the others wait for it, or where the tests are being collected. Three limits
end all of it, with the name of what ran: `--test-s` for one test, `--idle-s` for a time in which no
test runs at all, `--total-s` for the whole. What the tests started and left is ended as well.
The exit code is that of the command, or 1 where a limit was reached or a process died in a test.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

FOLDER_VARIABLE = "PWACT_TEST_PROGRESS"  # as in tests/running.py
MARK_VARIABLE = "PWACT_TEST_WATCHDOG"  # by it everything that a test started is found again
POLL_S = 0.2
LAST_WORDS_S = 2.0


def processes_of(mark: str) -> set[int]:
    """Every living process that inherited the mark, or descends from this one."""
    parents, marked = {}, set()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, parent = (folder / "stat").read_bytes().rpartition(b")")[2].split()[:2]
            if state not in (b"Z", b"X"):
                parents[int(folder.name)] = int(parent)
            if f"{MARK_VARIABLE}={mark}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                marked.add(int(folder.name))
    family = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return ((marked & parents.keys()) | family) - {os.getpid()}


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to all that are still there."""
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, number)


def is_alive(pid: int) -> bool:
    """A process that is there and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return state.rpartition(")")[2].split()[0] not in "ZX"


class Progress:
    """What the processes of pytest wrote into a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.began = time.time()
        self.lost: dict[str, int] = {}

    def running(self) -> dict[str, tuple[int, float]]:
        """Test → its process and for how long it has run, in s; what died is put to `lost`."""
        found = {}
        for file in self.folder.iterdir():
            with contextlib.suppress(OSError):
                text, since = file.read_text(encoding="utf-8"), file.stat().st_mtime
                if not text:
                    continue
                if is_alive(int(file.name)):
                    found[text] = (int(file.name), time.time() - since)
                    continue
                self.lost[text] = int(file.name)
                file.write_text("", encoding="utf-8")
        return found

    def idle_s(self) -> float:
        """How long ago something was written; 0 before the first word."""
        times = []
        for file in self.folder.iterdir():
            with contextlib.suppress(OSError):
                times.append(file.stat().st_mtime)
        return time.time() - max(times, default=time.time())


def over_a_limit(progress: Progress, limits: argparse.Namespace) -> str | None:
    """Which limit was reached, in words."""
    running = progress.running()
    slow = [test for test, (_, seconds) in running.items() if seconds > limits.test_s]
    if slow:
        return f"{' and '.join(slow)} ran for more than {limits.test_s:g} s"
    if not running and progress.idle_s() > limits.idle_s:
        return f"for {limits.idle_s:g} s no test ran, and pytest did not end"
    if time.time() - progress.began > limits.total_s:
        return f"the tests took more than {limits.total_s:g} s"
    return None


def end_all(progress: Progress, mark: str, why: str) -> None:
    """Say why and what ran, have each process of pytest show where it stands, and end all."""
    running = progress.running()
    print(f"\n!! watchdog: {why}", flush=True)
    for test, (pid, seconds) in running.items():
        print(f"!! watchdog: running for {seconds:.0f} s: {test} (process {pid})", flush=True)
    # pytest's faulthandler writes where each thread of an aborted process stands
    send([pid for pid, _ in running.values()], signal.SIGABRT)
    time.sleep(LAST_WORDS_S if running else 0)
    end_family(mark)


def end_family(mark: str) -> int:
    """Kill all of it until nothing is left; how many there were."""
    ended: set[int] = set()
    for _ in range(50):
        pids = processes_of(mark)
        if not pids:
            break
        ended.update(pids)
        send(pids, signal.SIGKILL)
        time.sleep(0.05)
    return len(ended)


def watch(command: list[str], limits: argparse.Namespace, folder: Path) -> int:
    """Run the command; its exit code, or 1 where a limit was reached."""
    mark = f"{os.getpid()}-{time.time_ns()}"
    progress = Progress(folder)
    env = {**os.environ, FOLDER_VARIABLE: str(folder), MARK_VARIABLE: mark}
    process = subprocess.Popen(command, env=env)
    status = None
    try:
        while status is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(POLL_S)
            status = process.poll()
            why = over_a_limit(progress, limits) if status is None else None
            if why:
                end_all(progress, mark, why)
                status = 1
    finally:
        left_over = end_family(mark)
    progress.running()
    for test, pid in progress.lost.items():
        print(f"!! watchdog: process {pid} died in {test}", flush=True)
    if left_over and not why:
        print(f"!! watchdog: ended {left_over} left-over process(es)", flush=True)
    return 1 if progress.lost or status < 0 else status


def main() -> int:
    """Read the limits, and run the rest."""
    parser = argparse.ArgumentParser(description="Run pytest, and end with it whatever happens.")
    parser.add_argument("--test-s", type=float, default=1200.0)
    parser.add_argument("--idle-s", type=float, default=600.0)
    parser.add_argument("--total-s", type=float, default=7200.0)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    limits = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda got, _frame: sys.exit(128 + got))
    with tempfile.TemporaryDirectory(prefix="pwact-tests-") as folder:
        return watch(limits.command, limits, Path(folder))


if __name__ == "__main__":
    sys.exit(main())
