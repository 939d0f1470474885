"""Which results of a finished stage a crash of the machine has taken away.

A job's program does not wait for the disk, so that a power cut may leave a file empty or short
although it was whole when the journal took note of it. Such a stage is done again. A result that
somebody altered looks different: it is refused, as is one that was deleted.
"""

from __future__ import annotations

import hashlib
import logging
import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from pwact.io import files
from pwact.io.durable import settle
from pwact.io.machine import boot_id
from pwact.workflow import master
from pwact.workflow.ledger import StageState
from pwact.workflow.stage import StageOutput
from pwact.workflow.tasks.prepare import relative

logger = logging.getLogger(__name__)
_NOTHING = hashlib.sha256().hexdigest()
_TAIL = 512  # bytes: a sector


def settled(work_dir: Path, output: StageOutput) -> dict[str, Any]:
    """Wait until what a stage leaves is on disk; say for the journal what that is."""
    settle([*output.files, *output.lasting], work_dir)
    products = {relative(path, work_dir): path for path in output.files}
    return {
        "files": {name: files.tree_hash(path) for name, path in products.items()},
        "sizes": {name: size_of(path) for name, path in products.items()},
        "transient": [relative(path, work_dir) for path in output.transient],
        "lost": [relative(path, work_dir) for path in output.lost],
    }


def has_taken(work_dir: Path, state: StageState, events: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a finished stage has to be done again after a crash; the log says why."""
    words = lost(work_dir, state, events) if state.done else []
    if words:
        logger.warning(
            "%s: a crash of the machine has taken what was done (%s); it is done again",
            state.name,
            "; ".join(words[:3]),
        )
    return bool(words)


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files below a directory."""
    if not path.is_dir():
        return path.stat().st_size
    return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())


def lost(work_dir: Path, state: StageState, events: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say in words which products of a stage a crash has taken away.

    An empty file that was not empty is enough. What is missing, shorter or ends in zeros counts
    only where there was a crash: the master of that time did not end in an orderly way, or its
    machine was started again since.
    """
    crashed = _crashed(state, events)
    words = []
    for name, known in state.files.items():
        path, size = work_dir / name, state.sizes.get(name)
        if not path.exists():
            words += [f"{name} is missing"] if crashed else []
            continue
        found = size_of(path)
        was_filled = known != _NOTHING if size is None else size > 0
        if path.is_file() and found == 0 and was_filled:
            words.append(f"{name} is empty")
        elif crashed and _short(path, found, size) and files.tree_hash(path) != known:
            words.append(f"{name} has {found} bytes" + ("" if size is None else f" of {size}"))
    return words


def _short(path: Path, found: int, size: Optional[int]) -> bool:
    if size is not None and found < size:
        return True
    if path.is_file():
        return _ends_in_zeros(path)
    return any(_ends_in_zeros(one) for one in path.rglob("*") if one.is_file() and _own(one))


def _own(path: Path) -> bool:
    return not path.name.startswith("tag.")  # tags are empty


def _ends_in_zeros(path: Path) -> bool:
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - _TAIL))
        return not stream.read().strip(b"\0")


def _crashed(state: StageState, events: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the master that did the stage, or its machine, did not end in an orderly way."""
    started = [
        number
        for number, event in enumerate(events)
        if event["event"] == master.EVENT and number < state.position
    ]
    if not started:
        return False
    later = [event["event"] for event in events[state.position + 1 :]]
    ended = next((word for word in later if word in (master.EVENT, master.ENDED)), "")
    if not ended:
        return False  # it is at work
    mark = events[started[-1]].get("mark") or ""
    same_host = events[started[-1]].get("host") == socket.gethostname()
    return ended == master.EVENT or (same_host and mark.partition(" ")[0] != boot_id())
