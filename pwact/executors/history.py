"""What the journal knows about jobs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any, Optional

from pwact.executors.base import output_name

ASKED, SUBMITTED, RUNNING, ENDED = "job_asked", "job_submitted", "job_running", "job_ended"
WAITING = "job_waiting"  # for more than its turn


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


def open_jobs_in(events: Iterable[Mapping[str, Any]]) -> list[OpenJob]:
    """Return the jobs that may still live, oldest first."""
    found: dict[str, OpenJob] = {}
    for event in events:
        what = event["event"]
        if what == ASKED:
            found[event["name"]] = _asked(event)
        elif what == SUBMITTED and event["name"] in found:
            found[event["name"]] = _with_id(found[event["name"]], event["id"])
        elif what == ENDED:
            found.pop(event["name"], None)
    return list(found.values())


def asked_below(events: Iterable[Mapping[str, Any]], directory: str) -> bool:
    """Whether a job was asked for in a directory or below it (relative to the work directory)."""
    place = PurePosixPath(directory)
    return any(
        event["event"] == ASKED and place in (PurePosixPath(event["directory"]) / "_").parents
        for event in events
    )


def _asked(event: Mapping[str, Any]) -> OpenJob:
    return OpenJob(
        name=event["name"],
        kind=event["kind"],
        group=int(event["group"]),
        directory=event["directory"],
        scheduler=event["scheduler"],
        tasks=tuple(event.get("tasks", ())),
        asked_at=float(event.get("time", 0.0)),
        host=str(event.get("host", "")),
    )


def _with_id(job: OpenJob, job_id: str) -> OpenJob:
    return replace(job, id=str(job_id))


@dataclass(frozen=True)
class JobStory:
    """What became of a job that was asked for.

    Attributes
    ----------
    state
        ``asked``, ``submitted``, ``running`` or ``ended``.
    began_at
        When it was seen running, else when it was submitted; seconds since the epoch.
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
        what, when = event["event"], float(event.get("time", 0.0))
        name = event.get("job" if what in (RUNNING, WAITING) else "name", "")
        if what == ASKED:
            found[name] = JobStory(_asked(event), position)
        elif name not in found:
            continue
        elif what == SUBMITTED:
            job = _with_id(found[name].job, event["id"])
            found[name] = replace(found[name], job=job, state="submitted", began_at=when)
        elif what == RUNNING:
            found[name] = replace(found[name], state="running", began_at=when, obstacle="")
        elif what == WAITING:
            found[name] = replace(found[name], obstacle=str(event.get("reason", "")))
        elif what == ENDED:
            found[name] = _ended(found[name], event, when)
    return list(found.values())


def _ended(story: JobStory, event: Mapping[str, Any], when: float) -> JobStory:
    outcome = str(event.get("state", ""))
    done = event.get("done", len(story.job.tasks) if outcome == "COMPLETED" else 0)
    return replace(
        story, state="ended", ended_at=when, outcome=outcome, done=int(done), obstacle=""
    )
