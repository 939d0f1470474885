"""How many tasks of a stage may fail; without a single success a stage has failed."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from pwact.errors import QuorumError
from pwact.executors.base import TaskResult
from pwact.verdict import Outcome

logger = logging.getLogger(__name__)
_SHOWN = 10


def may_fail(rate: float, count: int) -> int:
    """How many of so many may fail: one, or the share `rate` (0..1), rounded down; never all."""
    return min(max(1, int(rate * count + 1e-9)), max(0, count - 1))


def check_quorum(
    results: Sequence[TaskResult], rate: float, what: str, work_dir: Path
) -> list[TaskResult]:
    """Return the good results, unless too many tasks failed.

    One failed task is tolerated, and so are ``rate * len(results)`` of them, rounded down. Where no
    task succeeded, the stage has failed, whatever the rate.

    Parameters
    ----------
    rate
        Share that may fail, 0..1.
    what
        The tasks in words, such as ``iter.0000/label``.

    Raises
    ------
    QuorumError
        With each failed task's directory and what happened there.
    """
    demand_one(results, what, work_dir)
    failed = _failed(results)
    allowed = may_fail(rate, len(results))
    for result in failed:
        logger.warning("%s: failed: %s", what, _story(result))
    if len(failed) <= allowed:
        return [result for result in results if result.verdict.done]
    raise QuorumError(
        f"{what}: {len(failed)} of {len(results)} tasks failed in {work_dir}, "
        f"at most {allowed} may\n{_stories(failed)}\n{_next(failed, what)}"
    )


def demand_one(results: Sequence[TaskResult], what: str, work_dir: Path) -> None:
    """Raise QuorumError where there were tasks and not a single one succeeded.

    Parameters
    ----------
    what
        The tasks in words, such as ``iter.0000/label``.
    """
    failed = _failed(results)
    if not failed or len(failed) < len(results):
        return
    for result in failed:
        logger.warning("%s: failed: %s", what, _story(result))
    counted = "its only task failed" if len(failed) == 1 else f"all {len(failed)} tasks failed"
    raise QuorumError(f"{what}: {counted} in {work_dir}\n{_stories(failed)}\n{_next(failed, what)}")


def name_lost_groups(
    results: Sequence[TaskResult], groups: Mapping[Path, str], what: str, follows: str
) -> None:
    """Warn of each group of which no task succeeded, while tasks of others did.

    Parameters
    ----------
    groups
        Directory of a task → what it belongs to, such as a system.
    follows
        What that means for the group, in words.
    """
    parts: dict[str, list[TaskResult]] = {}
    for result in results:
        parts.setdefault(groups[result.task.directory], []).append(result)
    if len(parts) < 2:
        return
    for name, mine in parts.items():
        failed = _failed(mine)
        if len(failed) == len(mine):
            text = "%s: nothing of %s succeeded, so %s; its first failure: %s"
            logger.warning(text, what, name, follows, _story(failed[0]))


def _failed(results: Sequence[TaskResult]) -> list[TaskResult]:
    return [result for result in results if not result.verdict.done]


def _stories(failed: Sequence[TaskResult]) -> str:
    stories = [_story(result) for result in failed[:_SHOWN]]
    if len(failed) > _SHOWN:
        stories.append(f"… and {len(failed) - _SHOWN} more, all in the log file")
    return "\n".join(stories)


def _next(failed: Sequence[TaskResult], what: str) -> str:
    if all(result.verdict.outcome is Outcome.UNUSABLE for result in failed):
        return (
            "What next: these tasks would end the same way again; change what they are asked for "
            f"and start with --redo {what}"
        )
    return (
        "What next: repair the cause and give the same command again; tasks that are done "
        "are kept, the others are tried again."
    )


def _story(result: TaskResult) -> str:
    """Directory, reason and log of a failed task; the dispatcher's words, if there are any."""
    task = result.task
    reason = result.verdict.reason or "no reason known"
    return result.explanation or f"{task.directory}: {reason} (log: {task.directory / task.log})"
