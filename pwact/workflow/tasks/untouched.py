"""Notices inputs of tasks that were altered after they were written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pwact.errors import StageChangedError
from pwact.io import files


class Untouched:
    """Hashes of what was written into task directories, kept in one file.

    Parameters
    ----------
    path
        The file; directories in it are relative to its own.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            self._known = {str(place): dict(content) for place, content in stored.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            self._known = {}

    def note(self, directories: Sequence[Path]) -> None:
        """Take note of what directories hold that were written just now.

        Links are left out: what they point at is an input of the stage.
        """
        for directory in directories:
            self._known[self._name(directory)] = {
                item.name: files.tree_hash(item)
                for item in sorted(directory.iterdir())
                if item.is_file() and not item.is_symlink()
            }
        if directories:
            files.write_json(self._path, self._known)

    def demand(self, directories: Sequence[Path], stage: str) -> None:
        """Raise StageChangedError if a file of these directories is not what was written.

        One that is gone is none of that: a finished iteration keeps results only.
        """
        for directory in directories:
            for name, known in self._known.get(self._name(directory), {}).items():
                path = directory / name
                if path.is_file() and files.tree_hash(path) != known:
                    raise StageChangedError(
                        f"{path}: was altered since {stage} wrote it, so what is computed from it "
                        f"is no label. Undo the change, or delete {directory} to have it "
                        "written and computed again"
                    )

    def _name(self, directory: Path) -> str:
        return directory.relative_to(self._path.parent).as_posix()
