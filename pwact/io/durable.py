"""Waits until files, and the names that lead to them, are on disk."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_TOGETHER = 16  # the disk takes many files in one go when they are asked for at the same time


def settle(paths: Iterable[Path], below: Path) -> None:
    """Make files and whole trees survive a power cut, whoever wrote them.

    What a file holds, the directories in a tree, and every directory from each path up to `below`
    (with it) are on disk afterwards. A link counts together with what it points at; links, pipes
    and sockets inside a tree are names only. What is not there is left out.

    Parameters
    ----------
    below
        Directory in which the paths lie; of others only their own directory is waited for.

    Raises
    ------
    OSError
        The disk did not take a file; it names the file.
    """
    contents: dict[Path, None] = {}
    directories: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            _walk(path, contents, directories)
        elif path.is_file():
            contents[path] = None
        elif not path.is_symlink():
            continue
        directories.update(dict.fromkeys(_above(path, below)))
    with ThreadPoolExecutor(_TOGETHER) as pool:
        list(pool.map(_sync, contents))
        list(pool.map(sync_directory, directories))


def _walk(top: Path, contents: dict[Path, None], directories: dict[Path, None]) -> None:
    for place, _, names in os.walk(top):
        directories[Path(place)] = None
        for name in names:
            path = Path(place, name)
            with contextlib.suppress(FileNotFoundError):
                if stat.S_ISREG(path.lstat().st_mode):
                    contents[path] = None


def _above(path: Path, below: Path) -> list[Path]:
    if path == below:
        return []
    parents = list(path.parents)
    return parents[: parents.index(below) + 1] if below in parents else parents[:1]


def sync_directory(path: Path) -> None:
    """Make the names in a directory survive a power cut, where the file system can."""
    with contextlib.suppress(OSError):  # some network file systems refuse it
        _sync(path)


def _sync(path: Path) -> None:
    try:
        handle = os.open(path, os.O_RDONLY)
    except (FileNotFoundError, PermissionError):  # gone meanwhile, or nothing that we could read
        return
    try:
        os.fsync(handle)
    except OSError as error:
        error.filename = str(path)
        raise
    finally:
        os.close(handle)
