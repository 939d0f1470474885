"""How many tasks of a stage may fail."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from pwact.errors import QuorumError
from pwact.executors.base import TaskResult

_LOG = logging.getLogger(__name__)
_SHOWN = 10


def may_fail(rate: float, count: int) -> int:
    """How many of so many may fail: one, or the share `rate` (0..1), rounded down."""
    return max(1, int(rate * count + 1e-9))


def check_quorum(
    results: Sequence[TaskResult], rate: float, what: str, work_dir: Path
) -> list[TaskResult]:
    """Return the good results, unless too many tasks failed.

    One failed task is always borne, and so are ``rate * len(results)`` of them, rounded down.

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
    failed = [result for result in results if not result.verdict.done]
    allowed = may_fail(rate, len(results))
    for result in failed:
        _LOG.warning("%s: failed: %s", what, _story(result))
    if len(failed) <= allowed:
        return [result for result in results if result.verdict.done]
    told = [_story(result) for result in failed[:_SHOWN]]
    if len(failed) > _SHOWN:
        told.append(f"… and {len(failed) - _SHOWN} more, all in the log file")
    raise QuorumError(
        f"{what}: {len(failed)} of {len(results)} tasks failed in {work_dir}, "
        f"at most {allowed} may\n"
        + "\n".join(told)
        + "\nWhat next: repair the cause and give the same command again; tasks that are done "
        "are kept, the others are tried again."
    )


def _story(result: TaskResult) -> str:
    """Directory, reason and log of a failed task; the dispatcher's words, if there are any."""
    task = result.task
    reason = result.verdict.reason or "no reason known"
    return result.explanation or f"{task.directory}: {reason} (log: {task.directory / task.log})"
