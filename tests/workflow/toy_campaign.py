"""Whole campaigns with toy engines: the real journal and dispatcher, jobs run in this process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Optional

import pytest

from pwact import engines
from pwact.executors.base import JobPhase, JobSpec, JobState
from pwact.executors.slurm_text import DIALECT
from pwact.workflow.active_learning import RunResult, run_active_learning
from pwact.workflow.campaign import Campaign, CampaignOptions, open_campaign
from pwact.workflow.init_bulk.campaign import InitResult, run_init_bulk
from tests.workflow.pairs import load, resources
from tests.workflow.toys import RUN

TOYS = (
    (engines.TRAINERS, "pod", "tests.workflow.toys:ToyTrainer"),
    (engines.EXPLORERS, "lammps", "tests.workflow.toys:ToyExplorer"),
    (engines.LABELERS, "ase", "tests.workflow.toys:ToyLabeler"),
)


class ToyExecutor:
    """Runs the tasks of a job when it is submitted.

    Attributes
    ----------
    ran
        Directories of the tasks that were run.
    """

    dialect = DIALECT
    poll_first_s = 0.0
    poll_longest_s = 0.0
    grace_s = 0.0
    trusts_records = False
    settle_s = 0.0
    stuck_s = 0.0

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.spoil: dict[str, str] = {}

    def room(self, live: int) -> Optional[int]:
        return None

    def submit(self, spec: JobSpec) -> str:
        for task in spec.tasks:
            self.ran.append(str(task.directory))
            spoilt = [file for part, file in self.spoil.items() if part in str(task.directory)]
            if spoilt:
                (task.directory / spoilt[0]).touch()
            else:
                RUN[task.command](task.directory)
        return spec.name

    def output_file(self, spec: JobSpec, job_id: str) -> Path:
        return spec.output

    def find(self, name: str) -> Optional[str]:
        return None

    def poll(self, jobs: Mapping[str, str]) -> dict[str, JobState]:
        return {number: JobState(JobPhase.ENDED) for number in jobs}

    def cancel(self, jobs: Mapping[str, str]) -> None:
        return None


def use_toys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the toy engines in place of those that ``pod`` and ``ase`` name."""
    for table, name, toy in TOYS:
        monkeypatch.setitem(table, name, toy)


@contextmanager
def campaign(
    work_dir: Path, command: str, seed: Optional[int], executor: ToyExecutor, **options: Any
) -> Iterator[Campaign]:
    chosen = CampaignOptions(**options)
    with open_campaign(work_dir, command, seed, chosen, lambda _: executor) as opened:
        yield opened


def run_loop(
    work_dir: Path, param: Mapping[str, Any], executor: ToyExecutor, **options: Any
) -> RunResult:
    pair = load(work_dir, param, resources())
    with campaign(work_dir, "run", param["seed"], executor, **options) as opened:
        return run_active_learning(pair.config, pair.resources, opened)


def run_chain(
    work_dir: Path, param: Mapping[str, Any], executor: ToyExecutor, **options: Any
) -> InitResult:
    pair = load(work_dir, param, resources())
    with campaign(work_dir, "init_bulk", param["seed"], executor, **options) as opened:
        return run_init_bulk(pair.config, pair.resources, opened)
