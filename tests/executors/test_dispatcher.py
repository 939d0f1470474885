from __future__ import annotations

import logging
import os
import re
import resource
import time
from dataclasses import replace

import pytest

from pwact.errors import PwactError, SchedulerError
from pwact.executors.base import Blame, JobPhase, JobState, LimitError, OutageError
from pwact.executors.judge import MAX_REQUEUES
from pwact.verdict import DONE, incomplete
from tests.executors.conftest import (
    COMPLETED,
    FAILED,
    GONE,
    RUNNING,
    WAITING,
    Bench,
    FakeExecutor,
    finish,
    succeed,
)
from tests.faults import assert_read, fault

LATE, NEVER = "output appears 30 s late", "output never appears"


def outcome(results):
    return {result.task.directory.name: result.verdict.outcome.value for result in results}


def ended(word, blame=Blame.TASK, reason=""):
    return JobState(JobPhase.ENDED, word, reason, blame)


@pytest.mark.parametrize(
    ("group_size", "parallel_num", "sizes"),
    [(1, 1, [1] * 5), (1, 2, [1] * 5), (2, 1, [2, 2, 1]), (3, 2, [4, 1]), (-1, 2, [5])],
)
def test_grouping_names_and_events(bench, group_size, parallel_num, sizes):
    results = list(bench.run(bench.tasks(5), group_size=group_size, parallel_num=parallel_num))
    assert outcome(results) == {f"task.{index:03d}": "done" for index in range(5)}
    assert [result.attempts for result in results] == [1] * 5
    specs = list(bench.executor.specs.values())
    assert [len(spec.tasks) for spec in specs] == sizes
    assert len(set(bench.executor.names)) == len(sizes)
    for group, spec in enumerate(specs):
        assert re.fullmatch(rf"scf{group}-[0-9a-f]{{12}}", spec.name)
        assert spec.script.name == f"{group}-scf.job"
    asked, submitted, over = (
        bench.events(f"job_{what}") for what in ("asked", "submitted", "ended")
    )
    assert [event["name"] for event in asked] == bench.executor.names
    assert {event["name"]: event["id"] for event in submitted} == {
        spec.name: job_id for job_id, spec in bench.executor.specs.items()
    }
    assert sorted(event["name"] for event in over) == sorted(bench.executor.names)
    assert asked[0]["directory"] == "stage"
    assert asked[0]["tasks"][0] == "task.000"


def test_what_can_wait_is_done_between_the_last_submission_and_the_first_sleep(bench):
    left, done = ["picture", "tidy"], []

    def meanwhile():
        if left:
            done.append((left.pop(0), len(bench.executor.specs), bench.clock.sleeps))
            return True
        return False

    alive = iter([RUNNING] * 6)
    bench.executor.work = lambda spec: next(alive, None) or succeed(spec)
    dispatcher = bench.dispatcher(meanwhile=meanwhile)
    results = list(dispatcher.run("scf", bench.directory, bench.tasks(3), bench.block))
    assert outcome(results) == {f"task.{index:03d}": "done" for index in range(3)}
    assert done == [("picture", 3, 0), ("tidy", 3, 0)]
    assert bench.clock.sleeps


def test_nothing_to_do(bench):
    assert list(bench.run([])) == []
    assert bench.journal.events() == []


def test_done_and_useless_tasks_get_no_job(bench):
    tasks = bench.tasks(3)
    finish(tasks[0])
    finish(tasks[1], "unusable")
    results = list(bench.run(tasks))
    assert outcome(results) == {"task.000": "done", "task.001": "unusable", "task.002": "done"}
    assert [spec.tasks for spec in bench.executor.specs.values()] == [(tasks[2],)]
    useless = next(result for result in results if result.verdict.outcome.value == "unusable")
    assert "not converged" in useless.explanation


def test_intent_is_on_disk_before_the_submission(bench):
    seen = []
    real = bench.executor.submit

    def submit(spec):
        last = bench.journal.path.read_text().splitlines()[-1]
        seen.append('"job_asked"' in last and spec.name in last)
        return real(spec)

    bench.executor.submit = submit
    list(bench.run(bench.tasks(2)))
    assert seen == [True, True]


