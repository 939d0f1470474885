"""What all stages do: make task directories, name files, hash files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Callable, Optional

from pwact.config.resources import ResourceBlock, Resources
from pwact.errors import InputError, QuorumError
from pwact.executors.base import TaskResult
from pwact.io import files


def prepare(directory: Path, write: Callable[[Path], None]) -> None:
    """Make a task directory appear with all its inputs at once.

    A directory that exists is left alone: after a restart its job may still be running.
    """
    if directory.is_dir():
        return
    aside = directory.with_name(f".{directory.name}.new")
    files.remove(aside)
    aside.mkdir(parents=True)
    with files.synced_together(aside):
        write(aside)
    aside.rename(directory)


def relative(path: Path, work_dir: Path) -> str:
    """Path as products and the journal hold it: from the work directory, if it lies below."""
    try:
        return path.relative_to(work_dir).as_posix()
    except ValueError:
        return str(path)


def link_inside(target: Path, path: Path) -> None:
    """Make `path` a link to `target` that still holds after the work directory was moved."""
    path.parent.mkdir(parents=True, exist_ok=True)
    files.link(Path(os.path.relpath(target, path.parent)), path)


def content(paths: Iterable[Path]) -> list[str]:
    """Hash of each file or tree, in order: what a result depends on, wherever the files lie."""
    return [files.tree_hash(path) for path in paths]


def demand_all(results: Sequence[TaskResult], what: str) -> None:
    """Raise QuorumError unless every task is done: for stages that need all of them."""
    broken = [result.explanation for result in results if not result.verdict.done]
    if broken:
        stories = "\n".join(broken)
        raise QuorumError(f"{what}: {len(broken)} of {len(results)} tasks failed\n{stories}")


def needed(block: Optional[ResourceBlock], resources: Resources, name: str) -> ResourceBlock:
    """A block of the resource file that must be there."""
    if block is None:
        raise InputError("this block is needed and missing", resources.file, name)
    return block
