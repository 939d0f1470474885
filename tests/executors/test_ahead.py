"""Tasks that are begun ahead go on beside a run, and a later run has their results."""

from __future__ import annotations

from dataclasses import replace

from pwact.executors.base import JobSpec, JobState
from pwact.executors.pool import Pool
from tests.executors.conftest import COMPLETED, RUNNING, FakeExecutor, succeed


def ahead(bench, dispatcher, tasks, **block):
    dispatcher.begin_ahead("scf", bench.directory, tasks, replace(bench.block, **block))


def asked(bench) -> list[list[str]]:
    return [event["tasks"] for event in bench.events("job_asked") if event["kind"] == "scf"]


def test_they_end_while_another_run_goes_on(bench):
    """The first run ends only after the tasks begun ahead have ended."""
    tasks = bench.tasks(5)
    main, early = tasks[:1], tasks[1:]

    def work(spec: JobSpec) -> JobState:
        if spec.kind == "md" and not all((one.directory / "out").exists() for one in early):
            return RUNNING
        return succeed(spec)

    bench.executor.work = work
    dispatcher = bench.dispatcher()
    ahead(bench, dispatcher, early[:2], group_size=1)
    ahead(bench, dispatcher, early[2:], group_size=-1)
    results = list(dispatcher.run("md", bench.directory, main, bench.block))
    assert [result.task for result in results] == main
    asked_before = len(bench.events("job_asked"))
    later = list(dispatcher.run("scf", bench.directory, early, bench.block))
    assert {result.task for result in later} == set(early)
    assert [result.attempts for result in later] == [1] * 4
    assert len(bench.events("job_asked")) == asked_before == 4


def test_scripts_of_several_do_not_meet(bench):
    tasks = bench.tasks(6)
    dispatcher = bench.dispatcher()
    for place in (0, 2, 4):
        ahead(bench, dispatcher, tasks[place : place + 2], group_size=1)
    assert len(list(dispatcher.run("scf", bench.directory, tasks, bench.block))) == 6
    scripts = [spec.script.name for spec in bench.executor.specs.values()]
    assert sorted(scripts) == [f"{number}-scf.job" for number in range(6)]
    assert len(set(bench.executor.names)) == 6


def test_what_was_not_begun_is_run_as_well(bench):
    tasks = bench.tasks(4)
    dispatcher = bench.dispatcher()
    ahead(bench, dispatcher, tasks[1:3])
    results = list(dispatcher.run("scf", bench.directory, tasks, bench.block))
    assert sorted(result.task.directory for result in results) == [one.directory for one in tasks]
    assert sorted(name for names in asked(bench) for name in names) == [
        f"task.{number:03d}" for number in range(4)
    ]


def test_a_failing_task_has_its_four_tries_in_all(bench):
    tasks = bench.tasks(2)
    bench.executor.work = lambda spec: COMPLETED if spec.kind == "scf" else succeed(spec)
    dispatcher = bench.dispatcher()
    ahead(bench, dispatcher, tasks[1:])
    list(dispatcher.run("md", bench.directory, tasks[:1], bench.block))
    (result,) = dispatcher.run("scf", bench.directory, tasks[1:], bench.block)
    assert not result.verdict.done
    assert result.attempts == 4
    assert len(asked(bench)) == 4


def test_after_a_restart_living_jobs_are_watched_on(bench):
    """Begun ahead or not: no task is asked for twice."""
    tasks = bench.tasks(4)
    bench.executor.work = lambda spec: RUNNING
    dispatcher = bench.dispatcher()
    ahead(bench, dispatcher, tasks[:2], group_size=-1)
    for run in [one.run for one in dispatcher._ahead]:
        run.submit()
    assert len(bench.executor.specs) == 1
    for again in (True, False):
        late = bench.restarted()
        dispatcher = late.dispatcher()
        if again:
            ahead(late, dispatcher, tasks[:2], group_size=-1)
            ahead(late, dispatcher, tasks[2:], group_size=-1)
            for run in [one.run for one in dispatcher._ahead]:
                run.submit()
            assert len(late.executor.specs) == 2
    late.executor.work = succeed
    results = list(dispatcher.run("scf", late.directory, tasks, late.block))
    assert {result.task.directory.name for result in results} == {
        f"task.{number:03d}" for number in range(4)
    }
    assert len(late.executor.specs) == 2


def test_a_living_job_of_several_systems_is_left_to_the_later_run(bench):
    tasks = bench.tasks(4)
    bench.executor.work = lambda spec: RUNNING
    dispatcher = bench.dispatcher()
    ahead(bench, dispatcher, tasks, group_size=-1)
    dispatcher._ahead[0].run.submit()
    late = bench.restarted()
    late.executor.work = succeed
    dispatcher = late.dispatcher()
    ahead(late, dispatcher, tasks[:2])
    assert dispatcher._ahead == []
    assert len(list(dispatcher.run("scf", late.directory, tasks, late.block))) == 4
    assert len(late.executor.specs) == 1


def test_one_poll_asks_for_both_kinds(bench):
    tasks = bench.tasks(5)
    dispatcher = bench.dispatcher()
    ahead(bench, dispatcher, tasks[1:], group_size=1)
    list(dispatcher.run("md", bench.directory, tasks[:1], bench.block))
    assert max(bench.executor.polls) == 5


def test_both_kinds_share_this_machine(bench, tmp_path):
    """Blocks of different settings have one number of free places."""
    made = {}

    def executor_for(block):
        made[block.cpu_per_node] = FakeExecutor()
        made[block.cpu_per_node].limit = 2
        return made[block.cpu_per_node]

    from pwact.executors.dispatcher import Dispatcher  # noqa: PLC0415

    times = (bench.clock.sleep, bench.clock)
    dispatcher = Dispatcher(bench.journal, "here", executor_for, *times)
    tasks = bench.tasks(8)
    ahead(bench, dispatcher, tasks[4:], group_size=1, cpu_per_node=2)
    block = replace(bench.block, group_size=1, cpu_per_node=1)
    list(dispatcher.run("md", bench.directory, tasks[:4], block))
    list(dispatcher.run("scf", bench.directory, tasks[4:], block))
    assert sorted(made) == [1, 2]
    assert max(executor.most_live for executor in made.values()) <= 2


def test_a_job_that_may_take_the_whole_machine_has_it_alone(bench):
    """Beside one of at most 1 there is no place; beside one of at most 4, two of at most 3."""
    pools = {}
    for most in (1, 3, 4):
        executor = FakeExecutor()
        executor.limit = most
        beside = lambda own=most: sum(  # noqa: E731
            pool.share for limit, pool in pools.items() if limit != own
        )
        pools[most] = Pool(executor, bench.clock.sleep, bench.clock, beside)
    pools[4].add("1", "one")
    assert {most: pool.room() for most, pool in pools.items()} == {1: 0, 3: 2, 4: 3}
    pools[4].drop("1")
    pools[1].add("2", "two")
    assert {most: pool.room() for most, pool in pools.items()} == {1: 0, 3: 0, 4: 0}