def test_a_failing_task_is_tried_four_times_alone(bench):
    tasks = bench.tasks(3)

    def work(spec):
        for task in spec.tasks:
            if task is tasks[1]:
                (task.directory / "log").write_text("step 1\nERROR: lost atoms\n")
                (task.directory / "tag.scf.failed").touch()
            else:
                finish(task)
        return ended("FAILED", reason="NonZeroExitCode")

    bench.executor.work = work
    results = list(bench.run(tasks, group_size=-1))
    assert outcome(results) == {
        "task.000": "done",
        "task.001": "incomplete",
        "task.002": "done",
    }
    sizes = [len(spec.tasks) for spec in bench.executor.specs.values()]
    assert sizes == [3, 1, 1, 1]
    failed = results[-1]
    assert failed.attempts == 4
    for words in (
        "there is no out",
        "ERROR: lost atoms",
        str(tasks[1].directory / "log"),
        "4 times",
        "FAILED (NonZeroExitCode)",
        bench.executor.names[-1],
    ):
        assert words in failed.explanation


def test_without_a_log_the_output_of_the_job_is_shown(bench):
    def work(spec):
        spec.output.write_text("bash: no-such-program: command not found\n")
        return FAILED

    bench.executor.work = work
    (result,) = bench.run(bench.tasks(1))
    assert "no-such-program: command not found" in result.explanation
    assert "0-scf.out" in result.explanation


def test_one_good_run_after_failures_is_enough(bench):
    bench.executor.work = lambda spec: FAILED if spec.attempt < 3 else succeed(spec)
    (result,) = bench.run(bench.tasks(1))
    assert (result.verdict.done, result.attempts, result.explanation) == (True, 4, "")


def test_a_useless_output_is_not_tried_again(bench):
    def work(spec):
        finish(spec.tasks[0], "unusable")
        return COMPLETED

    bench.executor.work = work
    (result,) = bench.run(bench.tasks(1))
    assert (result.verdict.outcome.value, result.attempts) == ("unusable", 1)


def test_the_output_decides_not_the_exit_status_and_not_the_tag(bench):
    tasks = bench.tasks(2)

    def work(spec):
        (spec.tasks[0].directory / "tag.scf.success").touch()
        if spec.tasks[0] is tasks[0]:
            finish(tasks[0])
            return FAILED
        return COMPLETED

    bench.executor.work = work
    tagged = []
    real = bench.executor.submit

    def submit(spec):
        tagged.append((spec.tasks[0].directory / "tag.scf.success").exists())
        return real(spec)

    bench.executor.submit = submit
    assert outcome(bench.run(tasks)) == {"task.000": "done", "task.001": "incomplete"}
    assert len(bench.executor.specs) == 5
    assert tagged == [False] * 5  # or the script would skip the task


def test_a_machine_is_to_blame_without_counting(bench):
    lost = ended("NODE_FAIL", Blame.MACHINE)
    bench.executor.work = lambda spec: lost if spec.attempt < 10 else succeed(spec)
    (result,) = bench.run(bench.tasks(1))
    assert (result.verdict.done, result.attempts) == (True, 11)


def test_bad_machines_do_not_go_on_for_ever(bench):
    bench.executor.work = lambda spec: ended("NODE_FAIL", Blame.MACHINE)
    (result,) = bench.run(bench.tasks(1))
    assert result.attempts == MAX_REQUEUES + 4
    assert "NODE_FAIL" in result.explanation


def test_a_time_limit_counts_only_without_progress(bench):
    def work(spec):
        finish(spec.tasks[0])
        return ended("TIMEOUT", Blame.TIMEOUT)

    bench.executor.work = work
    results = list(bench.run(bench.tasks(9), group_size=-1))
    assert {result.verdict.done for result in results} == {True}
    assert [len(spec.tasks) for spec in bench.executor.specs.values()] == list(range(9, 0, -1))
    bench = Bench(bench.root / "other", FakeExecutor(lambda spec: ended("TIMEOUT", Blame.TIMEOUT)))
    (result,) = bench.run(bench.tasks(1))
    assert result.attempts == 4


