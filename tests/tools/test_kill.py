from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pwact import layout
from pwact.errors import PwactError
from pwact.executors.base import JobPhase, JobState
from pwact.executors.local import LocalExecutor
from pwact.executors.processes import own_processes
from pwact.io.journal import Journal
from pwact.tools.kill import kill
from pwact.workflow import master
from pwact.workflow.campaign import open_campaign

ROOT = Path(__file__).parents[2]


class Master:
    """A campaign in a process of its own, with a job that lasts for ever."""

    def __init__(self, work_dir, command="run"):
        self.work_dir = work_dir
        self.log = work_dir / "master.log"
        with self.log.open("w") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.workflow.sleeping_master", str(work_dir), command],
                cwd=ROOT,
                stderr=stream,
            )
        until(
            lambda: list(work_dir.glob("iter.0000/*/t/started")) or self.process.poll() is not None
        )
        assert self.process.poll() is None, self.log.read_text()

    @property
    def job(self):
        (asked,) = (event for event in events(self.work_dir) if event["event"] == "job_asked")
        return asked["name"]

    def processes(self):
        return [process.pid for process in own_processes() if process.job == self.job]

    def end(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        self.process.wait()
        return self.log.read_text()


@pytest.fixture
def sleeping(tmp_path):
    running = Master(tmp_path)
    bystander = subprocess.Popen(["sleep", "100"], start_new_session=True)
    yield running
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()
    for pid in [running.process.pid, *running.processes()]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    running.process.wait()


def end(work_dir, command="run"):
    """Kill, with less patience for a job that ignores a gentle signal."""
    return kill(work_dir, command, lambda _: LocalExecutor(1, kill_wait_s=0.2))


def until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def events(work_dir):
    return Journal(work_dir / layout.STATE_DIR / layout.JOURNAL).events()


def test_master_and_the_whole_tree_of_its_job_end(sleeping):
    assert len(sleeping.processes()) >= 3
    job = sleeping.job
    with pytest.raises(PwactError, match="it is 'pwact run'"):
        kill_of_other(sleeping.work_dir)
    assert sleeping.process.poll() is None
    lines = end(sleeping.work_dir)
    assert sleeping.process.wait(60) != 0
    assert sleeping.processes() == []
    assert any(str(sleeping.process.pid) in line for line in lines)
    assert any(job in line for line in lines)
    assert not (sleeping.work_dir / layout.PID).exists()
    assert kill(sleeping.work_dir, "run") == []


def kill_of_other(work_dir):
    """Pretend that init_bulk worked here once, and ask for its end."""
    path = work_dir / layout.STATE_DIR / layout.JOURNAL
    before = path.read_bytes()
    lines = before.splitlines(keepends=True)
    path.write_bytes(lines[1].replace(b'"command": "run"', b'"command": "init_bulk"') + before)
    try:
        kill(work_dir, "init_bulk")
    finally:
        path.write_bytes(before)


def test_a_dead_master_s_job_ends(sleeping):
    sleeping.end()
    assert (sleeping.work_dir / layout.PID).exists()
    assert len(sleeping.processes()) >= 3
    (line,) = end(sleeping.work_dir)
    assert sleeping.job in line
    assert sleeping.processes() == []
    assert not (sleeping.work_dir / layout.PID).exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_master_names_what_it_leaves(sleeping, number):
    said = sleeping.end(number)
    assert f"left running: {sleeping.job}" in said
    assert len(sleeping.processes()) >= 3
    assert not (sleeping.work_dir / layout.PID).exists()
    assert end(sleeping.work_dir)
    assert sleeping.processes() == []


def test_jobs_of_the_other_command_go_on(tmp_path):
    class Recorder:
        cancelled: list[str] = []

        def __init__(self, _block):
            pass

        def poll(self, jobs):
            phases = {name: JobPhase.ENDED for name in self.cancelled}
            return {one: JobState(phases.get(name, JobPhase.RUNNING)) for one, name in jobs.items()}

        def cancel(self, jobs):
            self.cancelled.extend(jobs.values())

    for command, place in (
        ("init_bulk", "temp_init_bulk_work/aimd"),
        ("run", "iter.0000/00.train"),
    ):
        with open_campaign(tmp_path, command, 1) as campaign:
            for number in range(2):
                name = f"{command}{number}"
                asked = {"kind": "x", "group": number, "directory": place, "scheduler": "local"}
                campaign.journal.append("job_asked", name=name, **asked)
                campaign.journal.append("job_submitted", name=name, id=f"id-{name}")
    lines = kill(tmp_path, "run", Recorder)
    assert Recorder.cancelled == ["run0", "run1"]
    assert len(lines) == 2
    kill(tmp_path, "init_bulk", Recorder)
    assert Recorder.cancelled == ["run0", "run1", "init_bulk0", "init_bulk1"]


class Queue:
    """SLURM as far as the master's own job is concerned."""

    def __init__(self, process=None):
        self.process, self.cancelled = process, []

    def __call__(self, block):
        return self if block.scheduler == "slurm" else LocalExecutor(1, kill_wait_s=0.2)

    def poll(self, jobs):
        alive = self.process is not None and self.process.poll() is None
        return {one: JobState(JobPhase.RUNNING if alive else JobPhase.GONE) for one in jobs}

    def cancel(self, jobs):
        self.cancelled.append(dict(jobs))
        self.process.kill()
        self.process.wait()


@pytest.fixture
def in_a_job(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    monkeypatch.setenv("SLURM_JOB_NAME", "campaign")


def test_the_job_of_a_master_is_cancelled(in_a_job, sleeping):
    queue = Queue(sleeping.process)
    first, second = kill(sleeping.work_dir, "run", queue)
    assert queue.cancelled == [{"4711": "campaign"}]
    assert first == "job 4711 ended: the master of 'pwact run' ran in it"
    assert sleeping.job in second
    assert sleeping.processes() == []


def test_a_job_that_ended_long_ago_leaves_the_process(in_a_job, sleeping):
    """As in a terminal that was opened in a job which is over."""
    queue = Queue()
    first, _ = kill(sleeping.work_dir, "run", queue)
    assert queue.cancelled == []
    assert str(sleeping.process.pid) in first
    assert sleeping.processes() == []


def test_nothing_was_started(tmp_path):
    with pytest.raises(PwactError, match="no 'pwact run' was ever started here"):
        kill(tmp_path, "run")
    with open_campaign(tmp_path, "run", 1):
        pass
    assert kill(tmp_path, "run") == []
    with pytest.raises(PwactError, match="no 'pwact init_bulk' was ever started here"):
        kill(tmp_path, "init_bulk")


def test_a_process_that_took_the_number_of_the_master_is_left_alone(tmp_path):
    """Somebody holds the lock, but is not the process that the journal tells of."""
    with open_campaign(tmp_path, "run", 1) as campaign:
        other = subprocess.Popen(["sleep", "100"])
        wrong = {**master.myself(), "pid": other.pid}
        campaign.journal.append(master.EVENT, command="run", **wrong)
        with pytest.raises(PwactError, match="try again"):
            kill(tmp_path, "run")
        assert other.poll() is None
        elsewhere = {**master.myself(), "host": "login99"}
        campaign.journal.append(master.EVENT, command="run", **elsewhere)
        with pytest.raises(PwactError, match="on that host"):
            kill(tmp_path, "run")
    other.kill()
    other.wait()
