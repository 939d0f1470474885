"""Tasks in, results out: groups them into jobs, submits, watches, judges and tries again."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Callable

from pwact.config.resources import ResourceBlock
from pwact.executors import history
from pwact.executors.base import Executor, Task, TaskResult
from pwact.executors.history import OpenJob
from pwact.executors.jobs import Surroundings
from pwact.executors.pool import Pool
from pwact.executors.run import Run
from pwact.io.folding import folded
from pwact.io.journal import Journal


class Dispatcher:
    """Runs tasks as jobs and yields their results.

    Parameters
    ----------
    journal
        Of the campaign: ``<work_dir>/.pwact/journal.jsonl``.
    campaign_id
        Makes the names of this campaign's jobs different from all others.
    executor_for
        Gives the executor that a resource block asks for.
    sleep, clock
        Of this process; the clock runs on while it sleeps and is never set.
    meanwhile
        Does a little of what can wait for such a moment; False if there is nothing.
    """

    def __init__(
        self,
        journal: Journal,
        campaign_id: str,
        executor_for: Callable[[ResourceBlock], Executor],
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        meanwhile: Callable[[], bool] = lambda: False,
    ) -> None:
        self._journal = journal
        self._campaign_id = campaign_id
        self._executor_for = executor_for
        self._sleep = sleep
        self._clock = clock
        self._meanwhile = meanwhile
        self._pools: dict[tuple[Any, ...], Pool] = {}
        self._ahead: list[_Ahead] = []

    def run(
        self, kind: str, directory: Path, tasks: Sequence[Task], block: ResourceBlock
    ) -> Iterator[TaskResult]:
        """Run the tasks as jobs and yield each task's result as it comes.

        A failed task is a result, not an exception. Tasks whose check is already content are
        yielded without a job; jobs that an earlier master has left are watched on, and so are those
        that `begin_ahead` has begun.

        Parameters
        ----------
        directory
            Where the scripts go; the tasks' directories lie in it or elsewhere.

        Raises
        ------
        SchedulerError
            When the scheduler refuses a job for good, or a job can never start.
        PwactError
            When a job's files or the journal cannot be written.
        """
        where = self._where(directory)
        mine = [one for one in self._ahead if one.place == (kind, where)]
        self._ahead = [one for one in self._ahead if one not in mine]
        begun = {task.directory for one in mine for task in one.run.tasks}
        rest = [task for task in tasks if task.directory not in begun]
        history = self._history(kind, where)
        first = 1 + max([one.run.last_group for one in mine], default=-1)
        watched = {name for one in mine for name in one.run.job_names}
        left = [job for job in history.left if job.name not in watched]
        main = Run(
            self._surroundings(where, block, history, left, first), kind, directory, rest, block
        )
        wanted = {task.directory for task in tasks}
        try:
            yield from main.begin()
            for one in mine:
                yield from [result for result in one.results if result.task.directory in wanted]
            runs = [main, *(one.run for one in mine)]
            while any(run.working for run in runs):
                self._submit(runs)
                for run in runs:
                    yield from run.look()
                for one in self._ahead:
                    one.results += one.run.look()
        finally:
            for run in (main, *(one.run for one in mine)):
                run.stop()

    def begin_ahead(
        self, kind: str, directory: Path, tasks: Sequence[Task], block: ResourceBlock
    ) -> None:
        """Begin tasks whose results a later `run` of this kind in this directory will ask for.

        They go on while other runs do. Tasks of a living job that has other tasks as well are left
        to that later run.
        """
        where = self._where(directory)
        history = self._history(kind, where)
        names = {os.path.relpath(task.directory, directory): task for task in tasks}
        own = set(names)
        left = [job for job in history.left if not own.isdisjoint(job.tasks)]
        if left:
            watched = {name for one in self._ahead for name in one.run.job_names}
            left = [job for job in left if job.name not in watched]
        shared = {name for job in left if not set(job.tasks) <= own for name in job.tasks}
        mine = [task for name, task in names.items() if name not in shared]
        if not mine:
            return
        whole = [job for job in left if set(job.tasks) <= own]
        others = [one.run.last_group for one in self._ahead if one.place == (kind, where)]
        first = 1 + max([*history.asked, *others], default=-1)
        surroundings = self._surroundings(where, block, history, whole, first)
        run = Run(surroundings, kind, directory, mine, block)
        self._ahead.append(_Ahead((kind, where), run, list(run.begin())))
        run.submit()  # now, for the other runs may have nothing left to wait for

    def _submit(self, runs: Sequence[Run]) -> None:
        """Submit what can be, or wait until there may be news."""
        everyone = [*runs, *(one.run for one in self._ahead)]
        for run in everyone:
            run.submit()
        if not any(run.ready for run in everyone) and not self._meanwhile():
            busy = [run for run in everyone if run.working]
            soonest = min((run.pool for run in busy), key=lambda pool: pool.interval_s)
            soonest.pause(lambda: any([run.news() for run in busy]))

    def _where(self, directory: Path) -> str:
        return os.path.relpath(directory, self._journal.path.parent.parent)

    def _history(self, kind: str, where: str) -> _History:
        found = folded(self._journal.events(), _JobsByPlace).places.get((kind, where), _Place())
        return _History(tuple(found.asked), tuple(found.alive.values()))

    def _surroundings(
        self,
        where: str,
        block: ResourceBlock,
        history: _History,
        left: Sequence[OpenJob],
        first: int,
    ) -> Surroundings:
        return Surroundings(
            journal=self._journal,
            campaign_id=self._campaign_id,
            where=where,
            pool_for=lambda scheduler: self._pool(replace(block, scheduler=scheduler)),
            clock=self._clock,
            asked=history.asked,
            left=tuple(left),
            first=first,
        )

    def _pool(self, block: ResourceBlock) -> Pool:
        key: tuple[Any, ...] = (block.scheduler, block.poll_interval)
        if block.here:
            key += (block.max_parallel_jobs, block.cpu_per_node)
        else:
            key += (block.max_jobs_in_queue, block.use_array)
        if key not in self._pools:
            executor = self._executor_for(block)
            taken = self._taken_beside(key) if block.here else lambda: 0.0
            self._pools[key] = Pool(executor, self._sleep, self._clock, taken)
        return self._pools[key]

    def _taken_beside(self, own: tuple[Any, ...]) -> Callable[[], float]:
        """The share of this machine that jobs of the other pools take."""
        return lambda: sum(
            pool.share for key, pool in self._pools.items() if key[0] == own[0] and key != own
        )


@dataclass
class _Place:
    """The group numbers of all jobs of one kind in one directory, and those that may live."""

    asked: list[int] = field(default_factory=list)
    alive: dict[str, OpenJob] = field(default_factory=dict)


class _JobsByPlace:
    """What the journal says of the jobs of each kind and directory."""

    def __init__(self) -> None:
        self.places: dict[tuple[str, str], _Place] = {}
        self._of: dict[str, _Place] = {}  # of each job

    def read(self, position: int, event: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Take in the next event."""
        name = event.get("name", "")
        if event["event"] == history.ASKED:
            self._of[name] = self.places.setdefault((event["kind"], event["directory"]), _Place())
            self._of[name].asked += [int(event["group"])] if "group" in event else []
        if name in self._of:
            history.take_in(self._of[name].alive, event)


@dataclass(frozen=True)
class _History:
    """What the journal says of one kind of jobs in one directory.

    Attributes
    ----------
    asked
        Group number of every job that was ever asked for.
    left
        Jobs that may still live.
    """

    asked: tuple[int, ...]
    left: tuple[OpenJob, ...]


@dataclass(eq=False)
class _Ahead:
    """A run that was begun ahead, its kind and directory, and its results so far."""

    place: tuple[str, str]
    run: Run
    results: list[TaskResult]
