"""The jobs of a campaign in time, and what each step took."""

from __future__ import annotations

from collections.abc import Sequence

from pwact.executors.history import JobStory
from pwact.report.html.charts import BARS
from pwact.report.html.facts import JobBar, StepCost
from pwact.tools.status.story import Story
from pwact.workflow.ledger import place_of

HOUR_S = 3600.0


def shown(jobs: int) -> int:
    """How many of so many jobs are drawn."""
    return min(jobs, BARS)


def job_bars(story: Story) -> list[JobBar]:
    """The jobs of the last command, in the order in which they were asked for."""
    return [_bar(story, job) for job in story.jobs]


def _bar(story: Story, job: JobStory) -> JobBar:
    stage = story.stage_of(job)
    seen_running = job.began_at if job.began_at != job.submitted_at else None
    state = job.state
    if state == "ended":
        state = "ended" if job.done == len(job.job.tasks) else "failed"
    return JobBar(
        job.job.name,
        place_of(stage)[1] or job.job.kind,
        stage,
        job.submitted_at or job.job.asked_at,
        seen_running,
        job.ended_at,
        state,
        job.job.cores or None,
    )


def step_costs(jobs: Sequence[JobBar], until: float) -> list[StepCost]:
    """What each step took, in the order in which the steps came; open jobs count `until` then."""
    return [
        _cost(step, [job for job in jobs if job.step == step], until)
        for step in dict.fromkeys(job.step for job in jobs)
    ]


def _cost(step: str, jobs: Sequence[JobBar], until: float) -> StepCost:
    waited = worked = core = 0.0
    for job in jobs:
        began = job.works_from(until)
        at_work = max(0.0, (job.ended or until) - began)
        waited += max(0.0, began - job.submitted)
        worked += at_work
        core += at_work / HOUR_S * (job.cores or 0)
    known = all(job.cores is not None for job in jobs)
    return StepCost(step, len(jobs), waited, worked, core if known else None)
