"""Ends what the journal recorded, and nothing else."""

from __future__ import annotations

import logging
import socket
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Callable, Optional

from pwact.config.resources import ResourceBlock
from pwact.errors import PwactError
from pwact.executors.base import Executor
from pwact.executors.history import ENDED, OpenJob, open_jobs_in
from pwact.io.journal import Journal
from pwact.io.machine import boot_word
from pwact.registry.schedulers import EXECUTORS

logger = logging.getLogger(__name__)


def open_jobs(journal: Journal) -> list[OpenJob]:
    """Jobs that were asked for and are not known to have ended, oldest first."""
    return open_jobs_in(journal.events())


def cancel_jobs(
    journal: Journal,
    executor_for: Callable[[ResourceBlock], Executor],
    below: Optional[str] = None,
) -> list[str]:
    """End the open jobs with all their processes, and say for each what came of it.

    The caller holds the lock of the work directory, since the ends are put on record.

    Parameters
    ----------
    below
        Only jobs in this directory or deeper, relative to the work directory; None for all.
    """
    jobs = [
        job
        for job in open_jobs(journal)
        if below is None or PurePath(below) in (one := PurePath(job.directory), *one.parents)
    ]
    lines = []
    for scheduler in sorted({job.scheduler for job in jobs}):
        mine = [job for job in jobs if job.scheduler == scheduler]
        far = [job for job in mine if _elsewhere(job)]
        lines += [
            f"job {job.name}: not ended, since it was started on {job.host}; give the command there"
            for job in far
        ]
        mine = [job for job in mine if job not in far]
        executor = executor_for(ResourceBlock(scheduler=scheduler))
        lines += _cancel(journal, executor, mine)
    return lines


def _elsewhere(job: OpenJob) -> bool:
    """Whether a job's processes are those of another machine."""
    here = job.id.endswith(f".{boot_word()}")  # a machine may have other names, in containers
    return EXECUTORS[job.scheduler].here and job.host not in ("", socket.gethostname()) and not here


def _cancel(journal: Journal, executor: Executor, jobs: Sequence[OpenJob]) -> list[str]:
    try:
        known = [job if job.id else replace(job, id=executor.find(job.name) or "") for job in jobs]
        ids = {job.id: job.name for job in known if job.id}
        before = executor.poll(ids) if ids else {}
        alive = {job_id: name for job_id, name in ids.items() if before[job_id].alive}
        if alive:
            executor.cancel(alive)
        after = executor.poll(alive) if alive else {}
    except PwactError as error:
        return [f"job {job.name} ({job.id or 'no id'}): not ended: {error}" for job in jobs]
    lines, ended = [], []
    for job in known:
        where = f"job {job.name} ({job.id or 'no id'}) in {job.directory}"
        if job.id in after and after[job.id].alive:
            lines.append(f"{where}: asked to end, but still {after[job.id]}")
            continue
        state = "cancelled" if job.id in alive else "had ended already"
        state = state if job.id else "never reached the queue"
        lines.append(f"{where}: {state}")
        ended.append({"name": job.name, "id": job.id, "state": state})
    journal.append_all(ENDED, ended)
    return lines
