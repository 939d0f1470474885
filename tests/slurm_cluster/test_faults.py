"""Faults that a real SLURM can show within seconds."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
import time

import pytest

from pwact.executors.base import JobPhase, OutageError
from tests.faults import assert_read, fault

# a time-out must not leave a cluster behind
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600, method="signal")]

WAIT = "while [ ! -e go ]; do sleep 0.1; done"
SECOND_TIME = "if [ -e begun ]; then echo done > out; else touch begun; sleep 60; fi"


@contextlib.contextmanager
def meanwhile(action):
    """Run `action` beside the block, and raise here what it raises."""
    errors = []

    def run():
        try:
            action()
        except BaseException as error:  # noqa: BLE001  to be raised below
            errors.append(error)

    hand = threading.Thread(target=run)
    hand.start()
    try:
        yield
    finally:
        hand.join()
    if errors:
        raise errors[0]


def begun(bench, cluster, task):
    """Wait until a task works; return the id of its job."""
    cluster.wait((task.directory / "begun").exists)
    cluster.wait(lambda: bench.events("job_submitted"))
    return bench.events("job_submitted")[0]["id"]


def node_of(cluster, job_id):
    return cluster.run("squeue", "-h", "-j", job_id, "-o", "%N").strip()


def finished(bench, tasks, **block):
    """Run the tasks, all of which must be done; return the attempts of each."""
    results = list(bench.run(tasks, real_time=True, **block))
    assert all(result.verdict.done for result in results), results
    return [result.attempts for result in results]


@pytest.fixture
def log(caplog):
    caplog.set_level(logging.INFO)
    return caplog


@fault("node down")
def test_node_down(bench, cluster, log):
    tasks = bench.tasks(1, SECOND_TIME)
    nodes = []

    def meddle():
        nodes.append(node_of(cluster, begun(bench, cluster, tasks[0])))
        cluster.run("scontrol", "update", f"nodename={nodes[0]}", "state=down", "reason=test")

    with meanwhile(meddle):
        attempts = finished(bench, tasks, custom_flags=("--no-requeue",))
    cluster.resume_node(nodes[0])
    assert attempts == [2]
    assert_read("node down", log.text)


@fault("slurmd killed")
def test_slurmd_killed(bench, cluster, log):
    """The job starts anew elsewhere while its first processes work in the directory."""
    bench.executor.trusts_records = False  # or the end of the first run would be the job's
    tasks = bench.tasks(1, f"echo x >> begun; {WAIT}; echo done > out")
    nodes = []

    def meddle():
        job_id = begun(bench, cluster, tasks[0])
        nodes.append(node_of(cluster, job_id))
        cluster.wait(lambda: "R" in cluster.run("squeue", "-h", "-j", job_id, "-o", "%t"))
        time.sleep(1.0)  # for a poll that sees it running
        cluster.kill_node(nodes[0])
        cluster.wait(lambda: "PD" in cluster.run("squeue", "-h", "-j", job_id, "-o", "%t"))
        time.sleep(1.0)
        cluster.run("scontrol", "update", f"jobid={job_id}", "StartTime=now")
        output = bench.directory / "0-scf.out"
        cluster.wait(lambda: "another run still works here" in output.read_text())
        (tasks[0].directory / "go").touch()

    with meanwhile(meddle):
        attempts = finished(bench, tasks)
    cluster.start_node(nodes[0])
    assert attempts == [1]
    assert (tasks[0].directory / "begun").read_text() == "x\n"
    assert_read("slurmd killed", log.text)


@fault("suspended")
def test_suspended(bench, cluster, log):
    tasks = bench.tasks(1, "touch begun; sleep 2; echo done > out")

    def meddle():
        job_id = begun(bench, cluster, tasks[0])
        cluster.run("scontrol", "suspend", job_id)
        cluster.wait(lambda: "is suspended" in log.text)
        cluster.run("scontrol", "resume", job_id)

    with meanwhile(meddle):
        attempts = finished(bench, tasks)
    assert attempts == [1]
    assert_read("suspended", log.text)


@fault("partition down")
def test_partition_down(bench, cluster, log):
    cluster.run("scontrol", "update", "partitionname=gpu", "state=down")

    def meddle():
        cluster.wait(lambda: "has to wait" in log.text)
        cluster.run("scontrol", "update", "partitionname=gpu", "state=up")

    with meanwhile(meddle):
        attempts = finished(bench, bench.tasks(1), queue_name="gpu")
    assert attempts == [1]
    assert_read("partition down", log.text)


@fault("killed before its result")
def test_killed_before_its_result(bench, log):
    tasks = bench.tasks(1, SECOND_TIME.replace("sleep 60", "kill -9 $$"))
    assert finished(bench, tasks) == [2]
    assert_read("killed before its result", log.text)


@fault("killed between result and record")
def test_killed_between_result_and_record(bench, log):
    assert finished(bench, bench.tasks(1, "echo done > out; kill -9 $$; sleep 9")) == [1]
    assert not (bench.directory / "0-scf.exit").exists()
    assert_read("killed between result and record", log.text)


@fault("SQUEUE_FORMAT set")
def test_settings_of_the_user(bench, monkeypatch, caplog):
    bench.executor.trusts_records = False
    foreign = {
        "SQUEUE_FORMAT": "%u",
        "SQUEUE_STATES": "CANCELLED",
        "SQUEUE_PARTITION": "gpu",
        "SBATCH_JOB_NAME": "mine",
        "SBATCH_OUTPUT": "/nowhere/x",
        "SBATCH_PARTITION": "nope",
        "SLURM_CLUSTERS": "nope",
    }
    for name, value in foreign.items():
        monkeypatch.setenv(name, value)
    assert finished(bench, bench.tasks(2)) == [1, 1]
    assert_read("SQUEUE_FORMAT set", caplog.text)


@fault("squeue: socket timed out")
def test_a_controller_that_hangs(bench, cluster, log):
    tasks = bench.tasks(1, f"touch begun; {WAIT}; echo done > out")

    def meddle():
        begun(bench, cluster, tasks[0])
        cluster.signal_controller(signal.SIGSTOP)
        try:
            cluster.wait(lambda: "does not answer" in log.text)
        finally:
            cluster.signal_controller(signal.SIGCONT)
        cluster.wait(lambda: "answers again" in log.text)
        (tasks[0].directory / "go").touch()

    with meanwhile(meddle):
        attempts = finished(bench, tasks)
    assert attempts == [1]
    assert_read("squeue: socket timed out", log.text)


@fault("job older than MinJobAge")
def test_ids_that_slurm_does_not_know(bench):
    gone = bench.executor.poll({"999999": "scf0-000000000000"})
    assert gone["999999"].phase is JobPhase.GONE
    gone = bench.executor.poll({"999998": "scf0-000000000000", "999999": "scf1-000000000000"})
    assert {state.phase for state in gone.values()} == {JobPhase.GONE}


@fault("sbatch times out, job accepted")
def test_an_sbatch_without_answer(bench, log):
    real = bench.executor._call

    def call(words):
        answer = real(words)
        if words[0] == "sbatch" and len(bench.events("job_asked")) == 1:
            raise OutageError("sbatch: no answer in 120 s")
        return answer

    bench.executor._call = call
    bench.executor.trusts_records = False  # or the job would not have to be looked for
    assert finished(bench, bench.tasks(1, "echo x >> runs; echo done > out")) == [1]
    assert (bench.directory / "task.000" / "runs").read_text() == "x\n"
    assert_read("sbatch times out, job accepted", log.text)


@fault("slurmctld restarted with lost state")
def test_lost_state(bench, cluster, log):
    tasks = bench.tasks(1, SECOND_TIME)

    def meddle():
        begun(bench, cluster, tasks[0])
        time.sleep(1.0)  # for a poll that sees it running
        cluster.stop_controller()
        cluster.start_controller("-c")

    with meanwhile(meddle):
        attempts = finished(bench, tasks)
    assert attempts == [2]
    assert_read("slurmctld restarted with lost state", log.text)


@fault("slurmctld killed right after sbatch")
def test_a_controller_killed_after_sbatch(bench, cluster, log):
    """The accepted job is forgotten, mostly, and its id given to the next one."""
    real, strangers = bench.executor._call, []

    def call(words):
        answer = real(words)
        if words[0] == "sbatch" and not strangers:
            cluster.stop_controller(signal.SIGKILL)
            cluster.start_controller()
            wrap = ("--parsable", "--output=/dev/null", "--wrap=sleep 60")
            strangers.append(cluster.run("sbatch", *wrap).strip())
        return answer

    bench.executor._call = call
    bench.executor.trusts_records = False
    (attempts,) = finished(bench, bench.tasks(1, "echo x >> runs; echo done > out"))
    ids = [event["id"] for event in bench.events("job_submitted")]
    state = cluster.run("squeue", "-h", "-j", strangers[0], "-o", "%t").strip()
    cluster.run("scancel", *strangers)
    assert state in ("R", "PD")
    assert (bench.directory / "task.000" / "runs").read_text() == "x\n"
    assert attempts == len(ids) <= 2
    # one try: it had begun when the controller died, and its result is there
    if strangers[0] == ids[0] and attempts == 2:
        assert_read("slurmctld killed right after sbatch", log.text)
