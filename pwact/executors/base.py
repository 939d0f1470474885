"""What a job is, and what every executor can do."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Optional, Protocol, runtime_checkable

from pwact.config.resources import ResourceBlock
from pwact.errors import PwactError
from pwact.verdict import Verdict

if TYPE_CHECKING:
    from pwact.executors.dialect import Dialect

ARRAY_SPAN = 1000  # an array holds groups of one thousand: SLURM's default MaxArraySize is 1001


class OutageError(PwactError):
    """The scheduler did not answer; what was asked of it may or may not have happened."""


class LimitError(PwactError):
    """The scheduler takes no more jobs for now; nothing was submitted."""


class ArrayRefusedError(PwactError):
    """The scheduler takes no job array; nothing was submitted."""


def starts_over(directory: Path) -> float:  # noqa: ARG001
    """How far a task comes whose tries all begin at the start."""
    return 0.0


@dataclass(frozen=True)
class Task:
    """One program run in one directory.

    Attributes
    ----------
    directory
        Absolute path; it exists and holds the inputs before the task is dispatched.
    command
        Shell text that a job script runs inside `directory`.
    check
        Reads the output in `directory` and says whether it is complete. It is the only judge;
        tags and exit codes merely save work.
    log
        Name of the file in `directory` whose tail explains a failure.
    shell_check
        Shell text that is true when the program ended well; ``$rc`` is its exit status.
    reached
        How far the work in `directory` has come, in any unit that grows: another try goes on from
        there. A try that came further does not count. The default: each try begins at the start.
    """

    directory: Path
    command: str
    check: Callable[[Path], Verdict]
    log: str
    shell_check: str = '[ "$rc" -eq 0 ]'
    reached: Callable[[Path], float] = starts_over


@dataclass(frozen=True)
class JobSpec:
    """A script with one or more tasks, as the scheduler sees it.

    Attributes
    ----------
    name
        Unique among all jobs that this campaign ever asks for: ``<kind><g>-<12 hex digits>``.
    kind
        Word for the file names: train, md, scf, relax, aimd …
    group
        Running number of the script in its directory.
    directory
        Where the script and the scheduler's output lie.
    """

    name: str
    kind: str
    group: int
    directory: Path
    tasks: tuple[Task, ...]
    resources: ResourceBlock
    attempt: int = 0

    @property
    def script(self) -> Path:
        """The job script."""
        return self.directory / f"{self.group}-{self.kind}.job"

    @property
    def record(self) -> Path:
        """The exit record that the script leaves."""
        return self.directory / f"{self.group}-{self.kind}.exit"

    @property
    def output(self) -> Path:
        """What the script itself prints."""
        return self.directory / output_name(self.group, self.kind)


def output_name(group: int, kind: str) -> str:
    """Name of the file that takes what a script itself prints."""
    return f"{group}-{kind}.out"


def name_suffix(campaign_id: str, directory: str, group: int, attempt: int) -> str:
    """Return the part of a job's name that no other job has, 12 hex digits."""
    text = f"{campaign_id}\0{directory}\0{group}\0{attempt}"
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:12]


class JobPhase(Enum):
    """Where a job is in its life."""

    WAITING = "waiting"
    RUNNING = "running"
    ENDED = "ended"
    GONE = "gone"  # the scheduler does not know it (any more)


class Blame(Enum):
    """Who is to blame that a job ended before its tasks were done."""

    TASK = "task"  # counts as a try
    MACHINE = "machine"  # run again without counting
    TIMEOUT = "timeout"  # counts only if no task was finished or came further


