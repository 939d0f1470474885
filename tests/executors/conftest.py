from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Callable, Optional

import pytest

from pwact.config.resources import ResourceBlock
from pwact.executors.base import JobPhase, JobSpec, JobState, Task
from pwact.executors.dispatcher import Dispatcher
from pwact.executors.slurm_text import DIALECT
from pwact.io.journal import Journal
from pwact.verdict import DONE, Verdict, incomplete, unusable

WAITING = JobState(JobPhase.WAITING, "PENDING")
RUNNING = JobState(JobPhase.RUNNING, "RUNNING")
COMPLETED = JobState(JobPhase.ENDED, "COMPLETED")
FAILED = JobState(JobPhase.ENDED, "FAILED")
GONE = JobState(JobPhase.GONE)


def check(directory: Path) -> Verdict:
    try:
        text = (directory / "out").read_text()
    except OSError:
        return incomplete("there is no out")
    return unusable("not converged") if text == "unusable" else DONE


def finish(task: Task, text: str = "done") -> None:
    (task.directory / "out").write_text(text)


def succeed(spec: JobSpec) -> JobState:
    for task in spec.tasks:
        finish(task)
    return COMPLETED


class Clock:
    def __init__(self) -> None:
        self.now = 0.0
        self.sleeps = 0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.sleeps += 1
        assert self.sleeps < 20000, "the dispatcher waits for ever"
        self.now += seconds


class FakeExecutor:
    """A scheduler in memory: each job is what `work` makes of it when it is first polled.

    `work` gets the spec and may return a state that is still alive; it is asked again then.
    """

    dialect = DIALECT
    poll_first_s = 1.0
    poll_longest_s = 8.0
    grace_s = 30.0
    trusts_records = False
    settle_s = 0.0
    stuck_s = 100.0

    def __init__(self, work: Callable[[JobSpec], JobState] = succeed) -> None:
        self.work = work
        self.specs: dict[str, JobSpec] = {}
        self.ended: dict[str, JobState] = {}
        self.cancelled: list[str] = []
        self.polls: list[int] = []
        self.limit: Optional[int] = None
        self.most_live = 0

    def room(self, live: int) -> Optional[int]:
        self.most_live = max(self.most_live, live)
        return None if self.limit is None else max(0, self.limit - live)

    def submit(self, spec: JobSpec) -> str:
        assert spec.script.read_text().startswith("#!/bin/bash")
        job_id = str(100 + len(self.specs))
        self.specs[job_id] = spec
        return job_id

    def output_file(self, spec: JobSpec, job_id: str) -> Path:
        return spec.output

    def find(self, name: str) -> Optional[str]:
        return next((key for key, spec in self.specs.items() if spec.name == name), None)

    def poll(self, jobs: Mapping[str, str]) -> dict[str, JobState]:
        self.polls.append(len(jobs))
        states = {}
        for job_id, name in jobs.items():
            spec = self.specs.get(job_id)
            if spec is None or spec.name != name:
                states[job_id] = GONE
                continue
            if job_id not in self.ended:
                states[job_id] = self.work(spec)
                if states[job_id].alive:
                    continue
                self.ended[job_id] = states[job_id]
            states[job_id] = self.ended[job_id]
        return states

    def cancel(self, jobs: Mapping[str, str]) -> None:
        self.cancelled += jobs
        self.ended.update((job_id, JobState(JobPhase.ENDED, "CANCELLED")) for job_id in jobs)

    @property
    def names(self) -> list[str]:
        return [spec.name for spec in self.specs.values()]


class Bench:
    """A work directory with a journal, a dispatcher and tasks."""

    def __init__(self, root: Path, executor: object = None) -> None:
        self.root = root
        self.clock = Clock()
        self.executor = executor or FakeExecutor()
        (root / ".pwact").mkdir(parents=True, exist_ok=True)
        self.directory = root / "stage"
        self.directory.mkdir(exist_ok=True)
        self.journal = Journal(root / ".pwact" / "journal.jsonl")
        self.block = ResourceBlock(name="DFT", command="x", scheduler="local")

    def restarted(self) -> Bench:
        """The same directory under a new master; the scheduler and its time go on."""
        self.journal.close()
        bench = Bench(self.root, self.executor)
        bench.block, bench.clock = self.block, self.clock
        return bench

    def tasks(self, number: int, command: str = "echo done > out", **changes) -> list[Task]:
        found = []
        for index in range(number):
            directory = self.directory / f"task.{index:03d}"
            directory.mkdir(exist_ok=True)
            found.append(Task(directory, command, check, "log"))
        return [replace(task, **changes) for task in found]

    def dispatcher(self, real_time: bool = False, **more) -> Dispatcher:
        times = () if real_time else (self.clock.sleep, self.clock)
        return Dispatcher(self.journal, str(self.root), lambda block: self.executor, *times, **more)

    def run(self, tasks, kind="scf", real_time=False, **block):
        dispatcher = self.dispatcher(real_time)
        return dispatcher.run(kind, self.directory, tasks, replace(self.block, **block))

    def events(self, what: str) -> list[dict]:
        return [event for event in self.journal.events() if event["event"] == what]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "work dir")