def reached(directory):
    """How many times a job ran there."""
    return float(len(list(directory.glob("part.*"))))


@pytest.mark.parametrize("blame", [Blame.TIMEOUT, Blame.TASK])
def test_a_try_that_came_further_does_not_count(bench, blame):
    """Also a single long task is finished, as long as each try goes on from the one before."""

    def work(spec):
        task = spec.tasks[0]
        parts = int(reached(task.directory))
        (task.directory / f"part.{parts}").touch()
        return succeed(spec) if parts == 6 else ended("TIMEOUT", blame)

    bench.executor.work = work
    (result,) = bench.run(bench.tasks(1, reached=reached))
    assert (result.verdict.done, result.attempts) == (True, 7)


def test_a_task_that_comes_no_further_has_four_tries(bench):
    def work(spec):
        (spec.tasks[0].directory / "part.0").touch()  # as far as the first try came
        return ended("TIMEOUT", Blame.TIMEOUT)

    bench.executor.work = work
    (result,) = bench.run(bench.tasks(1, reached=reached))
    assert (result.verdict.done, result.attempts) == (False, 5)
    again = bench.restarted()  # what an earlier start has reached is no progress of this one
    (result,) = again.run(again.tasks(1, reached=reached))
    assert (result.verdict.done, result.attempts) == (False, 4)


def test_a_task_that_ends_every_job_costs_the_others_nothing(bench):
    tasks = bench.tasks(6)

    def work(spec):
        for task in spec.tasks:
            if task is tasks[0]:
                return ended("OUT_OF_MEMORY")
            finish(task)
        return COMPLETED

    bench.executor.work = work
    results = outcome(bench.run(tasks, group_size=-1))
    assert results.pop("task.000") == "incomplete"
    assert set(results.values()) == {"done"}
    assert len(results) == 5


def test_a_job_that_does_nothing_fails_all_after_four_runs(bench):
    bench.executor.work = lambda spec: FAILED
    results = list(bench.run(bench.tasks(6), group_size=-1))
    assert set(outcome(results).values()) == {"incomplete"}
    assert len(bench.executor.specs) == 4


def test_results_come_while_others_run(bench):
    tasks = bench.tasks(3)
    done = []

    def work(spec):
        return succeed(spec) if spec.tasks[0] is tasks[0] or done else RUNNING

    bench.executor.work = work
    results = bench.run(tasks)
    first = next(results)
    assert first.task is tasks[0]
    done.append(True)
    assert len(list(results)) == 2


def test_room_is_respected_and_filled(bench):
    bench.executor.limit = 3
    assert len(list(bench.run(bench.tasks(10)))) == 10
    assert bench.executor.most_live == 3


def test_polls_back_off_and_come_close_again(bench):
    ends = {}

    def work(spec):
        if bench.clock() < 100 * (spec.group + 1):
            return RUNNING
        ends.setdefault(spec.group, bench.clock())
        return succeed(spec)

    bench.executor.work = work
    times = []
    real = bench.executor.poll
    bench.executor.poll = lambda jobs: (times.append(bench.clock()), real(jobs))[1]
    assert len(list(bench.run(bench.tasks(2)))) == 2
    gaps = [after - before for before, after in zip(times, times[1:])]
    assert max(gaps) <= bench.executor.poll_longest_s + 0.1
    assert len(times) < 45
    first_after = next(gap for time, gap in zip(times, gaps) if time >= ends[0])
    assert first_after < 2  # something happened, so more may


def test_an_outage_is_no_outcome_and_is_told_once(bench, caplog):
    real = bench.executor.poll

    def poll(jobs):
        if 3 < bench.clock() < 500:
            raise OutageError("Unable to contact slurm controller")
        return real(jobs)

    bench.executor.poll = poll
    bench.executor.work = lambda spec: succeed(spec) if bench.clock() > 3 else RUNNING
    with caplog.at_level(logging.WARNING):
        (result,) = bench.run(bench.tasks(1))
    assert (result.verdict.done, result.attempts) == (True, 1)
    assert caplog.text.count("does not answer") == 1
    assert caplog.text.count("answers again") == 1


