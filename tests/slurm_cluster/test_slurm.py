from __future__ import annotations

import logging
import threading
import time

import pytest

from pwact.errors import SchedulerError
from tests.executors.conftest import check
from tests.executors.contract import ExecutorContract
from tests.faults import fault

# a time-out must not leave a cluster behind
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600, method="signal")]


class TestSlurm(ExecutorContract):
    pass


def count_calls(bench):
    calls = []
    real = bench.executor._call

    def call(words):
        calls.append(words[0])
        return real(words)

    bench.executor._call = call
    return calls


def test_an_array_is_one_call(bench):
    calls = count_calls(bench)
    tasks = bench.tasks(40, 'echo "$SLURM_ARRAY_TASK_ID $SLURM_JOB_PARTITION" > out')
    results = list(bench.run(tasks, real_time=True))
    assert len(results) == 40
    assert all(result.verdict.done for result in results)
    assert calls.count("sbatch") == 1
    told = sorted(int((task.directory / "out").read_text().split()[0]) for task in tasks)
    assert told == list(range(40))
    assert (bench.directory / "7-scf.out").read_text().startswith("job: scf7-")


def test_an_array_retries_only_what_failed(bench):
    tasks = bench.tasks(12, "[ -e ok ] && echo done > out; touch ok; [ -e out ]")
    for task in tasks[::2]:
        (task.directory / "ok").touch()
    results = {result.task: result for result in bench.run(tasks, real_time=True)}
    assert [results[task].attempts for task in tasks] == [1, 2] * 6
    assert all(result.verdict.done for result in results.values())


def test_gpus_flags_and_groups(bench):
    tasks = bench.tasks(4, 'echo "$SLURM_JOB_PARTITION $SLURM_NTASKS $CUDA_VISIBLE_DEVICES" > out')
    block = {
        "queue_name": "gpu",
        "gpu_per_node": 2,
        "cpu_per_node": 3,
        "custom_flags": ("--comment=hello",),
        "group_size": 3,
        "parallel_num": 3,
    }
    assert all(result.verdict.done for result in bench.run(tasks, real_time=True, **block))
    words = (tasks[0].directory / "out").read_text().split()
    assert words[:2] == ["gpu", "3"]


def test_tasks_side_by_side_have_gpus_and_steps_of_their_own(bench):
    """Each waits for the step of the other, and neither would begin if a step took the job."""
    meet = (
        "touch step; for i in $(seq 300); do [ $(ls ../*/step | wc -l) = 2 ] && break; sleep 0.1; "
        "done; echo $CUDA_VISIBLE_DEVICES $(ls ../*/step | wc -l)"
    )
    command = f"echo $CUDA_VISIBLE_DEVICES > gpu; srun -n 2 bash -c '{meet}' > out"
    tasks = bench.tasks(2, command)
    block = {"queue_name": "gpu", "gpu_per_node": 2, "cpu_per_node": 4, "parallel_num": 2}
    flags = {"group_size": 2, "custom_flags": ("--mem=400",)}
    assert all(result.verdict.done for result in bench.run(tasks, real_time=True, **block, **flags))
    seen = [(task.directory / "out").read_text().splitlines() for task in tasks]
    assert [line[-2:] for lines in seen for line in lines] == [" 2"] * 4
    assert len({line for lines in seen for line in lines}) == 2
    assert len({(task.directory / "gpu").read_text() for task in tasks}) == 2


@fault("wrong partition")
@fault("too many GPUs")
@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({"queue_name": "nope"}, r"nvalid partition.*see queue_name.*resource.json: DFT"),
        ({"queue_name": "gpu", "gpu_per_node": 9}, r"not available.*resource.json: DFT"),
        ({"custom_flags": ("--mem=999G",)}, r"emory specification.*custom_flags|not available"),
    ],
)
def test_a_refusal_for_good(bench, block, words):
    with pytest.raises(SchedulerError, match=words):
        list(bench.run(bench.tasks(1), real_time=True, **block))


@fault("a job that can never start")
def test_a_job_that_can_never_start(bench, caplog):
    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(SchedulerError, match="PartitionConfig|PartitionNodeLimit"),
    ):
        list(bench.run(bench.tasks(1), real_time=True, number_node=9))
    assert "can never start" in caplog.text
    (event,) = bench.events("job_ended")
    assert event["state"].startswith("cancelled: PENDING")


@fault("cancelled by hand")
def test_a_job_cancelled_by_hand_runs_again(bench, cluster):
    tasks = bench.tasks(1, "if [ -e begun ]; then echo done > out; else touch begun; sleep 60; fi")
    begun = tasks[0].directory / "begun"

    def meddle():
        cluster.wait(begun.exists)
        cluster.run("scancel", bench.events("job_submitted")[0]["id"])

    hand = threading.Thread(target=meddle)
    hand.start()
    (result,) = bench.run(tasks, real_time=True)
    hand.join()
    assert (result.verdict.done, result.attempts) == (True, 2)
    assert bench.events("job_ended")[0]["state"].startswith("CANCELLED")


@fault("requeued")
def test_a_requeued_job_is_watched_on(bench, cluster, caplog):
    tasks = bench.tasks(1, "if [ -e begun ]; then echo done > out; else touch begun; sleep 60; fi")
    begun = tasks[0].directory / "begun"

    def meddle():
        cluster.wait(begun.exists)
        time.sleep(0.5)
        job_id = bench.events("job_submitted")[0]["id"]
        cluster.run("scontrol", "requeue", job_id)
        cluster.wait((bench.directory / "0-scf.exit").exists)
        cluster.wait(lambda: "BeginTime" in cluster.run("squeue", "-h", "-j", job_id, "-o", "%r"))
        time.sleep(1.0)  # let the first run's end arrive, or SLURM takes it for the second's
        cluster.run("scontrol", "update", f"jobid={job_id}", "StartTime=now")

    hand = threading.Thread(target=meddle)
    hand.start()
    (result,) = bench.run(tasks, real_time=True)
    hand.join()
    assert (result.verdict.done, result.attempts) == (True, 1)


@fault("held by the user")
def test_a_held_job_is_told_and_waits(bench, cluster, caplog):
    def meddle():
        cluster.wait(lambda: "is held" in caplog.text)
        cluster.run("scontrol", "release", bench.events("job_submitted")[0]["id"])

    hand = threading.Thread(target=meddle)
    hand.start()
    (result,) = bench.run(bench.tasks(1), real_time=True, custom_flags=("--hold",))
    hand.join()
    assert (result.verdict.done, result.attempts) == (True, 1)
    assert "scontrol release" in caplog.text


@fault("slurmctld stopped for a while")
def test_a_controller_outage_is_no_outcome(bench, cluster, caplog):
    tasks = bench.tasks(2, "touch begun; sleep 3; echo done > out")
    bench.executor.trusts_records = False  # or nobody would notice

    def meddle():
        cluster.wait(lambda: all((task.directory / "begun").exists() for task in tasks))
        cluster.stop_controller()
        cluster.wait(lambda: all(check(task.directory).done for task in tasks))
        cluster.wait(lambda: "does not answer" in caplog.text)
        cluster.start_controller()

    hand = threading.Thread(target=meddle)
    hand.start()
    with caplog.at_level(logging.WARNING):
        results = list(bench.run(tasks, real_time=True))
    hand.join()
    assert [(result.verdict.done, result.attempts) for result in results] == [(True, 1)] * 2
    assert caplog.text.count("does not answer") == 1
    assert caplog.text.count("answers again") == 1
