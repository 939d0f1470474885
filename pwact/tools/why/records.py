"""What the journal and the tables of a campaign say, as the story of a frame asks for it."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Optional

from pwact import layout
from pwact.errors import UsageError
from pwact.executors.history import JobStory, job_stories
from pwact.io.files import tree_hash
from pwact.io.journal import Journal
from pwact.workflow import ledger
from pwact.workflow.reports import CollectReport, LabelReport


class Records:
    """A campaign that is only read.

    Attributes
    ----------
    stages
        Name → state, of stages that are done.
    taken
        Names of those that another program did: their inputs are what is asked for by now.
    jobs
        All its jobs.
    """

    def __init__(self, work_dir: Path) -> None:
        self.work_dir = work_dir
        self.events = Journal(work_dir / layout.STATE_DIR / layout.JOURNAL).events()
        if not self.events:
            raise UsageError(f"{work_dir}: no campaign of pwact was begun here")
        self.stages = {
            name: state for name, state in ledger.stages(self.events).items() if state.done
        }
        self.taken = {
            one["name"]
            for event in self.events
            if event["event"] == ledger.TAKEN
            for one in event["stages"]
        }
        self.jobs = job_stories(self.events)

    def relative(self, path: Path) -> str:
        """A path as seen from the work directory."""
        inside = path.absolute()
        base = self.work_dir.absolute()
        return inside.relative_to(base).as_posix() if base in inside.parents else str(inside)

    def inputs(self, name: str) -> Optional[Mapping[str, Any]]:
        """What a stage was done with; None where that is not on record."""
        state = self.stages.get(name)
        return None if state is None or name in self.taken else state.inputs

    def data_sets(self) -> Iterator[tuple[str, Path]]:
        """Each data set that was made here, with the stage that made it."""
        for name, state in self.stages.items():
            places = CollectReport.from_json(state.report).data_sets
            data = LabelReport.from_json(state.report).data
            for place in (*places, *([data] if data else [])):
                yield name, self.work_dir / place

    def trained_on(self, data: Path, *sorts: str) -> Optional[list[str]]:
        """Trainings that had a data set, by its hash; None where it is not there any more."""
        if not data.exists():
            return None
        own = tree_hash(data)
        found = []
        for name, state in self.stages.items():
            if name.endswith("/train") and name not in self.taken:
                hashes = [state.inputs.get(one, ()) for one in sorts or ("init_data", "labelled")]
                found += [name] if any(own in _flat(one) for one in hashes) else []
        return found

    def tries(self, task: str) -> list[dict[str, Any]]:
        """The jobs of a task, in their order."""
        return [_job(one) for one in self.jobs if task in one.tasks]

    def failures(self, task: str) -> list[str]:
        """Why a task failed, as far as it did."""
        failed = [event for event in self.events if event["event"] == "task_failed"]
        return [event["why"] for event in failed if event["task"] == task]

    @cached_property
    def entries(self) -> Mapping[str, Any]:
        """Entries of `sys_configs` by their number, as they were asked for last."""
        found: dict[str, Any] = {}
        for event in self.events:
            if event["event"] == "entries_given":
                found.update(event["entries"])
        return found


def _flat(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return [one for inner in value.values() for one in _flat(inner)]
    if isinstance(value, (list, tuple)):
        return [one for inner in value for one in _flat(inner)]
    return [value]


def _job(story: JobStory) -> dict[str, Any]:
    return {
        "name": story.job.name,
        "scheduler": story.job.scheduler,
        "id": story.job.id or None,
        "host": story.job.host or None,
        "asked_at": _time(story.job.asked_at),
        "ended_at": _time(story.ended_at),
        "ended_as": story.outcome or None,
    }


def _time(seconds: Optional[float]) -> Optional[str]:
    """Seconds since the epoch as date and time of this machine."""
    if not seconds:
        return None
    return datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")


def rows_of(table: Path) -> list[dict[str, str]]:
    """The rows of a table; none if it is not there."""
    if not table.is_file():
        return []
    with table.open(encoding="utf-8", errors="surrogateescape", newline="") as stream:
        return list(csv.DictReader(stream))


def number(text: Optional[str]) -> Optional[float]:
    """A number of a table; None where it is none."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
