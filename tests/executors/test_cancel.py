from __future__ import annotations

from dataclasses import replace

import pytest

from pwact.executors.base import JobPhase, JobState, OutageError
from pwact.executors.cancel import _elsewhere, cancel_jobs, open_jobs
from pwact.executors.history import OpenJob
from tests.executors.conftest import RUNNING, succeed


@pytest.fixture
def left(bench):
    """Four asked: 100 has ended, 101 and 102 live, the last one's answer got lost."""
    tasks = bench.tasks(4)
    bench.executor.work = lambda spec: succeed(spec) if spec.tasks[0] is tasks[0] else RUNNING
    real = bench.executor.submit

    def submit(spec):
        job_id = real(spec)
        if spec.group == 3:
            raise KeyboardInterrupt
        return job_id

    bench.executor.submit = submit
    with pytest.raises(KeyboardInterrupt):
        list(bench.run(tasks))
    return bench.restarted()


def test_open_jobs(left):
    jobs = open_jobs(left.journal)
    assert [(job.group, job.id) for job in jobs] == [(0, "100"), (1, "101"), (2, "102"), (3, "")]
    assert {job.directory for job in jobs} == {"stage"}
    assert jobs[0].tasks == ("task.000",)


def test_cancel_ends_exactly_the_journals_jobs(left):
    left.executor.poll({"100": left.executor.names[0]})
    lines = cancel_jobs(left.journal, lambda block: left.executor)
    assert left.executor.cancelled == ["101", "102", "103"]
    assert len(lines) == 4
    assert "had ended already" in lines[0]
    assert all("cancelled" in line for line in lines[1:])
    assert all(name in line for name, line in zip(left.executor.names, lines))
    assert open_jobs(left.journal) == []
    assert cancel_jobs(left.journal, lambda block: left.executor) == []


def test_below_a_directory_only(left):
    assert cancel_jobs(left.journal, lambda block: left.executor, below="stag") == []
    assert cancel_jobs(left.journal, lambda block: left.executor, below="stage/deeper") == []
    assert len(cancel_jobs(left.journal, lambda block: left.executor, below="stage")) == 4


def test_a_job_that_does_not_end_stays_open(left):
    left.executor.cancel = lambda jobs: None
    left.executor.work = lambda spec: RUNNING
    lines = cancel_jobs(left.journal, lambda block: left.executor)
    assert all("still RUNNING" in line for line in lines)
    assert len(open_jobs(left.journal)) == 4


def test_an_outage_is_told_per_job(left):
    def poll(jobs):
        raise OutageError("Unable to contact slurm controller")

    left.executor.poll = poll
    lines = cancel_jobs(left.journal, lambda block: left.executor)
    assert all("not ended: Unable to contact" in line for line in lines)
    assert len(open_jobs(left.journal)) == 4


def test_the_scheduler_of_the_journal_is_asked(left):
    asked = []

    def executor_for(block):
        asked.append(block.scheduler)
        return left.executor

    left.executor.poll = lambda jobs: dict.fromkeys(jobs, JobState(JobPhase.GONE))
    cancel_jobs(left.journal, executor_for)
    assert asked == ["local"]


def test_jobs_of_another_machine_stay_open(left, monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "elsewhere")
    lines = cancel_jobs(left.journal, lambda block: left.executor)
    assert left.executor.cancelled == []
    assert all("not ended, since it was started on" in line for line in lines)
    assert len(open_jobs(left.journal)) == 4
    monkeypatch.setattr("pwact.executors.cancel.boot_word", lambda: "here")
    job = OpenJob("x", "md", 0, "stage", "local", (), id="1.2.here", host="another name")
    assert not _elsewhere(job)
    assert _elsewhere(replace(job, id="1.2.there"))
    assert _elsewhere(replace(job, id=""))
    assert not _elsewhere(replace(job, id="1.2", host=""))  # as pwact 0.5.0 wrote it
    assert not _elsewhere(replace(job, id="12", scheduler="slurm"))
