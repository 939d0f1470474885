"""What a run has cost, counted from its journal, and whether its budget allows the next step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pwact.config.budget import BudgetConfig
from pwact.errors import BudgetError
from pwact.executors.history import JobStory, job_stories
from pwact.report.records import LabelRecord
from pwact.workflow.ledger import StageState, place_of

_HOUR_S = 3600.0


@dataclass(frozen=True)
class Spent:
    """Labels that were computed, those that failed among them, and CPUs times hours of jobs."""

    labels: int
    core_hours: float


def spent(
    stages: Mapping[str, StageState], events: Sequence[Mapping[str, Any]], now: float
) -> Spent:
    """What a run has cost until `now` (seconds since the epoch)."""
    labels = [
        LabelRecord.from_json(state.report)
        for state in stages.values()
        if state.done and place_of(state.name)[1] == "label"
    ]
    jobs = [job for job in job_stories(events) if job.job.directory.startswith("iter.")]
    return Spent(
        sum(one.labelled + one.failed for one in labels),
        sum(core_hours(job, now) for job in jobs),
    )


def core_hours(job: JobStory, now: float) -> float:
    """CPUs times hours of a job so far; one that an earlier version submitted counts as one CPU.

    From when it was seen running, or, if it ended before, from its submission.
    """
    if job.began_at is None or job.state == "submitted":
        return 0.0
    end = now if job.ended_at is None else job.ended_at
    return max(1, job.job.cores) * max(0.0, end - job.began_at) / _HOUR_S


class Budget:
    """Refuses a step that would go beyond what the user allows."""

    def __init__(self, config: BudgetConfig, file: Path) -> None:
        self._config = config
        self._file = file

    def covers(self, used: Spent, labels: int) -> bool:
        """Whether so many more labels are allowed."""
        allowed = self._config.labels
        return allowed is None or used.labels + labels <= allowed

    @property
    def limits(self) -> bool:
        """Whether there is any limit."""
        return self._config.labels is not None or self._config.core_hours is not None

    def demand(self, name: str, used: Spent, labels: int) -> None:
        """Raise BudgetError unless a step may begin.

        Parameters
        ----------
        name
            ``iter.0002/label``.
        labels
            How many it asks for at most.
        """
        if not self.covers(used, labels):
            raise self._reached(
                f"budget.labels is {self._config.labels}; {used.labels} labels are there, and "
                f"{name} asks for {labels}"
            )
        allowed = self._config.core_hours
        if allowed is not None and used.core_hours >= allowed:
            raise self._reached(
                f"budget.core_hours is {allowed:g}; the jobs have used {used.core_hours:.3g}, and "
                f"{name} comes next"
            )

    def _reached(self, words: str) -> BudgetError:
        return BudgetError(
            f"{self._file}: {words}. The run ends here, with what it has; raise the budget and "
            "give the same command again, and it goes on"
        )
