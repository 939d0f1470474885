"""Puts finished data sets where they belong, all of them, whatever happens in between."""

from __future__ import annotations

import json
import logging
import os
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Optional

from pwact.errors import UsageError
from pwact.io import files
from pwact.io.durable import sync_directory
from pwact.io.machine import Machine, start_of, this_machine

logger = logging.getLogger(__name__)

_READY = "ready"
_OWNER = "owner.json"
_RECEIPT = "receipt.json"  # there once everything is ready to be moved


class Workshop:
    """A directory beside the goal, in which data sets are made before they are moved there.

    Where the goal is new it appears in one step. Data sets for a directory that exists are moved
    one by one, after a receipt was written: an interrupted move is finished by the next call.

    Parameters
    ----------
    goal
        Absolute path of the directory of the data sets.
    order
        What was asked for, as JSON: the same order that was interrupted is not begun again.

    Attributes
    ----------
    ready
        The directory of the finished data sets.
    """

    def __init__(self, goal: Path, order: Mapping[str, Any]) -> None:
        self._goal = goal
        self._order = json.loads(json.dumps(order))
        self._beside = next(place for place in goal.parents if place.exists())
        self.place = self._beside / f".{goal.name}.{uuid.uuid4().hex[:8]}.new"
        self.ready = self.place / _READY

    def finish_interrupted(self) -> Optional[Mapping[str, Any]]:
        """Finish or delete what killed calls left; the record of the same order, if it was one."""
        told = None
        name = re.compile(rf"\.{re.escape(self._goal.name)}\.[0-9a-f]{{8}}\.new", re.DOTALL)
        for left in sorted(self._beside.iterdir()):
            if (
                not name.fullmatch(left.name)
                or not left.is_dir()
                or left.is_symlink()
                or _lives(left / _OWNER)
            ):
                continue
            receipt = _json(left / _RECEIPT)
            if receipt is not None and receipt.get("goal") != str(self._goal):
                continue  # a call for that goal finishes it
            if receipt is not None:
                self._move(left / _READY, receipt["names"])
                logger.warning("%s: finished what an interrupted call had begun", self._goal)
                if receipt["order"] == self._order:
                    told = receipt["told"]
            files.remove(left)
        return told

    def open(self) -> None:
        """Make the directory."""
        self.place.mkdir()
        me = {**asdict(this_machine()), "pid": os.getpid(), "start": start_of(os.getpid())}
        files.write_json(self.place / _OWNER, me)
        self.ready.mkdir()

    def publish(self, names: Sequence[str], told: Mapping[str, Any]) -> None:
        """Move what is ready to the goal; `told` is what the caller says of it afterwards."""
        if not self._goal.exists():
            self._goal.parent.mkdir(parents=True, exist_ok=True)
            self.ready.rename(self._goal)
            sync_directory(self._goal.parent)
            return
        receipt = {"order": self._order, "goal": str(self._goal), "names": list(names)}
        files.write_json(self.place / _RECEIPT, {**receipt, "told": told})
        self._move(self.ready, names)

    def close(self) -> None:
        """Delete the directory, unless a move was interrupted: the next call finishes that."""
        unfinished = (self.place / _RECEIPT).exists() and any(self.ready.iterdir())
        if not unfinished:
            files.remove(self.place)
        else:
            (self.place / _OWNER).unlink()

    def _move(self, ready: Path, names: Sequence[str]) -> None:
        """Move those that are not there yet; raises UsageError where somebody took a name."""
        left = [name for name in names if (ready / name).exists()]
        for name in left:
            if (self._goal / name).exists():
                raise UsageError(
                    f"{self._goal / name} was made by somebody else before the data set of this "
                    f"name came there from {ready}; nothing was changed. Rename it, and give the "
                    "same command again"
                )
        for name in left:
            (ready / name).rename(self._goal / name)
        sync_directory(self._goal)


def _lives(owner: Path) -> bool:
    """Whether the call that made a workshop is at work, or may be, on another machine."""
    found, here = _json(owner), this_machine()
    if found is None:
        return False
    there = Machine(*(str(found.get(key) or "") for key in ("host", "boot", "id")))
    if here.same_start(there):
        return found.get("start") is not None and start_of(int(found["pid"])) == found["start"]
    return not here.started_again(there)


def _json(path: Path) -> Optional[dict[str, Any]]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
