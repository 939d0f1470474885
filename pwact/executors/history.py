"""What the journal knows about jobs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

ASKED, SUBMITTED, ENDED = "job_asked", "job_submitted", "job_ended"


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
    """

    name: str
    kind: str
    group: int
    directory: str
    scheduler: str
    tasks: tuple[str, ...]
    id: str = ""
    asked_at: float = 0.0


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
    )


def _with_id(job: OpenJob, job_id: str) -> OpenJob:
    return OpenJob(**{**vars(job), "id": str(job_id)})