@pytest.mark.parametrize("accepted", [True, False])
def test_a_submission_without_answer_is_looked_up(bench, accepted):
    real, calls = bench.executor.submit, []

    def submit(spec):
        calls.append(bench.clock())
        if len(calls) == 1:
            if accepted:
                real(spec)
            raise OutageError("Socket timed out")
        return real(spec)

    bench.executor.submit = submit
    (result,) = bench.run(bench.tasks(1))
    assert result.verdict.done
    assert len(bench.executor.specs) == 1
    assert len(calls) == (1 if accepted else 2)
    if not accepted:
        assert calls[1] - calls[0] >= bench.executor.grace_s
        assert [event["state"] for event in bench.events("job_ended")][0] == "never submitted"
        names = [event["name"] for event in bench.events("job_asked")]
        assert names[0] != names[1]


def test_during_an_outage_nothing_more_is_submitted(bench):
    real, calls = bench.executor.submit, []

    def submit(spec):
        calls.append(bench.clock())
        if bench.clock() < 200:
            raise OutageError("Unable to contact slurm controller")
        return real(spec)

    def find(name):
        if bench.clock() < 200:
            raise OutageError("Unable to contact slurm controller")

    bench.executor.submit, bench.executor.find = submit, find
    assert len(list(bench.run(bench.tasks(20)))) == 20
    assert len([call for call in calls if call < 200]) == 1


def test_a_limit_is_waited_for_with_fewer_jobs(bench, caplog):
    real = bench.executor.submit
    live = []

    def submit(spec):
        mine = [key for key in bench.executor.specs if key not in bench.executor.ended]
        if len(mine) >= 2 or bench.clock() < 50:
            raise LimitError("QOSMaxSubmitJobPerUserLimit")
        live.append(len(mine) + 1)
        return real(spec)

    bench.executor.submit = submit
    with caplog.at_level(logging.WARNING):
        results = list(bench.run(bench.tasks(7)))
    assert {result.verdict.done for result in results} == {True}
    assert max(live) == 2
    assert len(bench.events("job_asked")) == 7  # asked once, handed over until taken
    assert "QOSMaxSubmitJobPerUserLimit" in caplog.text


def test_a_refusal_for_good_stops_with_the_key(bench):
    def submit(spec):
        raise SchedulerError("sbatch: error: invalid partition specified: nope")

    bench.executor.submit = submit
    with pytest.raises(SchedulerError, match=r"invalid partition.*resource.json: DFT"):
        list(bench.run(bench.tasks(2)))
    assert [event["state"] for event in bench.events("job_ended")] == ["refused"]


def test_a_job_that_can_never_start_is_told_at_once_and_ended(bench, caplog):
    stuck = replace(WAITING, reason="PartitionNodeLimit", stuck=True, warning="it can never start")
    tasks = bench.tasks(3)
    bench.executor.work = lambda spec: succeed(spec) if spec.tasks[0] is tasks[0] else stuck
    caplog.set_level(logging.WARNING)
    results = bench.run(tasks)
    assert next(results).task is tasks[0]
    with pytest.raises(SchedulerError, match=r"PartitionNodeLimit.*resource.json: DFT"):
        next(results)
    assert caplog.text.count("it can never start") == 2
    assert bench.executor.cancelled == ["101", "102"]
    assert 100 <= bench.clock() < 120
    assert len(bench.events("job_ended")) == 3


def test_a_job_that_may_start_after_all_is_left_alone(bench):
    stuck = replace(WAITING, reason="PartitionDown", stuck=True)

    def work(spec):
        if bench.clock() < 90:
            return stuck
        return WAITING if bench.clock() < 300 else succeed(spec)

    bench.executor.work = work
    (result,) = bench.run(bench.tasks(1))
    assert result.attempts == 1


def test_a_job_the_scheduler_forgot_is_gone_after_some_polls(bench):
    polls = []

    def work(spec):
        polls.append(spec.attempt)
        return GONE if spec.attempt == 0 else succeed(spec)

    bench.executor.work = work
    (result,) = bench.run(bench.tasks(1))
    assert (result.verdict.done, result.attempts) == (True, 2)
    assert bench.executor.polls == [1] * 4
    assert [event["state"] for event in bench.events("job_ended")][0].startswith("gone")


