"""Where a campaign lies, and whether it is the copy of another one.

A campaign that was moved is the same: its jobs go on and can be ended. A copy has the journal of
its original, but not its jobs: they are left alone, and its own get other names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from pwact import layout
from pwact.workflow import master

Events = Sequence[Mapping[str, Any]]


def original_of(work_dir: Path, events: Events) -> Optional[Path]:
    """The directory of which `work_dir` is a copy; None if it is none, or cannot be seen to be.

    The last master said where it worked. If a journal of the same campaign is still there, and is
    not this one under another name, then this one was copied since.
    """
    told = [event for event in events if event["event"] == master.EVENT]
    if not told or not told[-1].get("directory"):
        return None  # pwact 0.5.0 did not say
    original = Path(str(told[-1]["directory"]))
    theirs = original / layout.STATE_DIR / layout.JOURNAL
    mine = work_dir / layout.STATE_DIR / layout.JOURNAL
    try:
        if theirs.samefile(mine):
            return None
        with theirs.open("rb") as stream:
            first = json.loads(stream.readline())
    except (OSError, ValueError):
        return None
    same = isinstance(first, dict) and first.get("campaign") == events[0].get("campaign")
    return original if same else None


def living_elsewhere(work_dir: Path, events: Events) -> Optional[Mapping[str, Any]]:
    """The last master of pwact 0.5.0, if it lives on this machine without holding our lock."""
    told = [event for event in events if event["event"] == master.EVENT]
    if not told or told[-1].get("directory"):
        return None
    lock = work_dir / layout.STATE_DIR / layout.LOCK
    lives = master.lives_here(told[-1]) and not master.holds(int(told[-1]["pid"]), lock)
    return told[-1] if lives else None
