"""What only a SLURM with slurmdbd shows: limits, and jobs that the queue has forgotten."""

from __future__ import annotations

import pytest

from pwact.executors.slurm_limits import limits_of
from tests.slurm_cluster.test_faults import meanwhile

# a time-out must not leave a cluster behind
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600, method="signal")]

ACCOUNTING = True
KILLS_ITS_JOB = "echo x >> runs; kill -9 $$ $BASHPID"


@pytest.fixture
def forgetful(bench):
    """A bench whose queue lists no job that has ended, as long after MinJobAge."""
    bench.executor.poll_first_s = bench.executor.poll_longest_s = 1.0
    real = bench.executor._call

    def call(words):
        return real([word for word in words if word != "--states=all"])

    bench.executor._call = call
    return bench


def test_a_killed_job_that_the_queue_forgot_has_four_tries(forgetful):
    tasks = forgetful.tasks(1, KILLS_ITS_JOB)
    (result,) = forgetful.run(tasks, real_time=True)
    assert (result.verdict.done, result.attempts) == (False, 4)
    assert (tasks[0].directory / "runs").read_text() == "x\n" * 4
    states = {event["state"].partition(" ")[0] for event in forgetful.events("job_ended")}
    assert "FAILED" in states  # "gone" where the news came to the accounting too late
    assert states <= {"FAILED", "gone"}


def test_an_array_that_the_queue_forgot_runs_again_only_where_it_failed(forgetful):
    tasks = forgetful.tasks(12, "echo x >> runs; echo done > out")
    for task in tasks[:2]:
        (task.directory / "kill").touch()
    command = f"[ ! -e kill ] || {{ rm kill; {KILLS_ITS_JOB}; }}; {tasks[0].command}"
    tasks = forgetful.tasks(12, command)
    results = {result.task: result for result in forgetful.run(tasks, real_time=True)}
    assert [results[task].attempts for task in tasks] == [2, 2] + [1] * 10
    runs = [(task.directory / "runs").read_text() for task in tasks]
    assert runs == ["x\nx\n"] * 2 + ["x\n"] * 10


def test_limits_of_the_queue_are_found(bench, accounted_cluster):
    """What sacctmgr and scontrol print of a user with limits of his own."""
    words = "modify user where name=root set MaxJobs=7 MaxSubmitJobs=90 MaxWall=12:00:00"
    accounted_cluster.run("sacctmgr", "-i", *words.split())
    try:
        found = list(limits_of(bench.block, bench.executor._call))
    finally:
        words = "modify user where name=root set MaxJobs=-1 MaxSubmitJobs=-1 MaxWall=-1"
        accounted_cluster.run("sacctmgr", "-i", *words.split())
    mine = [one.partition(": ")[2] for one in found if one.startswith("account ")]
    assert "7 jobs may run at a time, 90 jobs may be in the queue, a job may take 12:00:00" in mine
    (cluster,) = (one for one in found if one.startswith("the cluster: "))
    assert "numbers of an array are below " in cluster


def test_a_job_over_the_limit_of_its_qos_is_named_with_the_reason(bench, accounted_cluster, caplog):
    for words in (
        "add qos tiny",
        "modify qos tiny set GrpTRES=cpu=1",
        "modify user where name=root set qos+=tiny,normal",
    ):
        accounted_cluster.run("sacctmgr", "-i", *words.split())

    def meddle():
        accounted_cluster.wait(lambda: "QOSGrpCpuLimit" in caplog.text)
        job_id = bench.events("job_submitted")[0]["id"]
        accounted_cluster.run("scontrol", "update", f"jobid={job_id}", "qos=normal")

    with meanwhile(meddle):
        (result,) = bench.run(
            bench.tasks(1), real_time=True, cpu_per_node=4, custom_flags=("--qos=tiny",)
        )
    assert (result.verdict.done, result.attempts) == (True, 1)
    assert "has to wait: QOSGrpCpuLimit (the limit of its QOS" in caplog.text
    assert bench.events("job_waiting")[0]["reason"].startswith("QOSGrpCpuLimit")