def test_a_single_blink_of_the_queue_is_not_believed(bench):
    states = iter([RUNNING, GONE, GONE, RUNNING])
    gone_id = []

    def poll(jobs):
        (job_id,) = jobs
        gone_id.append(job_id)
        state = next(states, None)
        return {job_id: state or succeed(bench.executor.specs[job_id])}

    bench.executor.poll = poll
    (result,) = bench.run(bench.tasks(1))
    assert result.attempts == 1


def test_an_exit_record_ends_a_job_without_a_poll(bench):
    bench.executor.trusts_records = True
    bench.executor.poll_first_s = 5.0
    real = bench.executor.submit

    def submit(spec):
        succeed(spec)
        spec.record.write_text(f"{spec.name} 0 1 end\n")
        return real(spec)

    bench.executor.submit = submit
    assert len(list(bench.run(bench.tasks(4)))) == 4
    assert bench.executor.polls == []
    assert bench.clock() < 1


@fault("garbled exit record")
@pytest.mark.parametrize("record", ["scf0-000000000000 0 1 end", "{name} 0 1 TERM", "garbage"])
def test_a_foreign_or_early_record_is_not_believed(bench, caplog, record):
    bench.executor.trusts_records = True
    real = bench.executor.submit

    def submit(spec):
        spec.record.write_text(record.format(name=spec.name))
        return real(spec)

    bench.executor.submit = submit
    bench.executor.work = lambda spec: succeed(spec) if bench.clock() > 20 else RUNNING
    (result,) = bench.run(bench.tasks(1))
    assert (result.verdict.done, result.attempts) == (True, 1)
    assert bench.clock() > 20
    assert_read("garbled exit record", caplog.text)


@pytest.mark.parametrize(
    ("late", "row"),
    [
        pytest.param(30, LATE, marks=fault(LATE)),
        pytest.param(300, NEVER, marks=fault(NEVER)),
    ],
)
def test_files_may_be_late_on_a_network(bench, caplog, late, row):
    bench.executor.settle_s = 60.0
    tasks = bench.tasks(2)

    def late_check(directory):
        if bench.clock() < late and bench.executor.specs:
            raise OSError("Stale file handle")
        return tasks[1].check(directory)

    slow = replace(tasks[0], check=late_check)
    results = list(bench.run([slow, tasks[1]]))
    assert results[0].task is tasks[1]  # the other did not wait
    assert results[1].attempts == (1 if late < 60 else 4)
    assert results[1].verdict.done == (late < 60)
    assert_read(row, caplog.text + results[1].explanation)


@fault("task directory deleted")
def test_a_deleted_directory_fails_its_task_at_once(bench):
    tasks = bench.tasks(2)

    def work(spec):
        for task in spec.tasks:
            if task is tasks[0]:
                task.directory.rmdir()
            else:
                finish(task)
        return FAILED

    bench.executor.work = work
    results = {result.task: result for result in bench.run(tasks, group_size=-1)}
    assert results[tasks[0]].attempts == 1
    assert_read("task directory deleted", results[tasks[0]].explanation)
    assert results[tasks[1]].verdict.done


def test_a_script_that_cannot_be_written_is_told(bench):
    tasks = bench.tasks(1)
    (bench.directory / "0-scf.job").mkdir()
    with pytest.raises(PwactError, match=r"0-scf.job.*cannot be written"):
        list(bench.run(tasks))
    assert bench.events("job_asked") == []


def test_two_runs_share_the_polls_and_the_room(bench):
    bench.executor.limit = 3
    dispatcher = bench.dispatcher()
    tasks = bench.tasks(4)
    first = dispatcher.run("md", bench.directory, tasks[:2], bench.block)
    second = dispatcher.run("scf", bench.directory, tasks[2:], bench.block)
    results = [next(first), next(second), *first, *second]
    assert len({result.task.directory for result in results}) == 4
    assert bench.executor.most_live <= 3


