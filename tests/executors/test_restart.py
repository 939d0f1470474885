"""A new master takes up what an earlier one left, at every point where that may have died."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pwact.executors.base import OutageError
from tests.executors.conftest import FAILED, RUNNING, finish, succeed


class KilledError(BaseException):
    """The master dies here."""


def die(*args, **kwargs):
    raise KilledError


def running_until(bench, time):
    bench.executor.work = lambda spec: succeed(spec) if bench.clock() >= time else RUNNING


def test_live_jobs_are_watched_on(bench):
    running_until(bench, 100)
    first = bench.run(bench.tasks(3))
    bench.executor.poll, real = die, bench.executor.poll
    with pytest.raises(KilledError):
        next(first)
    bench.executor.poll = real
    bench = bench.restarted()
    results = list(bench.run(bench.tasks(3)))
    assert [result.verdict.done for result in results] == [True] * 3
    assert [result.attempts for result in results] == [1] * 3
    assert len(bench.executor.specs) == 3
    assert bench.clock() >= 100


@pytest.mark.parametrize("number", range(1, 13))
def test_killed_at_any_journal_line_no_task_runs_twice(bench, number):
    bench.executor.limit = 2
    runs = []

    def work(spec):
        runs.append(spec.tasks[0].directory.name)
        return succeed(spec)

    bench.executor.work = work
    real, count = bench.journal._write, []

    def write(text):
        count.append(text.count(b"\n"))
        if sum(count) >= number:
            real(text[: len(text) // 2] if number % 2 else text)
            raise KilledError
        real(text)

    bench.journal._write = write
    results = []
    with pytest.raises(KilledError):
        results.extend(bench.run(bench.tasks(4)))
    bench = bench.restarted()
    assert [result.verdict.done for result in bench.run(bench.tasks(4))] == [True] * 4
    assert sorted(runs) == [f"task.00{index}" for index in range(4)]
    assert len(set(bench.executor.names)) == 4


@pytest.mark.parametrize("accepted", [True, False])
@pytest.mark.parametrize("outage", [False, True])
def test_killed_between_submission_and_record(bench, accepted, outage):
    real = bench.executor.submit

    def submit(spec):
        if accepted:
            real(spec)
        raise KilledError

    bench.executor.submit = submit
    with pytest.raises(KilledError):
        list(bench.run(bench.tasks(1)))
    bench.executor.submit = real
    bench = bench.restarted()
    if outage:
        find = bench.executor.find

        def unsteady(name):
            if bench.clock() < 50:
                raise OutageError("Unable to contact slurm controller")
            return find(name)

        bench.executor.find = unsteady
    (result,) = bench.run(bench.tasks(1))
    assert result.verdict.done
    assert len(bench.executor.specs) == 1
    if accepted:
        assert len(bench.events("job_asked")) == 1
    else:
        assert bench.clock() >= bench.executor.grace_s


def test_a_job_that_ended_meanwhile_is_judged_by_its_output(bench):
    running_until(bench, 0)
    bench.executor.poll, real = die, bench.executor.poll
    with pytest.raises(KilledError):
        list(bench.run(bench.tasks(2)))
    bench.executor.poll = real
    bench.executor.specs.clear()  # and the scheduler has forgotten it
    finish(bench.tasks(2)[0])
    bench = bench.restarted()
    results = {result.task.directory.name: result for result in bench.run(bench.tasks(2))}
    assert all(result.verdict.done for result in results.values())
    assert len(bench.executor.specs) == 1
    assert bench.executor.specs["100"].tasks[0].directory.name == "task.001"


def test_an_id_that_was_handed_out_again_is_not_ours(bench):
    running_until(bench, 50)
    bench.executor.poll, real = die, bench.executor.poll
    with pytest.raises(KilledError):
        list(bench.run(bench.tasks(1)))
    bench.executor.poll = real
    (job_id,) = bench.executor.specs
    stranger = replace(bench.executor.specs[job_id], name="scf0-ffffffffffff")
    bench.executor.specs[job_id] = stranger
    bench = bench.restarted()
    (result,) = bench.run(bench.tasks(1))
    assert result.verdict.done
    assert len(bench.executor.specs) == 2


def test_other_groups_and_another_scheduler_after_a_restart(bench):
    running_until(bench, 100)
    bench.executor.poll, real = die, bench.executor.poll
    with pytest.raises(KilledError):
        list(bench.run(bench.tasks(4), group_size=2))
    bench.executor.poll = real
    bench = bench.restarted()
    results = list(bench.run(bench.tasks(6), group_size=3, scheduler="slurm"))
    assert [result.verdict.done for result in results] == [True] * 6
    assert len(set(bench.executor.names)) == 3
    ran = [task.directory.name for spec in bench.executor.specs.values() for task in spec.tasks]
    assert sorted(ran) == [f"task.00{index}" for index in range(6)]
    assert [event["scheduler"] for event in bench.events("job_asked")] == ["local"] * 2 + ["slurm"]


def test_names_stay_unique_when_a_stage_is_done_again(bench):
    assert len(list(bench.run(bench.tasks(3)))) == 3
    for task in bench.tasks(3):
        (task.directory / "out").unlink()
    bench = bench.restarted()
    assert len(list(bench.run(bench.tasks(3)))) == 3
    assert len(list(bench.run(bench.tasks(3), kind="md"))) == 3
    assert len(set(bench.executor.names)) == 6


def test_a_new_master_gives_failed_tasks_new_tries(bench):
    bench.executor.work = lambda spec: FAILED
    (failed,) = bench.run(bench.tasks(1))
    bench = bench.restarted()
    bench.executor.work = succeed
    (result,) = bench.run(bench.tasks(1))
    assert (failed.attempts, result.attempts, result.verdict.done) == (4, 1, True)


def test_a_job_of_the_dead_master_costs_no_try(bench):
    bench.executor.poll, real = die, bench.executor.poll
    with pytest.raises(KilledError):
        list(bench.run(bench.tasks(1)))
    bench.executor.poll = real
    bench = bench.restarted()
    bench.executor.work = lambda spec: FAILED
    (result,) = bench.run(bench.tasks(1))
    assert (len(bench.executor.specs), result.attempts) == (5, 5)
