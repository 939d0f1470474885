"""From groups of tasks to submitted jobs: names, scripts, records, limits, arrays."""

from __future__ import annotations

import logging
import os
import socket
from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

from pwact.config.resources import ResourceBlock
from pwact.errors import PwactError, SchedulerError
from pwact.executors import history
from pwact.executors.base import (
    ARRAY_SPAN,
    ArrayExecutor,
    ArrayRefusedError,
    JobSpec,
    LimitError,
    OutageError,
    name_suffix,
)
from pwact.executors.jobs import Group, Job, Surroundings, Unit, phrase
from pwact.executors.script import render, tags
from pwact.io.files import remove, write_text

logger = logging.getLogger(__name__)

_TURN_S = 2.0  # then results are looked for before more is submitted


class Submission:
    """Groups that wait for a job, and jobs that wait to be taken by the scheduler."""

    def __init__(
        self, surroundings: Surroundings, kind: str, directory: Path, block: ResourceBlock
    ) -> None:
        self._at = surroundings
        self._kind = kind
        self._directory = directory
        self._block = block
        self._pool = surroundings.pool_for(block.scheduler)
        self._numbers = Counter(surroundings.asked)  # jobs ever asked for, by group
        self._waiting: deque[Group] = deque()
        self._asked: deque[list[Job]] = deque()  # on record; one array, or one job each
        self._arrays = True
        self._refused_at: Optional[int] = None  # live jobs when a limit was hit
        self._retry_at = 0.0

    @property
    def empty(self) -> bool:
        """Whether nothing waits."""
        return not self._waiting and not self._asked

    def add(self, group: Group) -> None:
        """Let a group wait for a job."""
        self._waiting.append(group)

    def submit(self, live: bool) -> list[Job]:
        """Submit what the limits allow now.

        Parameters
        ----------
        live
            Whether this run has jobs already; if so, an outage is sat out.

        Returns
        -------
        list
            The jobs that are, or (those without id) may be, with the scheduler.
        """
        jobs: list[Job] = []
        end = self._at.clock() + _TURN_S
        while self.ready(live or bool(jobs)) and self._at.clock() <= end:
            if not self._asked:
                self._ask()
            batch = self._asked.popleft()
            try:
                ids = self._hand_over(batch)
            except ArrayRefusedError as error:
                logger.warning("no job array here, jobs are submitted one by one: %s", error)
                self._arrays = False
                self._asked.extendleft([job] for job in reversed(batch))
            except LimitError as error:
                self._refused(batch, error)
            except OutageError as error:
                self._pool.outage(error)
                return jobs + batch
            except SchedulerError as error:
                journal_ended(
                    self._at, [job for jobs in (batch, *self._asked) for job in jobs], "refused"
                )
                where = f"{self._block.file}: {self._block.name}"
                raise SchedulerError(f"{error} (asked for by {where})") from error
            else:
                self.submitted(batch, ids)
                jobs += batch
        return jobs

    def ready(self, live: bool) -> bool:
        """Whether something waits that may be submitted now."""
        if self.empty or self._pool.room() == 0 or (live and self._pool.silent):
            return False
        if self._refused_at is None or self._pool.live < self._refused_at:
            return True
        return self._at.clock() >= self._retry_at

    def _refused(self, batch: list[Job], error: LimitError) -> None:
        """Go on with fewer jobs: with half an array, or later."""
        half = len(batch) // 2
        if half:
            self._asked.extendleft([batch[half:], batch[:half]])
            return
        self._asked.appendleft(batch)
        if self._refused_at is None:
            logger.warning("the scheduler takes no more jobs for now, waiting: %s", error)
        self._refused_at = self._pool.live
        self._retry_at = self._at.clock() + self._pool.executor.poll_longest_s

    def _ask(self) -> None:
        """Prepare the next job, or the jobs of the next array, and put them on record."""
        size = self._array_size()
        first = self._waiting[0].number
        where = f"{self._at.where}\0{self._kind}"
        suffix = name_suffix(self._at.campaign_id, where, first, self._numbers[first])
        batch: list[Job] = []
        while self._waiting and len(batch) < size:
            group = self._waiting[0]
            if group.number // ARRAY_SPAN != first // ARRAY_SPAN:
                break
            units = list(group.units)
            spec = self.spec(group.number, f"{self._kind}{group.number}-{suffix}", units)
            self._prepare(spec)
            self._waiting.popleft()
            self._numbers[group.number] += 1
            group.jobs += 1
            batch.append(Job(spec, [group], units, self._pool))
        self._at.journal.append_all(history.ASKED, [self._asked_fields(job) for job in batch])
        self._asked.append(batch)

    def _array_size(self) -> int:
        executor = self._pool.executor
        if self._arrays and isinstance(executor, ArrayExecutor):
            return executor.array_size(len(self._waiting), self._pool.live)
        return 1

    def spec(self, number: int, name: str, units: Sequence[Unit]) -> JobSpec:
        """Describe a job of this run."""
        tasks = tuple(unit.task for unit in units)
        attempt = self._numbers[number]
        return JobSpec(name, self._kind, number, self._directory, tasks, self._block, attempt)

    def _prepare(self, spec: JobSpec) -> None:
        """Write the script; since no task of it is done, no tag may say so."""
        try:
            for task in spec.tasks:
                for tag in tags(self._kind):
                    remove(task.directory / tag)
            write_text(spec.script, render(spec, self._pool.executor.dialect), sync=False)
        except OSError as error:
            raise PwactError(f"{error.filename}: cannot be written: {error.strerror}") from error

    def _asked_fields(self, job: Job) -> dict[str, Any]:
        return {
            "name": job.spec.name,
            "kind": self._kind,
            "group": job.spec.group,
            "directory": self._at.where,
            "scheduler": self._block.scheduler,
            "host": socket.gethostname(),
            "attempt": job.spec.attempt,
            "cores": self._block.number_node * self._block.cpu_per_node,
            "tasks": [self.relative(unit) for unit in job.units],
        }

    def relative(self, unit: Unit) -> str:
        """Name of a task in the journal: its directory, seen from the scripts' one."""
        return os.path.relpath(unit.task.directory, self._directory)

    def _hand_over(self, batch: list[Job]) -> list[str]:
        executor = self._pool.executor
        if len(batch) > 1 and isinstance(executor, ArrayExecutor):
            return executor.submit_array([job.spec for job in batch])
        return [executor.submit(job.spec) for job in batch]

    def submitted(self, batch: Sequence[Job], ids: Sequence[str]) -> None:
        """Put the scheduler's ids of some jobs on record, and watch them."""
        self._refused_at = None
        for job, job_id in zip(batch, ids):
            job.id = job_id
            job.give_up_at = None
            job.pool.add(job_id, job.spec.name)
            for unit in job.units:
                unit.jobs += 1
        records = [{"name": job.spec.name, "id": job.id} for job in batch]
        self._at.journal.append_all(history.SUBMITTED, records)
        logger.info("%s", phrase("submitted", batch))


def journal_ended(at: Surroundings, jobs: Sequence[Job], state: str = "") -> None:
    """Put the end of jobs on record."""
    records = [
        {
            "name": job.spec.name,
            "id": job.id,
            "state": state or str(job.state),
            "done": sum(verdict.done for verdict in job.verdicts.values()),
        }
        for job in jobs
    ]
    at.journal.append_all(history.ENDED, records)


def journal_waiting(at: Surroundings, jobs: Sequence[Job]) -> None:
    """Put on record why jobs have to wait; only people want to know."""
    if jobs:
        records = [{"job": job.spec.name, "reason": job.state.obstacle} for job in jobs]
        at.journal.append_all(history.WAITING, records)


def journal_running(at: Surroundings, jobs: Sequence[Job]) -> None:
    """Put on record that jobs were seen running; only people want to know."""
    if jobs:
        at.journal.append_all(history.RUNNING, [{"job": job.spec.name} for job in jobs])
