"""Links from a task's directory to what it reads, so that a moved work directory stays whole."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from pwact.io.files import link


def link_files(directory: Path, links: Mapping[str, Path]) -> None:
    """Make links with relative targets, so that a moved work directory stays whole."""
    for name, target in zip(links, relative_paths(list(links.values()), directory)):
        link(Path(target), directory / name)


def relative_paths(paths: Sequence[Path], directory: Path) -> list[str]:
    """Paths as seen from a task directory, so that a moved work directory stays whole."""
    start = directory.resolve()
    return [os.path.relpath(path.resolve(), start) for path in paths]
