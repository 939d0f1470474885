"""Starts the small campaign again and again, and lets it die at every journal line once.

Every start is a fork of this process, which has imported everything: it costs milliseconds. Run as
``python -m tests.workflow.killing_driver FOLDER PLAN JOBS SEED``; PLAN says when the master dies:

- ``after``: as soon as a line of a sort that was not seen before is on disk;
- ``before``: with half of such a line on disk, that is after what it tells of was done;
- ``random``: 20 times at a random instant; where a campaign ends before that, another one follows.

JOBS is ``keep`` or ``kill``: what happens to the jobs of the dead master; with ``either``, SEED
decides it each time. The campaigns are run in ``FOLDER/0``, ``FOLDER/1`` …. Prints what it did.
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
MOST_STARTS = 100
EVEN = 0.5
SEEN = "lines.seen"


def main() -> None:
    folder, plan, jobs, seed = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
    dice = random.Random(seed)
    wanted = RANDOM_KILLS if plan == "random" else 0
    kills, campaigns = 0, []
    while not campaigns or kills < wanted:
        campaigns.append(folder / str(len(campaigns)))
        kills += campaign(campaigns[-1], plan, jobs, dice, wanted - kills)
    left = sum(len(processes(work_dir)) for work_dir in campaigns)
    print(json.dumps({"kills": kills, "left": left, "campaigns": len(campaigns)}))


def campaign(work_dir: Path, plan: str, jobs: str, dice: random.Random, most: int) -> int:
    """Start one campaign until it is done; how often its master died."""
    small_campaign.write_inputs(work_dir)
    for kills in range(MOST_STARTS):
        child = os.fork()
        if child == 0:
            work(work_dir, plan)
        if kills < most:
            time.sleep(dice.uniform(0.0, LONGEST_S))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            if os.WEXITSTATUS(status):
                sys.exit(f"start {kills} failed\n{(work_dir / 'master.log').read_text()}")
            return kills
        if jobs == "kill" or (jobs == "either" and dice.random() < EVEN):
            kill_jobs(work_dir)
    sys.exit(f"not done after {MOST_STARTS} starts")


def work(work_dir: Path, plan: str) -> None:
    """Be the master; never return."""
    log = os.open(work_dir / "master.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 2)
    if plan != "random":
        die_at_line(work_dir, plan)
    try:
        small_campaign.run(work_dir)
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def die_at_line(work_dir: Path, plan: str) -> None:
    """Let this process kill itself at the first journal line that none before it has died at."""
    seen_file = work_dir / SEEN
    seen = set(seen_file.read_text().splitlines()) if seen_file.exists() else set()
    whole = Journal._write_out

    def write_out(self: Journal, text: bytes) -> None:
        lines = [json.loads(line) for line in text.splitlines()]
        told = sorts([*Journal(self.path).events(), *lines])[-len(lines) :]
        new = [sort for sort in told if sort not in seen]
        if new and plan == "before":
            with self.path.open("ab") as stream:
                stream.write(text[: text.index(b",") // 2 + 5])
        else:
            whole(self, text)
        if new:
            with seen_file.open("a") as stream:
                stream.write("".join(f"{sort}\n" for sort in new))
            os.kill(os.getpid(), signal.SIGKILL)

    Journal._write_out = write_out  # type: ignore[method-assign]


def sorts(events: Sequence[Mapping[str, Any]]) -> list[str]:
    """What every line tells of: equal for lines that tell the same.

    A stage or a job's group; for labels the directory alone, since their groups are numbered in the
    order in which their systems come.
    """
    places: dict[str, str] = {}
    found = []
    for event in events:
        name = event.get("name", "")
        if event["event"] == "job_asked":
            group = name.partition("-")[0]
            group = group.rstrip("0123456789") if group.startswith("scf") else group
            places[name] = f"{event['directory']} {group}"
        found.append(f"{event['event']} {places.get(name, name)}")
    return found


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
