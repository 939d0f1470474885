"""Directories of ``pwact check --try``: what one that was killed has left is ended and deleted."""

from __future__ import annotations

import logging
import shutil
import socket
import tempfile
from pathlib import Path

from pwact import layout
from pwact.errors import PwactError
from pwact.executors import executor_for
from pwact.executors.cancel import cancel_jobs
from pwact.io.journal import Journal
from pwact.workflow import master

logger = logging.getLogger(__name__)
_PREFIX = ".pwact-try-"


def begin(work_dir: Path) -> Journal:
    """Make a directory for a trial; the journal in it says whose it is."""
    place = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_home(work_dir)))
    (place / layout.STATE_DIR).mkdir()
    journal = Journal(place / layout.STATE_DIR / layout.JOURNAL)
    journal.append(master.EVENT, command="check", directory=str(place), **master.myself())
    return journal


def end(journal: Journal) -> None:
    """End the jobs of a trial and delete its directory."""
    try:
        cancel_jobs(journal, executor_for)
    except PwactError as error:
        logger.warning("%s", error)
    journal.close()
    shutil.rmtree(journal.path.parent.parent, ignore_errors=True)


def end_dead(work_dir: Path) -> None:
    """End the trials whose command was killed; what may belong to a living one is left alone."""
    for place in sorted(_home(work_dir).glob(f"{_PREFIX}*")):
        if place.is_symlink() or not place.is_dir():
            continue
        text = "%s: a check --try that was killed has left it: %s"
        try:
            journal = Journal(place / layout.STATE_DIR / layout.JOURNAL)
        except PwactError as error:
            logger.warning(text, place, f"delete it ({error})")
            continue
        begun = [event for event in journal.events() if event["event"] == master.EVENT]
        if begun and begun[-1]["host"] == socket.gethostname():
            if not master.lives_here(begun[-1]):
                logger.warning(text, place, "its jobs are ended, and it is deleted")
                end(journal)
            continue
        host = begun[-1]["host"] if begun else "another machine"
        logger.warning("%s: a check --try on %s works there, or has left it", place, host)


def _home(work_dir: Path) -> Path:
    """Where the directories of trials lie: a campaign's own directory may not exist yet."""
    return next(one for one in (work_dir, *work_dir.parents) if one.is_dir())
