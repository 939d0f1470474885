"""What the executors of queues without job arrays share: PBS, LSF, SGE."""

from __future__ import annotations

import logging
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, ClassVar, Optional

from pwact.config.resources import ResourceBlock
from pwact.errors import PwactError, SchedulerError
from pwact.executors.base import JobPhase, JobSpec, JobState, LimitError, OutageError
from pwact.executors.commands import Answer, end_submissions, in_one_line
from pwact.executors.dialect import Dialect
from pwact.executors.script import quote

logger = logging.getLogger(__name__)

_LAST_WORDS_S = 2.0  # for the scheduler to take note of a job whose submission was ended

Call = Callable[[Sequence[str], Optional[Path]], Answer]  # words, standard input


@dataclass(frozen=True)
class Row:
    """A job as the scheduler lists it.

    Attributes
    ----------
    name
        The name by which the scheduler knows the job.
    """

    id: str
    name: str
    state: JobState


@dataclass(frozen=True)
class Refusals:
    """What a scheduler's errors mean: patterns, read without regard to case.

    Attributes
    ----------
    outage
        Nobody answered: what was asked for may or may not have happened.
    limit
        There are too many jobs for now.
    keys
        Pattern → keys of a resource block that a refusal for good is about; the last fits all.
    """

    outage: str
    limit: str
    keys: Sequence[tuple[str, str]]

    def key_for(self, message: str) -> str:
        """Keys of the resource block that a refusal is about."""
        return next(key for words, key in self.keys if re.search(words, message, re.IGNORECASE))


def own_output(variable: str) -> Callable[[JobSpec], list[str]]:
    """Lines of a script by which it changes to its directory and writes its output there.

    The scheduler would begin elsewhere, and hand over the output when the job has ended, under a
    path of which it takes signs like ``:``, ``$`` and ``%`` for its own.

    Parameters
    ----------
    variable
        What is set only where the scheduler runs the script, not by hand.
    """

    def lines(spec: JobSpec) -> list[str]:
        return [
            f"cd {quote(spec.directory)} || exit 1",
            f'[ -z "${{{variable}-}}" ] || exec >> {quote(spec.output.name)} 2>&1',
        ]

    return lines


