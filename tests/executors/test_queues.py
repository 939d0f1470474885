"""PBS, Torque and LSF on strict stand-ins for their commands, which run the jobs."""

from __future__ import annotations

import os
import shlex
import stat
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pwact.errors import SchedulerError
from pwact.executors import executor_for
from pwact.executors.history import open_jobs_in
from tests.executors.conftest import Bench, check
from tests.executors.contract import ExecutorContract

COMMANDS = {
    "pbs": ("qsub", "qselect", "qstat", "qdel"),
    "torque": ("qsub", "qselect", "qstat", "qdel"),
    "lsf": ("bsub", "bjobs", "bkill", "bhist"),
}
PROGRAM = Path(__file__).parent / "queue_programs.py"


@pytest.fixture(params=sorted(COMMANDS))
def scheduler(request):
    return request.param


@pytest.fixture
def state(scheduler, tmp_path, monkeypatch):
    """Where the stand-ins keep their jobs."""
    programs, place = tmp_path / "bin", tmp_path / "queue"
    programs.mkdir()
    place.mkdir()
    (place / "flavour").write_text(scheduler)
    program = shlex.join([sys.executable, "-SE", str(PROGRAM)])
    for name in COMMANDS[scheduler]:
        path = programs / name
        path.write_text(f'#!/bin/sh\nexec {program} {name} "$@"\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("QUEUE_STAND_IN", str(place))
    return place


@pytest.fixture
def bench(scheduler, state, tmp_path):
    made = Bench(tmp_path / "work dir")
    made.block = replace(made.block, scheduler=scheduler, poll_interval=0.1)
    made.executor = executor_for(made.block)
    made.executor.grace_s = made.executor.settle_s = made.executor.stuck_s = 0.5
    yield made
    (state / "down").unlink(missing_ok=True)
    made.executor.cancel(
        {job.id: job.name for job in open_jobs_in(made.journal.events()) if job.id}
    )


@pytest.mark.parametrize("scheduler", ["lsf", "pbs"])  # Torque's commands are those of PBS
class TestQueues(ExecutorContract):
    pass


def test_what_is_asked_for_is_taken(bench):
    """The stand-ins refuse every word that the schedulers would not understand."""
    block = {"number_node": 2, "cpu_per_node": 4, "gpu_per_node": 1, "queue_name": "cpu"}
    limit = {"lsf": "-W 10"}.get(bench.block.scheduler, "-l walltime=10:00")
    more = {"group_size": 2, "parallel_num": 2, "custom_flags": (limit,)}
    results = list(bench.run(bench.tasks(3), real_time=True, **block, **more))
    assert [result.verdict.done for result in results] == [True] * 3
    assert len(bench.events("job_submitted")) == 2


def test_a_refusal_for_good(bench):
    with pytest.raises(SchedulerError, match="queue.*see queue_name.*resource.json: DFT"):
        list(bench.run(bench.tasks(1), real_time=True, queue_name="nope"))


def test_an_outage_is_no_outcome(bench, state, caplog):
    tasks = bench.tasks(1, "touch begun; while [ ! -e go ]; do sleep 0.02; done; echo done > out")
    bench.executor.trusts_records = False
    real = bench.executor.poll

    def poll(jobs):
        if (tasks[0].directory / "begun").exists() and not (state / "down").exists():
            (state / "down").touch()
            bench.executor.poll = after
        return real(jobs)

    def after(jobs):
        if check(tasks[0].directory).done:
            (state / "down").unlink(missing_ok=True)
        (tasks[0].directory / "go").touch()
        return real(jobs)

    bench.executor.poll = poll
    (result,) = bench.run(tasks, real_time=True)
    assert (result.verdict.done, result.attempts) == (True, 1)
    assert caplog.text.count("does not answer") == caplog.text.count("answers again") == 1


REASONS = {
    "pbs": "Not Running: User has reached queue cpu running job limit.",
    "torque": "Not Running: User has reached queue cpu running job limit.",
    "lsf": "User has reached the per-user job slot limit of the queue",
}


def test_why_a_job_waits_is_said(bench, state, scheduler, caplog):
    (state / "held").write_text(REASONS[scheduler])
    real = bench.executor.poll

    def poll(jobs):
        states = real(jobs)
        if bench.events("job_waiting"):
            (state / "held").unlink(missing_ok=True)
        return states

    bench.executor.poll = poll
    (result,) = bench.run(bench.tasks(1), real_time=True)
    assert (result.verdict.done, result.attempts) == (True, 1)
    reason = REASONS[scheduler].replace("Not Running: ", "")
    assert [event["reason"] for event in bench.events("job_waiting")] == [reason, ""]
    assert f"has to wait: {reason}" in caplog.text


def test_what_the_queue_forgot(bench, state, scheduler):
    """LSF's history knows it; the server of PBS forgets for good, and the outputs decide."""
    (state / "forget").touch()
    bench.executor.trusts_records = False
    (result,) = bench.run(bench.tasks(1), real_time=True)
    assert (result.verdict.done, result.attempts) == (True, 1)
    (asked,), (submitted,) = bench.events("job_asked"), bench.events("job_submitted")
    found = bench.executor.find(asked["name"])
    states = bench.executor.poll({submitted["id"]: asked["name"]})
    known = scheduler == "lsf"
    assert found == (submitted["id"] if known else None)
    assert str(states[submitted["id"]]) == ("COMPLETED" if known else "gone")


def test_an_id_counts_only_with_its_name(bench):
    (result,) = bench.run(bench.tasks(1), real_time=True)
    (submitted,) = bench.events("job_submitted")
    (state,) = bench.executor.poll({submitted["id"]: "scf0-0123456789ab"}).values()
    assert str(state) == "gone"
    assert result.verdict.done
