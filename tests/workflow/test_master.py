"""When a master on another machine is dead for certain."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pwact import layout
from pwact.errors import SchedulerError
from pwact.executors import foreign
from pwact.executors.slurm import Answer
from pwact.workflow import master

OTHER = {"host": "c1", "pid": 7, "job": "3", "restarts": "0"}
TOLD = [{"event": "master_started", "host": "c1", "pid": 7, "job": "3"}]  # as 0.5.0 tells
OLD = {"host": "c1", "pid": 7}


@pytest.fixture
def slurm(monkeypatch: pytest.MonkeyPatch) -> dict[str, Answer]:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.delenv("SLURM_RESTART_COUNT", raising=False)
    answers: dict[str, Answer] = {}

    def call(words: Any) -> Answer:
        if "all" not in answers:
            raise SchedulerError("not installed")
        return answers["all"]

    monkeypatch.setattr(foreign, "call", call)
    return answers


@pytest.mark.parametrize(
    ("named", "job", "restarts", "dead"),
    [
        (OTHER, "3", "1", True),  # requeued
        (OTHER, "3", None, False),  # two starts in one job of two nodes
        ({**OTHER, "restarts": "1"}, "3", "1", False),
        (OTHER, "4", "1", False),
        (OTHER, None, None, False),
        (OLD, "3", None, True),
        ({**OLD, "pid": 8}, "3", None, False),
    ],
)
def test_slurm_starts_a_job_again(
    slurm: object, monkeypatch: pytest.MonkeyPatch, named: Any, job: Any, restarts: Any, dead: bool
) -> None:
    for name, value in (("SLURM_JOB_ID", job), ("SLURM_RESTART_COUNT", restarts)):
        if value is not None:
            monkeypatch.setenv(name, value)
    assert ("started its job 3 again" in master.why_dead(TOLD, named)) == dead


@pytest.mark.parametrize(
    ("answer", "dead"),
    [
        (Answer(0, "RUNNING\n", ""), False),
        (Answer(0, "PENDING\n", ""), False),
        (Answer(0, "NODE_FAIL\n", ""), True),
        (Answer(0, "", ""), True),
        (Answer(1, "", "slurm_load_jobs error: Invalid job id specified"), True),
        (Answer(1, "", "slurm_load_jobs error: Unable to contact slurm controller"), False),
        (None, False),
    ],
)
@pytest.mark.parametrize("named", [OTHER, OLD])
def test_a_job_that_runs_no_more(
    slurm: dict[str, Answer], named: Any, answer: Any, dead: bool
) -> None:
    if answer is not None:
        slurm["all"] = answer
    assert bool(master.why_dead(TOLD, named)) == dead
    assert not master.why_dead([], {"host": "c1", "pid": 7, "job": "3; rm -r x"})


def test_the_pid_of_another_master_stays(tmp_path: Any) -> None:
    path = tmp_path / layout.PID
    with master.pid_file(tmp_path):
        path.write_text("pid 1 job 815")  # of one that took over
    assert path.read_text() == "pid 1 job 815"
    with master.pid_file(tmp_path):
        assert json.dumps(path.read_text()).startswith('"pid ')
    assert not path.exists()