class QueueExecutor(ABC):
    """Submits job by job, asks for all jobs in one call, cancels by id.

    A job counts only under its id together with its name: ids alone are handed out again.

    Parameters
    ----------
    max_jobs
        Jobs at a time in the queue; None for any number.
    poll_longest_s
        Longest time between two questions to the scheduler.
    call
        Runs a command; `run` by default.

    Attributes
    ----------
    submits
        Name of the command that submits.
    refusals
        What its errors mean.
    """

    trusts_records = True
    grace_s = 30.0
    settle_s = 60.0
    stuck_s = 120.0
    cancel_wait_s = 60.0

    dialect: Dialect
    submits: ClassVar[str]
    refusals: ClassVar[Refusals]

    def __init__(
        self,
        max_jobs: Optional[int] = None,
        poll_longest_s: float = 30.0,
        call: Optional[Call] = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.max_jobs = max_jobs
        self.poll_longest_s = poll_longest_s
        self.poll_first_s = min(2.0, poll_longest_s)
        self._call = call or self.run
        self._sleep = sleep
        self._clock = clock
        self._warned: set[str] = set()

    @classmethod
    def from_block(cls, block: ResourceBlock) -> QueueExecutor:
        """Make the executor that a resource block asks for."""
        return cls(block.max_jobs_in_queue, block.poll_interval or 30.0)

    # ---- what each scheduler says in its own way

    @staticmethod
    @abstractmethod
    def run(words: Sequence[str], stdin: Optional[Path] = None) -> Answer:
        """Run a command in an environment without settings that would change its meaning."""

    @abstractmethod
    def submission(self, spec: JobSpec) -> tuple[Sequence[str], Optional[Path]]:
        """The command that submits the script of `spec`, and the file that it reads."""

    @abstractmethod
    def id_in(self, answer: Answer) -> str:
        """The job's id in the answer to a submission; "" without one."""

    @abstractmethod
    def queued(self, jobs: Mapping[str, str]) -> list[Row]:
        """What the queue says of the jobs, given as id → name; it may list others as well."""

    @abstractmethod
    def ended(self, jobs: Mapping[str, str]) -> list[Row]:
        """What is known of the jobs, given as id → name, that the queue does not list."""

    @abstractmethod
    def named(self, name: str) -> list[Row]:
        """All jobs of this user that have the scheduler's name `name`, alive or not."""

    @abstractmethod
    def deletion(self, ids: Sequence[str]) -> Sequence[str]:
        """The command that ends jobs."""

    # ---- what they share

    def room(self, live: int) -> Optional[int]:
        """How many more jobs may be put into the queue; None: any number."""
        return None if self.max_jobs is None else max(0, self.max_jobs - live)

    def output_file(self, spec: JobSpec, job_id: str) -> Path:  # noqa: ARG002
        """The file that takes the script's own output."""
        return spec.output

    def submit(self, spec: JobSpec) -> str:
        """Submit one script; see `pwact.executors.base.Executor.submit`."""
        answer = self._call(*self.submission(spec))
        job_id = self.id_in(answer)
        message = in_one_line(answer.err or answer.out)
        if job_id:  # SGE says that it failed, warns and has submitted, all in one answer
            if answer.status:
                self.warn(f"{self.submits}: {message}")
            return job_id
        if answer.status == 0:
            raise OutageError(f"{self.submits}: no job id in its answer: {answer.out!r} {message}")
        if re.search(self.refusals.outage, message, re.IGNORECASE):
            raise OutageError(f"{self.submits}: {message}")
        if re.search(self.refusals.limit, message, re.IGNORECASE):
            raise LimitError(f"{self.submits}: {message}")
        message = message or f"exit status {answer.status}"
        raise SchedulerError(f"{self.submits}: {message}; see {self.refusals.key_for(message)}")

    def find(self, name: str) -> Optional[str]:
        """Id of the job called `name`, if the scheduler knows one, alive or not."""
        own = self.dialect.job_name(name)
        mine = [row for row in self.named(own) if row.name == own]
        if mine:
            return max(mine, key=_age).id
        if not end_submissions(self.submits, {own}):
            return None
        self._sleep(_LAST_WORDS_S)
        return self.find(name)

    def poll(self, jobs: Mapping[str, str]) -> dict[str, JobState]:
        """State of every job, given as id → name."""
        found = self._ours(self.queued(jobs), jobs)
        missing = {job_id: name for job_id, name in jobs.items() if job_id not in found}
        if missing:
            found.update(self._ours(self.ended(missing), missing))
        return {job_id: found.get(job_id, JobState(JobPhase.GONE)) for job_id in jobs}

    def _ours(self, rows: Iterable[Row], jobs: Mapping[str, str]) -> dict[str, JobState]:
        ids = {number(job_id): job_id for job_id in jobs}
        found = {}
        for row in rows:
            job_id = ids.get(number(row.id), "")
            if job_id and row.name == self.dialect.job_name(jobs[job_id]):
                found[job_id] = row.state
        return found

    def cancel(self, jobs: Mapping[str, str]) -> None:
        """End those of the jobs that live under their name, and wait until they have ended."""
        waited, step = 0.0, 0.2
        alive = self._alive(jobs)
        if alive:
            answer = self._call(self.deletion(list(alive)), None)
            message = in_one_line(answer.err or answer.out)
            if answer.status and re.search(self.refusals.outage, message, re.IGNORECASE):
                raise OutageError(message)
            if answer.status:  # of jobs that have ended meanwhile, for instance
                logger.warning("%s", message)
        while alive and waited < self.cancel_wait_s:
            self._sleep(step)
            waited, step = waited + step, min(2.0, step * 1.5)
            alive = self._alive(alive)

    def _alive(self, jobs: Mapping[str, str]) -> dict[str, str]:
        states = self.poll(jobs) if jobs else {}
        return {job_id: jobs[job_id] for job_id, state in states.items() if state.alive}

    def asked(self, *words: str) -> Answer:
        """Ask the scheduler.

        Raises
        ------
        OutageError
            When nobody answers.
        """
        answer = self._call(words, None)
        message = in_one_line(answer.err)
        if answer.status and re.search(self.refusals.outage, message, re.IGNORECASE):
            raise OutageError(f"{words[0]}: {message}")
        return answer

    def history(self, *words: str) -> str:
        """What a command of the accounting prints; "" where it does not answer, said once."""
        try:
            answer = self._call(words, None)
        except PwactError as error:
            self.warn(f"how jobs ended that the queue has forgotten stays unknown: {error}")
            return ""
        return answer.out

    def warn(self, message: str) -> None:
        """Say something to the user, once."""
        if message not in self._warned:
            self._warned.add(message)
            logger.warning("%s", message)


def ended_with(status: int) -> JobState:
    """State of a job whose script ended with an exit status below 128, or by a signal above."""
    if status > 128:
        return JobState(JobPhase.ENDED, "KILLED", f"signal {status - 128}")
    if status:
        return JobState(JobPhase.ENDED, "FAILED", f"exit status {status}")
    return JobState(JobPhase.ENDED, "COMPLETED")


def number(job_id: str) -> int:
    """The number that begins a job's id; 0 if there is none."""
    match = re.match(r"\d+", job_id)
    return int(match.group()) if match else 0


def _age(row: Row) -> tuple[bool, int]:
    """Sort the living last, and then the newest."""
    return row.state.alive, number(row.id)
