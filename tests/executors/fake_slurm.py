"""SLURM's commands as functions, with the texts that a real SLURM 22.05 was seen to print."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Callable, Optional, Union

from pwact.executors.base import OutageError
from pwact.executors.slurm import Answer, SlurmExecutor
from tests.executors.conftest import Bench

NO_CONTROLLER = "Unable to contact slurm controller (connect failure)"
OVER = [("PENDING", "Priority"), ("RUNNING", "None"), ("COMPLETED", "None")]
Step = tuple[str, str]
Override = Union[Answer, BaseException, Callable[[Sequence[str]], Optional[Answer]], None]


def refused(text: str, status: int = 1) -> Answer:
    return Answer(status, "", text + "\n")


@dataclass
class FakeJob:
    id: str
    name: str
    group: int
    life: list[Step]
    place: int = -1
    record: str = ""

    @property
    def step(self) -> Step:
        return self.life[min(max(self.place, 0), len(self.life) - 1)]


@dataclass
class FakeSlurm:
    """Every job of group g lives through `lives[g]`, one list for each run, one step a squeue.

    ``GONE`` stands for a job that squeue does not list, ``STRANGER`` for one whose id now belongs
    to another job. A job that reaches COMPLETED has done its task.
    """

    bench: Bench
    lives: dict[int, list[list[Step]]] = field(default_factory=dict)
    sbatch: list[Override] = field(default_factory=list)
    squeue: list[Override] = field(default_factory=list)
    sacct: Override = field(default_factory=lambda: refused("Slurm accounting storage is disabled"))
    jobs: dict[str, FakeJob] = field(default_factory=dict)
    calls: list[list[str]] = field(default_factory=list)
    command_s: float = 0.0
    runs: Counter[int] = field(default_factory=Counter)

    def __call__(self, words: Sequence[str]) -> Answer:
        self.calls.append(list(words))
        self.bench.clock.now += self.command_s
        command = words[0]
        if command == "sacct":
            return self._overridden(self.sacct, words) or Answer(0, "", "")
        queue = {"sbatch": self.sbatch, "squeue": self.squeue}.get(command)
        answer = self._overridden(queue.pop(0), words) if queue else None
        return answer or getattr(self, f"_{command}")(words)

    @staticmethod
    def _overridden(override: Override, words: Sequence[str]) -> Optional[Answer]:
        if isinstance(override, BaseException):
            raise override
        return override(words) if callable(override) else override

    def count(self, command: str) -> int:
        return sum(words[0] == command for words in self.calls)

    def accept(self, words: Sequence[str]) -> str:
        """Make the job that sbatch is asked for, and return its id."""
        flags = dict(
            word[2:].split("=", 1) for word in words if word.startswith("--") and "=" in word
        )
        number = str(100 + len({job.id.partition("_")[0] for job in self.jobs.values()}))
        name = flags["job-name"]
        groups = {}
        if "array" in flags:
            span = int(re.sub(r"\D", "", name.partition(".")[0]))
            for part in flags["array"].partition("%")[0].split(","):
                first, _, last = part.partition("-")
                for index in range(int(first), int(last or first) + 1):
                    groups[f"{number}_{index}"] = span * 1000 + index
        else:
            groups[number] = int(re.sub(r"\D", "", name.partition("-")[0]))
        for job_id, group in groups.items():
            runs = self.runs[group]
            self.runs[group] += 1
            lives = self.lives.get(group, [])
            life = lives[runs] if runs < len(lives) else OVER
            self.jobs[job_id] = FakeJob(job_id, name, group, list(life))
        return number

    def _sbatch(self, words: Sequence[str]) -> Answer:
        assert Path(words[-1]).read_text().startswith("#!/bin/bash")
        return Answer(0, self.accept(words) + "\n", "")

    def _squeue(self, words: Sequence[str]) -> Answer:
        flags = dict(word[2:].split("=", 1) for word in words if "=" in word)
        ids = flags["jobs"].split(",") if "jobs" in flags else None
        names = flags["name"].split(",") if "name" in flags else None
        lines, known = [], False
        for job in self.jobs.values():
            if ids is not None and job.id.partition("_")[0] not in ids:
                continue
            if names is not None and job.name not in names:
                continue
            if ids is not None:
                self._go_on(job)
            word, reason = job.step
            if word == "GONE":
                continue
            known = True
            name = "stranger" if word == "STRANGER" else job.name
            lines.append(f"{job.id}|{'RUNNING' if word == 'STRANGER' else word}|{name}|{reason}")
        if ids is not None and len(ids) == 1 and not known:
            return refused("slurm_load_jobs error: Invalid job id specified")
        return Answer(0, "".join(line + "\n" for line in lines), "")

    def _go_on(self, job: FakeJob) -> None:
        job.place += 1
        if job.step[0] == "COMPLETED":
            path = self.bench.directory / f"task.{job.group:03d}"
            (path / "out").write_text("done")

    def _scancel(self, words: Sequence[str]) -> Answer:
        for job_id in words[1:]:
            self.jobs[job_id].life = [("CANCELLED", "None")]
        return Answer(0, "", "")


def outage(text: str = f"slurm_load_jobs error: {NO_CONTROLLER}") -> Answer:
    return refused(text)


def slurm_bench(root: Path) -> Bench:
    """A bench whose executor asks a fake SLURM: its attribute `slurm`."""
    made = Bench(root)
    made.slurm = FakeSlurm(made)
    made.executor = SlurmExecutor(call=made.slurm, sleep=made.clock.sleep)
    made.block = replace(made.block, scheduler="slurm", queue_name="cpu")
    return made


def no_answer() -> OutageError:
    return OutageError("no answer in 120 s")
