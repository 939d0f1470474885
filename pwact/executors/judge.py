"""Whether a task is done, who pays for it if not, and what the user reads then."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pwact.errors import PwactError
from pwact.executors.base import Blame, JobSpec, JobState, Task
from pwact.executors.causes import story
from pwact.executors.jobs import Group, Unit
from pwact.executors.records import SET_UP, ExitRecord
from pwact.executors.script import tags
from pwact.verdict import Outcome, Verdict, incomplete

MAX_TRIES = 4
MAX_REQUEUES = 20  # in a row without a single task done


def judge(task: Task) -> Verdict:
    """Ask the engine; what it cannot read is incomplete."""
    try:
        return task.check(task.directory)
    except (OSError, PwactError) as error:
        return incomplete(f"the output cannot be read: {error}")


def hopeless(task: Task) -> bool:
    """Whether another try makes no sense, since the directory is gone."""
    return not task.directory.is_dir()


def came_further(unit: Unit) -> bool:
    """Whether a task has come further than ever since this was asked last."""
    try:
        now = unit.task.reached(unit.task.directory)
    except (OSError, PwactError):
        return False
    before, unit.reached = unit.reached, max(unit.reached, now)
    return now > before


def account(group: Group, progress: bool, ran: Sequence[Unit], blame: Blame) -> None:
    """Charge a job that left tasks undone to the tasks that are to blame.

    Parameters
    ----------
    progress
        Whether it finished any task, or brought one further.
    ran
        Those of the undone tasks that it ran for certain and brought no further.
    """
    if progress:
        group.fruitless = group.requeues = 0
    if blame is Blame.MACHINE and group.requeues < MAX_REQUEUES:
        group.requeues += 1
        return
    if not progress:
        group.fruitless += 1
    if blame is Blame.TIMEOUT and progress:
        return
    for unit in ran:
        unit.tries += 1


def given_up(group: Group, unit: Unit) -> bool:
    """Whether a task has had all its tries."""
    return unit.tries >= MAX_TRIES or group.fruitless >= MAX_TRIES


def certainly_ran(
    spec: JobSpec, units: Sequence[Unit], left: Sequence[Unit], record: ExitRecord | None
) -> list[Unit]:
    """Those of the undone tasks that a job ran.

    A job that was cut off ran the tasks with a tag, and its first wave unless that was done.
    """
    if record and record.complete:
        return list(left)
    ran = [
        unit
        for unit in left
        if any((unit.task.directory / tag).exists() for tag in tags(spec.kind))
    ]
    first = units[: max(1, spec.resources.parallel_num)] if len(left) == len(units) else []
    return ran + [unit for unit in first if unit not in ran]


def explain(unit: Unit, verdict: Verdict, spec: JobSpec, ended: str, output: Path) -> str:
    """Say what happened to a failed task, with what its logs tell and where they are.

    Parameters
    ----------
    ended
        How its last job ended, in the scheduler's words; "" if no job ran it.
    output
        What that job printed.
    """
    task = unit.task
    lines = [f"{task.directory}: {verdict.reason or verdict.outcome.value}"]
    if hopeless(task):
        lines[0] = f"{task.directory}: the directory is gone"
    if ended:
        times = "once" if unit.jobs == 1 else f"{unit.jobs} times"
        lines.append(f"run {times}, last in job {spec.name}, which ended as {ended}")
    if verdict.outcome is Outcome.UNUSABLE:
        lines.append("not tried again: it would end the same way")
    lines += story(task.directory / task.log, output, spec.name)
    if ended and not output.exists():
        lines.append(f"it printed nothing: is {output.parent} there on the compute nodes?")
    return "\n".join(lines)


def job_ended(state: JobState, record: ExitRecord | None) -> str:
    """How a job ended, in words."""
    words = str(state)
    if record and record.how == SET_UP:
        words += ", by its set-up"
    elif record and not record.complete:
        words += f", after signal {record.how}"
    return words