@dataclass(frozen=True)
class JobState:
    """What the scheduler says about one job.

    Attributes
    ----------
    phase
        Waiting, running, ended or gone.
    word
        The scheduler's own word (``PENDING``, ``NODE_FAIL`` …).
    reason
        The scheduler's reason, if it gives one.
    blame
        Of an ended job: who is to blame if tasks are not done.
    obstacle
        Of a waiting job: the reason, where it waits for more than its turn.
    stuck
        Of a waiting job: it can never start as it is.
    warning
        What the user should read about it, once.
    """

    phase: JobPhase
    word: str = ""
    reason: str = ""
    blame: Blame = Blame.TASK
    obstacle: str = ""
    stuck: bool = False
    warning: str = ""

    @property
    def alive(self) -> bool:
        """Whether the job may still do something."""
        return self.phase in (JobPhase.WAITING, JobPhase.RUNNING)

    def __str__(self) -> str:
        word = self.word or self.phase.value
        return f"{word} ({self.reason})" if self.reason not in ("", "None") else word


class Executor(Protocol):
    """Runs job scripts somewhere. Only `submit` and `cancel` change the world.

    Every call may raise OutageError, which is never an outcome of a job: ask again later.

    Attributes
    ----------
    dialect
        How it wants its job scripts.
    poll_first_s, poll_longest_s
        Shortest and longest time between two polls.
    grace_s
        How long a job that was asked for may stay invisible.
    trusts_records
        Whether a script's exit record ends the job without a question to the scheduler.
    settle_s
        How long the files of a job that ended well may be late.
    stuck_s
        How long a job that can never start is left in the queue.
    """

    dialect: Dialect
    poll_first_s: float
    poll_longest_s: float
    grace_s: float
    trusts_records: bool
    settle_s: float
    stuck_s: float

    def room(self, live: int) -> Optional[int]:
        """How many more jobs may be submitted while `live` ones exist; None: any number."""

    def submit(self, spec: JobSpec) -> str:
        """Submit the script of `spec`, which is written already, and return the job's id.

        Raises
        ------
        LimitError
            When a limit forbids it for now.
        SchedulerError
            When it is refused for good.
        """

    def output_file(self, spec: JobSpec, job_id: str) -> Path:
        """The file that takes the script's own output."""

    def find(self, name: str) -> Optional[str]:
        """Id of the job called `name`, if the scheduler knows one."""

    def poll(self, jobs: Mapping[str, str]) -> dict[str, JobState]:
        """State of every job, given as id → name, in one call to the scheduler."""

    def cancel(self, jobs: Mapping[str, str]) -> None:
        """End the jobs, given as id → name, with all their processes."""


@runtime_checkable
class ArrayExecutor(Protocol):
    """An executor that can also take many jobs in one call."""

    def array_size(self, waiting: int, live: int) -> int:
        """How many of `waiting` jobs to hand over in one call beside `live` ones; 1: no array."""

    def submit_array(self, specs: Sequence[JobSpec]) -> list[str]:
        """Submit jobs of one kind and directory, whose names end alike, and return their ids.

        Raises what `Executor.submit` raises, and ArrayRefusedError.
        """

    def find_all(self, names: Sequence[str]) -> dict[str, str]:
        """Name → id of those of the jobs that the scheduler knows, in one call."""


@dataclass(frozen=True)
class TaskResult:
    """How a task ended.

    Attributes
    ----------
    verdict
        What its output says; the last one when the task was tried several times.
    attempts
        Number of jobs that ran it.
    explanation
        For a failed task: what happened, the tail of its log and where the log is.
    """

    task: Task
    verdict: Verdict
    attempts: int = 1
    explanation: str = ""


def chunks(tasks: Sequence[Task], group_size: int, parallel_num: int) -> list[tuple[Task, ...]]:
    """Cut tasks into the groups that share a job script.

    Parameters
    ----------
    group_size
        Tasks a script; -1 puts all into one. A size above 1 is raised to the next multiple of
        `parallel_num`.
    """
    if not tasks:
        return []
    size = len(tasks) if group_size < 1 else group_size
    if size > 1 and group_size > 0 and size % parallel_num:
        size += parallel_num - size % parallel_num
    return [tuple(tasks[start : start + size]) for start in range(0, len(tasks), size)]