def test_thousands_of_tasks_stay_cheap(bench, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    bench.executor.limit = 500
    done = set()

    def check(path):
        return DONE if path in done else incomplete("no")

    def work(spec):
        done.update(task.directory for task in spec.tasks)
        return COMPLETED

    bench.executor.work = work
    tasks = bench.tasks(2000, check=check)
    start = time.process_time()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert sum(1 for result in bench.run(tasks) if result.verdict.done) == 2000
    assert time.process_time() - start < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 60_000  # kB


def test_a_running_job_that_waits_for_another_run_is_named_once(bench, caplog):
    polls = []

    def work(spec):
        note = spec.record.with_name(f"{spec.record.name}.waits")
        polls.append(note)
        if len(polls) == 1:
            note.write_text(f"{spec.name}\n/w/t: another run still works here,\tprocess 9\x1b (sh)")
        if len(polls) == 9:
            note.unlink()
        return RUNNING if len(polls) < 15 else succeed(spec)

    bench.executor.work = work
    (result,) = bench.run(bench.tasks(1))
    assert result.verdict.done
    assert caplog.text.count("has to wait: /w/t: another run still works here, process 9 (sh)") == 1
    reasons = [event["reason"] for event in bench.events("job_waiting")]
    assert [bool(reason) for reason in reasons] == [True, False]


def test_a_job_that_is_gone_counts_as_a_try(bench):
    def work(spec):
        spec.record.write_text("scf0-000000000000 1 5 end\n")
        return GONE

    bench.executor.work = work
    (result,) = bench.run(bench.tasks(1))
    assert result.attempts == 4
    assert "gone from the queue" in result.explanation


def test_a_run_that_is_given_up_leaves_its_room_to_others(bench):
    bench.executor.limit = 2
    tasks = bench.tasks(4)
    bench.executor.work = lambda spec: succeed(spec) if spec.tasks[0] is not tasks[1] else RUNNING
    dispatcher = bench.dispatcher()
    first = dispatcher.run("md", bench.directory, tasks[:2], bench.block)
    next(first)
    first.close()
    bench.executor.limit = 1
    assert len(list(dispatcher.run("scf", bench.directory, tasks[2:], bench.block))) == 2


def test_a_limit_that_is_lifted_is_forgotten(bench):
    real, live = bench.executor.submit, []

    def submit(spec):
        if bench.clock() < 50 and len(bench.executor.specs) >= 2:
            raise LimitError("QOSMaxSubmitJobPerUserLimit")
        live.append(bench.clock())
        return real(spec)

    bench.executor.submit = submit
    bench.executor.work = lambda spec: succeed(spec) if bench.clock() > 200 else RUNNING
    assert len(list(bench.run(bench.tasks(7)))) == 7
    assert len(set(live[2:])) == 1  # all the others in one go


def test_progress_forgives_the_fruitless_jobs_before_it(bench):
    jobs = []

    def work(spec):
        jobs.append(len(spec.tasks))
        if len(jobs) % 4 == 0:
            finish(spec.tasks[0])
        return FAILED

    bench.executor.work = work
    results = list(bench.run(bench.tasks(3), group_size=-1, parallel_num=3))
    assert sum(result.verdict.done for result in results) == 1  # its neighbours were tried 4 times
    jobs.clear()
    other = Bench(bench.root / "other", FakeExecutor(work))
    results = list(other.run(other.tasks(12), group_size=-1))
    assert jobs[:8] == [12, 12, 12, 12, 11, 11, 11, 11]
    assert results[0].verdict.done
    assert results[1].verdict.done


def test_a_task_that_the_time_limit_cut_off_is_not_charged(bench):
    tasks = bench.tasks(8)

    def work(spec):
        left = [task for task in spec.tasks if task is not tasks[0]]
        (tasks[0].directory / "tag.scf.failed").touch()  # it died of the signal
        finish(left[0] if left else tasks[0])
        return ended("TIMEOUT", Blame.TIMEOUT)

    bench.executor.work = work
    results = list(bench.run(tasks, group_size=-1))
    assert len(results) == 8
    assert {result.verdict.done for result in results} == {True}
