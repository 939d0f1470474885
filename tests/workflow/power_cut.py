"""A disk that holds only what was waited for, as it is after a power cut.

Whoever waits for a file (`os.fsync`) has its content on the disk, whoever waits for a directory the
names in it. What was written or renamed without that may be there or not: here it is not.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

Inode = tuple[int, int]


@dataclass(frozen=True)
class Snapshot:
    """What the disk holds at one moment."""

    contents: dict[Inode, bytes]
    names: dict[Inode, dict[str, tuple[Inode, str]]]  # directory → name → what, target of a link
    top: Inode

    def restore(self, place: Path) -> None:
        """Write it as a directory tree."""
        self._fill(self.top, place)

    def _fill(self, inode: Inode, place: Path) -> None:
        place.mkdir()
        for name, (child, link) in self.names.get(inode, {}).items():
            if link == "/":
                self._fill(child, place / name)
            elif link:
                (place / name).symlink_to(link)
            else:
                (place / name).write_bytes(self.contents.get(child, b""))


class Disk:
    """Watches a directory tree that is there already.

    Attributes
    ----------
    asleep
        While set, waiting changes nothing: programs of jobs do not wait.
    """

    def __init__(self, top: Path) -> None:
        self.asleep = False
        self._contents: dict[Inode, bytes] = {}
        self._names: dict[Inode, dict[str, tuple[Inode, str]]] = {}
        self._held: list[int] = []  # open handles, so that no number is given out twice
        self._fsync = os.fsync
        self._top = _inode(top.stat())
        for place, _, files in os.walk(top):
            for path in [Path(place), *(Path(place, name) for name in files)]:
                if not path.is_symlink():
                    self._wait(os.open(path, os.O_RDONLY))

    def fsync(self, handle: int) -> None:
        """Stand in for `os.fsync`."""
        self._fsync(handle)
        if not self.asleep:
            self._wait(os.open(f"/proc/self/fd/{handle}", os.O_RDONLY))

    def _wait(self, handle: int) -> None:
        self._held.append(handle)
        state = os.fstat(handle)
        if stat.S_ISDIR(state.st_mode):
            self._names[_inode(state)] = _listed(handle)
        elif stat.S_ISREG(state.st_mode):
            self._contents[_inode(state)] = os.pread(handle, state.st_size, 0)

    def now(self, top: Path, names_too: bool) -> Snapshot:
        """What a power cut would leave now; `names_too`: names are on disk without waiting."""
        names = dict(self._names)
        for place, _, _ in os.walk(top) if names_too else ():
            handle = os.open(place, os.O_RDONLY)
            names[_inode(os.fstat(handle))] = _listed(handle)
            os.close(handle)
        return Snapshot(dict(self._contents), names, self._top)

    def close(self) -> None:
        """Let go of what was watched."""
        for handle in self._held:
            os.close(handle)


def _inode(state: os.stat_result) -> Inode:
    return state.st_dev, state.st_ino


def _listed(directory: int) -> dict[str, tuple[Inode, str]]:
    with os.scandir(directory) as entries:
        return {
            entry.name: (_inode(entry.stat(follow_symlinks=False)), _kind(entry, directory))
            for entry in entries
        }


def _kind(entry: os.DirEntry[Any], handle: int) -> str:
    if entry.is_symlink():
        return os.readlink(entry.name, dir_fd=handle)
    return "/" if entry.is_dir() else ""


@contextmanager
def watched(top: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """Watch what is waited for below `top`, which holds what it has from the beginning."""
    disk = Disk(top)
    monkeypatch.setattr(os, "fsync", disk.fsync)
    try:
        yield disk
    finally:
        monkeypatch.undo()
        disk.close()
