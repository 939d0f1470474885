"""Tasks in, results out: groups them into jobs, submits, watches, judges and tries again."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable

from pwact.config.resources import ResourceBlock
from pwact.executors.base import Executor, Task, TaskResult
from pwact.executors.history import open_jobs_in
from pwact.executors.jobs import Surroundings
from pwact.executors.pool import Pool
from pwact.executors.run import Run
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
    """

    def __init__(
        self,
        journal: Journal,
        campaign_id: str,
        executor_for: Callable[[ResourceBlock], Executor],
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._journal = journal
        self._campaign_id = campaign_id
        self._executor_for = executor_for
        self._sleep = sleep
        self._clock = clock
        self._pools: dict[tuple[Any, ...], Pool] = {}

    def run(
        self, kind: str, directory: Path, tasks: Sequence[Task], block: ResourceBlock
    ) -> Iterator[TaskResult]:
        """Run the tasks as jobs and yield each task's result as it comes.

        A failed task is a result, not an exception. Tasks whose check is already content are
        yielded without a job; jobs that an earlier master has left are watched on.

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
        where = os.path.relpath(directory, self._journal.path.parent.parent)
        history = [
            event
            for event in self._journal.events()
            if event.get("kind") == kind and event.get("directory") == where
        ]
        names = {event["name"] for event in history}
        told = (event for event in self._journal.events() if event.get("name") in names)
        surroundings = Surroundings(
            journal=self._journal,
            campaign_id=self._campaign_id,
            where=where,
            pool_for=lambda scheduler: self._pool(replace(block, scheduler=scheduler)),
            clock=self._clock,
            asked=tuple(int(event["group"]) for event in history),
            left=tuple(open_jobs_in(told)),
        )
        yield from Run(surroundings, kind, directory, tasks, block).results()

    def _pool(self, block: ResourceBlock) -> Pool:
        key: tuple[Any, ...] = (block.scheduler, block.poll_interval)
        if block.scheduler == "local":
            key += (block.max_parallel_jobs, block.cpu_per_node)
        else:
            key += (block.max_jobs_in_queue, block.use_array)
        if key not in self._pools:
            self._pools[key] = Pool(self._executor_for(block), self._sleep, self._clock)
        return self._pools[key]
