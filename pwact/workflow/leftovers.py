"""Deletes what a master that was killed has left half written."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pwact import layout
from pwact.executors.history import open_jobs_in
from pwact.workflow import master

logger = logging.getLogger(__name__)
_ASIDE = re.compile(r"\..{1,100}\.[0-9a-f]{8}\.tmp", re.DOTALL)  # see pwact.io.files
_OURS = re.compile(r"iter\.\d{4,}")


def sweep(work_dir: Path, events: Sequence[Mapping[str, Any]]) -> int:
    """Delete files that were written aside and never got their name; how many there were.

    Only where the last master did not end in an orderly way, only in directories that are ours, and
    not where tasks of a job lie that may still be at work. The caller holds the lock.
    """
    ends = [event["event"] for event in events if event["event"] in (master.EVENT, master.ENDED)]
    if ends[-1:] != [master.EVENT]:
        return 0
    busy = {
        os.path.normpath(work_dir / job.directory / task)
        for job in open_jobs_in(events)
        for task in job.tasks
    }
    found = [path for path in work_dir.iterdir() if _is_left(path)]
    for top in work_dir.iterdir():
        ours = _OURS.fullmatch(top.name) or top.name in (
            layout.STATE_DIR,
            layout.TEMP_INIT,
            layout.COLLECTION,
        )
        if not ours or top.is_symlink():
            continue
        for place, folders, names in os.walk(top):
            folders[:] = [one for one in folders if os.path.normpath(f"{place}/{one}") not in busy]
            found += [path for name in names if _is_left(path := Path(place, name))]
    for path in found:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            logger.warning("%s: cannot be deleted: %s", path, error.strerror)
    return len(found)


def _is_left(path: Path) -> bool:
    return bool(_ASIDE.fullmatch(path.name)) and (path.is_symlink() or path.is_file())
