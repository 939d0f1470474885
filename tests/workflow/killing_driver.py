"""Starts the small campaign again and again, and lets it die each time a little later.

Every start is a fork of this process, which has imported everything: it costs milliseconds. Run as
``python -m tests.workflow.killing_driver WORK_DIR PLAN JOBS SEED``; PLAN says when the master dies:

- ``after``: as soon as the next new journal line is on disk;
- ``before``: with half of the next new line on disk, that is after what it tells of was done;
- ``random``: 20 times at a random instant.

JOBS is ``keep`` or ``kill``: what happens to the jobs of the dead master. Prints what it did.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pwact import layout
from pwact.executors.processes import own_processes
from pwact.io.journal import Journal
from tests.workflow import small_campaign

RANDOM_KILLS = 20
LONGEST_S = 0.4
MOST_STARTS = 250


def main() -> None:
    work_dir, plan, jobs, seed = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
    small_campaign.write_inputs(work_dir)
    dice = random.Random(seed)
    kills = 0
    for start in range(MOST_STARTS):
        child = os.fork()
        if child == 0:
            work(work_dir, plan, start)
        if plan == "random" and kills < RANDOM_KILLS:
            time.sleep(dice.uniform(0.0, LONGEST_S))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            if os.WEXITSTATUS(status):
                sys.exit(f"start {start} failed\n{(work_dir / 'master.log').read_text()}")
            break
        kills += 1
        if jobs == "kill":
            kill_jobs(work_dir)
    else:
        sys.exit(f"not done after {MOST_STARTS} starts")
    print(json.dumps({"kills": kills, "left": len(processes(work_dir))}))


def work(work_dir: Path, plan: str, start: int) -> None:
    """Be the master; never return."""
    log = os.open(work_dir / "master.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 2)
    die_at_line(plan, start)
    try:
        small_campaign.run(work_dir)
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def die_at_line(plan: str, start: int) -> None:
    """Let this process kill itself at a journal line; each start begins with one or two."""
    last = {"after": 2 if start else 1, "before": 3 if start else 1}.get(plan, -1)
    whole = Journal.append_all
    lines = 0

    def append_all(self: Journal, event: str, records: Sequence[Mapping[str, Any]]) -> None:
        nonlocal lines
        lines += 1
        if lines == last and plan == "before":
            with self.path.open("ab") as stream:
                stream.write(b'{"event": "' + event.encode()[: len(event) // 2])
        if lines < last or last < 0 or plan == "after":
            whole(self, event, records)
        if lines == last:
            os.kill(os.getpid(), signal.SIGKILL)

    Journal.append_all = append_all  # type: ignore[method-assign]


def processes(work_dir: Path) -> list[int]:
    """Living processes of the campaign's jobs."""
    path = work_dir / layout.STATE_DIR / layout.JOURNAL
    events = Journal(path).events()
    names = {event["name"] for event in events if event["event"] == "job_asked"}
    return [process.pid for process in own_processes() if process.job in names]


def kill_jobs(work_dir: Path) -> None:
    """Kill all processes of all jobs, as a machine that loses its power."""
    while living := processes(work_dir):
        for pid in living:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.005)


if __name__ == "__main__":
    main()
