"""What a run of tasks keeps in mind: tasks at work, their groups, the jobs asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Callable, Optional

from pwact.config.resources import ResourceBlock
from pwact.executors.base import JobPhase, JobSpec, JobState, Task, chunks
from pwact.executors.history import OpenJob
from pwact.executors.pool import Pool
from pwact.executors.records import ExitRecord
from pwact.io.journal import Journal
from pwact.verdict import Verdict


@dataclass(eq=False)
class Unit:
    """A task at work.

    Attributes
    ----------
    jobs
        How many jobs ran it.
    tries
        How many of them count.
    reached
        How far it came at most (`Task.reached`).
    """

    task: Task
    group: Group
    jobs: int = 0
    tries: int = 0
    reached: float = 0.0


@dataclass(eq=False)
class Group:
    """The tasks that share a script, as long as they have no result.

    Attributes
    ----------
    units
        As keys, in the order in which they are run.
    jobs
        How many jobs live that keep this group from another one.
    fruitless
        Jobs in a row that count and finished no task.
    requeues
        Jobs in a row that a machine ended before they finished a task.
    """

    number: int
    units: dict[Unit, None] = field(default_factory=dict)
    jobs: int = 0
    fruitless: int = 0
    requeues: int = 0


@dataclass(eq=False)
class Job:
    """A job of this run that was asked for.

    Attributes
    ----------
    groups
        Those that wait until it has ended; for a job of an earlier master with other groupings
        there may be several.
    attached
        An earlier master asked for it.
    give_up_at
        When to stop waiting: for a sign of a job whose submission had no answer, for the late
        files of an ended one, for the start of one that can never start.
    verdicts
        What the check said of its tasks after its end.
    """

    spec: JobSpec
    groups: Sequence[Group]
    units: list[Unit]
    pool: Pool
    id: str = ""
    attached: bool = False
    give_up_at: Optional[float] = None
    state: JobState = field(default_factory=lambda: JobState(JobPhase.WAITING))
    record: Optional[ExitRecord] = None
    verdicts: dict[Unit, Verdict] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether it does nothing any more."""
        return self.state.phase is JobPhase.ENDED


@dataclass(frozen=True)
class Surroundings:
    """What a run needs to know of its campaign.

    Attributes
    ----------
    where
        Its directory, relative to the work directory.
    pool_for
        Scheduler's name → live jobs of its executor.
    asked
        Group number of every job that was ever asked for here.
    left
        Jobs of an earlier master that may still live.
    first
        Number of its first group.
    """

    journal: Journal
    campaign_id: str
    where: str
    pool_for: Callable[[str], Pool]
    clock: Callable[[], float]
    asked: tuple[int, ...]
    left: tuple[OpenJob, ...]
    first: int = 0


def grouped(tasks: Sequence[Task], block: ResourceBlock, first: int = 0) -> list[Group]:
    """Cut tasks into groups as the resource block says, numbered from `first` on."""
    groups = []
    for number, chunk in enumerate(chunks(tasks, block.group_size, block.parallel_num), first):
        group = Group(number)
        group.units = dict.fromkeys(Unit(task, group) for task in chunk)
        groups.append(group)
    return groups


def by_obstacle(jobs: Sequence[Job]) -> dict[str, list[Job]]:
    """Jobs that have to wait for more than their turn, by the reason."""
    found: dict[str, list[Job]] = {}
    for job in jobs:
        if job.state.obstacle:
            found.setdefault(job.state.obstacle, []).append(job)
    return found


def phrase(what: str, jobs: Sequence[Job]) -> str:
    """Say in a line what became of some jobs."""
    first = jobs[0]
    if len(jobs) > 1:
        return f"{len(jobs)} jobs {what}: {first.spec.name} … {jobs[-1].spec.name}"
    text = f"job {first.spec.name} ({first.id or 'no id'}) {what}"
    return f"{text}: {first.state}" if first.ended else text
