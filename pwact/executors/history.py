"""What the journal knows about jobs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any, Callable, Optional

from pwact.executors.base import output_name
from pwact.io.events import JobAsked, JobEnded, JobRunning, JobSubmitted, JobWaiting

ASKED, SUBMITTED = JobAsked.name_of_event, JobSubmitted.name_of_event
RUNNING, ENDED = JobRunning.name_of_event, JobEnded.name_of_event
WAITING = JobWaiting.name_of_event  # for more than its turn


@dataclass(frozen=True)
class OpenJob:
    """A job that was asked for and is not known to have ended.

    Attributes
    ----------
    directory
        Where its script lies, relative to the work directory.
    tasks
        Directories of its tasks, relative to `directory`.
    id
        The scheduler's id; "" when the answer to the submission was never recorded.
    asked_at
        When it was asked for, in seconds since the epoch.
    host
        Where its master was; "" where pwact 0.5.0 did not say.
    cores
        CPUs that it asked for; 0 where an earlier version did not say.
    """

    name: str
    kind: str
    group: int
    directory: str
    scheduler: str
    tasks: tuple[str, ...]
    id: str = ""
    asked_at: float = 0.0
    host: str = ""
    cores: int = 0


def open_jobs_in(events: Iterable[Mapping[str, Any]]) -> list[OpenJob]:
    """Return the jobs that may still live, oldest first."""
    found: dict[str, OpenJob] = {}
    for event in events:
        take_in(found, event)
    return list(found.values())


def take_in(jobs: dict[str, OpenJob], event: Mapping[str, Any]) -> None:
    """Change the jobs that may still live, by name, as the next event says."""
    what = event["event"]
    if what == ASKED:
        asked = _asked(JobAsked.from_json(event))
        jobs[asked.name] = asked
    elif what == SUBMITTED:
        submitted = JobSubmitted.from_json(event)
        if submitted.name in jobs:
            jobs[submitted.name] = replace(jobs[submitted.name], id=submitted.id)
    elif what == ENDED:
        jobs.pop(JobEnded.from_json(event).name, None)


def asked_below(events: Iterable[Mapping[str, Any]], directory: str) -> bool:
    """Whether a job was asked for in a directory or below it (relative to the work directory)."""
    place = PurePosixPath(directory)
    return any(
        event["event"] == ASKED and place in (PurePosixPath(event["directory"]) / "_").parents
        for event in events
    )


def _asked(event: JobAsked) -> OpenJob:
    return OpenJob(
        name=event.name,
        kind=event.kind,
        group=event.group,
        directory=event.directory,
        scheduler=event.scheduler,
        tasks=event.tasks,
        asked_at=event.time,
        host=event.host,
        cores=event.cores,
    )


@dataclass(frozen=True)
class JobStory:
    """What became of a job that was asked for.

    Attributes
    ----------
    state
        ``asked``, ``submitted``, ``running`` or ``ended``.
    began_at
        When it was seen running, else when it was submitted; seconds since the epoch.
    submitted_at
        When the scheduler took it.
    position
        Number of the event with which it was asked for.
    outcome
        How it ended, in the words of the scheduler.
    done
        How many of its tasks were done at its end.
    obstacle
        Why it has to wait, where it waits for more than its turn.
    """

    job: OpenJob
    position: int
    state: str = "asked"
    began_at: Optional[float] = None
    ended_at: Optional[float] = None
    outcome: str = ""
    done: int = 0
    obstacle: str = ""
    submitted_at: Optional[float] = None

    @property
    def output(self) -> str:
        """What its script printed: a file, relative to the work directory."""
        job = self.job
        return (PurePosixPath(job.directory) / output_name(job.group, job.kind)).as_posix()

    @property
    def tasks(self) -> list[str]:
        """Directories of its tasks, relative to the work directory."""
        return [os.path.normpath(f"{self.job.directory}/{task}") for task in self.job.tasks]


def job_stories(events: Iterable[Mapping[str, Any]]) -> list[JobStory]:
    """What became of every job that was ever asked for, in that order."""
    found: dict[str, JobStory] = {}
    for position, event in enumerate(events):
        what = event["event"]
        if what == ASKED:
            job = _asked(JobAsked.from_json(event))
            found[job.name] = JobStory(job, position)
        elif what in _TURNS:
            kind, turn = _TURNS[what]
            told = kind.from_json(event)
            name = told.job if isinstance(told, (JobRunning, JobWaiting)) else told.name
            if name in found:
                found[name] = turn(found[name], told)
    return list(found.values())


def _submitted(story: JobStory, event: JobSubmitted) -> JobStory:
    job = replace(story.job, id=event.id)
    at = event.time
    return replace(story, job=job, state="submitted", began_at=at, submitted_at=at)


def _running(story: JobStory, event: JobRunning) -> JobStory:
    return replace(story, state="running", began_at=event.time, obstacle="")


def _waiting(story: JobStory, event: JobWaiting) -> JobStory:
    return replace(story, obstacle=event.reason)


def _ended(story: JobStory, event: JobEnded) -> JobStory:
    done = event.done
    if done is None:  # pwact 0.5.0 did not count
        done = len(story.job.tasks) if event.state == "COMPLETED" else 0
    return replace(
        story, state="ended", ended_at=event.time, outcome=event.state, done=done, obstacle=""
    )


_TURNS: dict[str, tuple[Any, Callable[[JobStory, Any], JobStory]]] = {
    SUBMITTED: (JobSubmitted, _submitted),
    RUNNING: (JobRunning, _running),
    WAITING: (JobWaiting, _waiting),
    ENDED: (JobEnded, _ended),
}
