"""What a real SGE does with our jobs."""

from __future__ import annotations

import json
import logging
import os
import shlex
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pwact import layout
from pwact.errors import EXIT_DONE, SchedulerError
from pwact.executors.cancel import open_jobs
from pwact.io.journal import Journal
from tests.executors.conftest import check
from tests.executors.contract import ExecutorContract
from tests.requirements import need_program
from tests.workflow import small_campaign

# a time-out must not leave a cluster behind
pytestmark = [pytest.mark.slow, pytest.mark.timeout(200, method="signal")]

SECOND_TIME = "if [ -e begun ]; then echo done > out; else touch begun; sleep 60; fi"
PWACT = str(Path(__file__).parents[2] / "bin" / "pwact")


class TestSge(ExecutorContract):
    pass


@pytest.fixture
def log(caplog):
    caplog.set_level(logging.INFO)
    return caplog


def meanwhile(action):
    hand = threading.Thread(target=action)
    hand.start()
    return hand


def begun(bench, grid, task):
    """Wait until a task works; return the id of its job."""
    grid.wait((task.directory / "begun").exists)
    grid.wait(lambda: bench.events("job_submitted"))
    return bench.events("job_submitted")[0]["id"]


def test_slots_gpus_and_flags_are_asked_for(bench, grid):
    tasks = bench.tasks(3, 'echo "$NSLOTS $PE $JOB_NAME"; qstat -j $JOB_ID | grep hard > out')
    block = {
        "number_node": 2,
        "cpu_per_node": 3,
        "gpu_per_node": 2,
        "queue_name": "all.q",
        "custom_flags": ("-l h_rt=100", "#$ -p -5"),
        "group_size": 3,
        "parallel_num": 3,
    }
    assert all(result.verdict.done for result in bench.run(tasks, real_time=True, **block))
    said = (tasks[0].directory / "out").read_text()
    assert "gpu=2" in said
    assert "h_rt=100" in said
    assert "all.q" in said
    (line,) = {
        line for line in (bench.directory / "0-scf.out").read_text().splitlines() if "6 mpi" in line
    }
    assert line == f"6 mpi {bench.events('job_asked')[0]['name']}"


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({"queue_name": "nope"}, 'unknown queue "nope".*see queue_name.*resource.json: DFT'),
        ({"parallel_environment": "nope"}, "parallel environment.*see parallel_environment"),
        ({"custom_flags": ("-l nope=1",)}, 'unknown resource "nope"; see custom_flags'),
    ],
)
def test_a_refusal_for_good(bench, block, words):
    with pytest.raises(SchedulerError, match=words):
        list(bench.run(bench.tasks(1), real_time=True, **block))


def test_a_job_in_error_can_never_start(bench, log):
    with pytest.raises(SchedulerError, match=r"can never start: .*can't open output file"):
        list(bench.run(bench.tasks(1), real_time=True, custom_flags=("-o /nope/out",)))
    (event,) = bench.events("job_ended")
    assert event["state"].startswith("cancelled: Eqw")


def test_a_warning_with_a_failure_status_is_a_submission(bench, grid, log):
    """Qsub says that it failed, and has submitted the job: it must not be submitted again."""

    def admit(users):
        grid.run("qconf", "-rattr", "queue", "user_lists", users, "all.q")

    admit("deadlineusers")
    try:
        hand = meanwhile(
            lambda: (
                grid.wait(lambda: bench.events("job_submitted")),
                admit("NONE"),
            )
        )
        (result,) = bench.run(bench.tasks(1), real_time=True)
        hand.join()
    finally:
        admit("NONE")
    assert (result.verdict.done, result.attempts) == (True, 1)
    assert len(bench.events("job_asked")) == 1
    assert "not allowed to run in any queue" in log.text


def test_why_a_job_waits_is_said(bench, grid, log):
    hand = meanwhile(
        lambda: (
            grid.wait(lambda: "is held" in log.text),
            grid.run("qrls", bench.events("job_submitted")[0]["id"]),
        )
    )
    (result,) = bench.run(bench.tasks(1), real_time=True, custom_flags=("-h",))
    hand.join()
    assert (result.verdict.done, result.attempts) == (True, 1)
    assert "qrls" in log.text
    assert bench.events("job_waiting")[0]["reason"] == "it is held"


def test_a_time_limit_and_a_deletion_are_known_from_the_accounting(bench, grid, log):
    """Both end a script without a word: what the queue has forgotten, qacct says."""
    limited, deleted = bench.tasks(2, SECOND_TIME)
    hand = meanwhile(lambda: grid.run("qdel", begun(bench, grid, deleted)))
    list(bench.run([deleted], real_time=True))
    hand.join()
    list(bench.run([limited], kind="md", real_time=True, custom_flags=("-l h_rt=2",)))
    states = [event["state"] for event in bench.events("job_ended")]
    assert states[0] == "KILLED (signal 9)"
    assert states[2] == "TIMEOUT (qmaster enforced h_rt, h_cpu, or h_vmem limit)"
    assert check(limited.directory).done
    assert check(deleted.directory).done


def test_a_forgotten_job_is_found_by_its_name(bench, grid):
    tasks = bench.tasks(1)
    (result,) = bench.run(tasks, real_time=True)
    (asked,), (submitted,) = bench.events("job_asked"), bench.events("job_submitted")

    def state():
        return str(bench.executor.poll({submitted["id"]: asked["name"]})[submitted["id"]])

    # first comes the record of the script, then its job leaves the queue, then it is accounted for
    grid.wait(lambda: bench.executor.find(asked["name"]) == submitted["id"])
    grid.wait(lambda: state() == "COMPLETED")
    assert bench.executor.find("scf0-0123456789ab") is None


def test_an_outage_is_no_outcome(bench, grid, log):
    tasks = bench.tasks(2, "touch begun; sleep 3; echo done > out")
    bench.executor.trusts_records = False  # or nobody would notice

    def meddle():
        grid.wait(lambda: all((task.directory / "begun").exists() for task in tasks))
        grid.stop_master()
        grid.wait(lambda: all(check(task.directory).done for task in tasks))
        grid.wait(lambda: "does not answer" in log.text)
        grid.start_master()

    hand = meanwhile(meddle)
    results = list(bench.run(tasks, real_time=True))
    hand.join()
    assert [(result.verdict.done, result.attempts) for result in results] == [(True, 1)] * 2
    assert log.text.count("does not answer") == 1
    assert log.text.count("answers again") == 1


def test_a_whole_campaign(grid, tmp_path):
    need_program("lmp")
    work_dir = tmp_path / "work"
    small_campaign.write_inputs(work_dir)
    path = work_dir / "resource.json"
    resource = json.loads(path.read_text())
    resource.update(scheduler="sge", poll_interval=0.4)
    own_path = shlex.quote(os.environ["PATH"])
    for block in (resource["train"], resource["explore"], resource["DFT"]):
        block["env_list"] = [f"export PATH={own_path}"]  # the login shell has its own
    path.write_text(json.dumps(resource))
    words = [sys.executable, PWACT, "run", "param.json", "resource.json"]
    done = subprocess.run(
        words,
        cwd=work_dir,
        capture_output=True,
        text=True,
        env=os.environ,
        timeout=300,
        check=False,
    )
    assert done.returncode == EXIT_DONE, done.stdout + done.stderr
    journal = Journal(work_dir / layout.STATE_DIR / layout.JOURNAL)
    assert {event["scheduler"] for event in journal.events() if event["event"] == "job_asked"} == {
        "sge"
    }
    assert open_jobs(journal) == []
