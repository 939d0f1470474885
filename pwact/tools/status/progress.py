"""How far MDs and AIMDs are that still run, in steps, from what they have written so far."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Optional

from pwact.engines.md_steps import MD_KINDS, steps_made
from pwact.executors.history import JobStory
from pwact.report.status import StepFacts


def steps_of(work_dir: Path, jobs: Sequence[JobStory]) -> Optional[StepFacts]:
    """Steps of the MDs and AIMDs of jobs that have not ended; None where there are none."""
    found = [one for job in jobs if job.state != "ended" for one in _of_job(work_dir, job)]
    if not found:
        return None
    return StepFacts(len(found), sum(done for done, _ in found), sum(total for _, total in found))


def expected_s(work_dir: Path, jobs: Sequence[JobStory], now: float) -> Optional[float]:
    """How long a job takes, from the steps that those which run have made; None if unknown."""
    times = []
    for job in jobs:
        steps = _of_job(work_dir, job) if job.state == "running" and job.began_at else []
        done, total = (sum(column) for column in zip(*steps)) if steps else (0, 0)
        if done and job.began_at is not None:
            times.append((now - job.began_at) * total / done)
    return median(times) if times else None


def _of_job(work_dir: Path, job: JobStory) -> list[tuple[int, int]]:
    """Step and last step of each of its MDs, if it has any."""
    if job.job.kind not in MD_KINDS:
        return []
    return [one for one in (steps_made(work_dir / task) for task in job.tasks) if one is not None]
