"""How long it may still take, from medians of what is done. Seconds throughout."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median
from typing import Optional

from pwact.executors.history import JobStory
from pwact.report.status import StageFacts, TaskFacts
from pwact.workflow.ledger import StageState


def own_seconds(stages: Iterable[StageState]) -> dict[str, float]:
    """What each finished stage took beyond those that began before it and ended earlier.

    Stages overlap, for labels begin while others explore; so these times add up to the whole.
    """
    done = [one for one in stages if one.done and one.ended_at is not None and one.started_at]
    found, until = {}, 0.0
    for one in sorted(done, key=lambda state: state.ended_at or 0.0):
        end = one.ended_at or 0.0
        found[one.name] = max(0.0, end - max(one.started_at, until))
        until = max(until, end)
    return found


@dataclass(frozen=True)
class Work:
    """The present stage.

    Attributes
    ----------
    mine
        Its jobs.
    like
        Jobs of the same kind that were asked for by any stage.
    expected_s
        What a job takes as far as those that run tell, for the time before one has ended.
    """

    tasks: TaskFacts
    mine: Sequence[JobStory]
    like: Sequence[JobStory]
    expected_s: Optional[float] = None


def tasks_left_s(work: Work, now: float) -> Optional[float]:
    """Time until the last task of a stage ends: as many jobs go on working at once as do now.

    A job takes the median of those that ended with tasks done, of this stage if there are any,
    from when it was seen running (or was submitted).
    """
    one_s = _job_s(work.mine) or _job_s(work.like) or work.expected_s
    if work.tasks.total is None or one_s is None:
        return None
    live = [story for story in work.mine if story.state != "ended"]
    held = sum(len(story.job.tasks) for story in live)
    waiting = max(0, work.tasks.total - work.tasks.done - work.tasks.failed - held)
    size = max(1, round(median([len(story.job.tasks) for story in work.mine] or [1])))
    ends = [_rest_s(story, one_s, now) for story in live]
    total = sum(ends) + ceil(waiting / size) * one_s
    return max([total / max(1, len(live)), *ends])


def _job_s(stories: Sequence[JobStory]) -> Optional[float]:
    times = [
        story.ended_at - story.began_at
        for story in stories
        if story.done and story.ended_at is not None and story.began_at is not None
    ]
    return median(times) if times else None


def _rest_s(story: JobStory, one_s: float, now: float) -> float:
    if story.state != "running" or story.began_at is None:
        return one_s
    return max(0.0, one_s - (now - story.began_at))


def stage_left_s(
    stages: Sequence[StageFacts], present: StageFacts, worked_s: float
) -> Optional[float]:
    """Time until a stage ends of which only earlier iterations tell how long it takes."""
    times = [one.seconds for one in stages if one.step == present.step and one.seconds is not None]
    return max(0.0, median(times) - worked_s) if times else None


def campaign_left_s(
    stages: Sequence[StageFacts],
    present: Optional[StageFacts],
    present_left_s: Optional[float],
    iterations: Optional[int],
) -> Optional[float]:
    """Time until a run ends, in which each step takes the median of those done so far.

    None unless the number of iterations is known and each step that is still to come was done once.
    """
    if iterations is None:
        return None
    taken: dict[str, list[float]] = {}
    for stage in stages:
        if stage.seconds is not None:
            taken.setdefault(stage.step, []).append(stage.seconds)
    usual: Mapping[str, float] = {step: median(times) for step, times in taken.items()}
    known = {(one.iteration, one.step) for one in stages if one.state == "done" or one is present}
    steps = list(dict.fromkeys(stage.step for stage in stages))
    if not {"train", "label"} <= usual.keys() or (present and present_left_s is None):
        return None
    left = present_left_s or 0.0
    for iteration in range(iterations):
        left += sum(usual.get(step, 0.0) for step in steps if (iteration, step) not in known)
    return left + (0.0 if (iterations, "train") in known else usual["train"])
