"""Notices inputs of tasks that were altered after they were written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Optional

from pwact.errors import StageChangedError
from pwact.io import files
from pwact.io.appended import Appended


class Untouched:
    """Hashes of what was written into task directories, kept in one file.

    Parameters
    ----------
    path
        The file; directories in it are relative to its own.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = Appended(path)

    def note(self, directories: Sequence[Path]) -> None:
        """Take note of what directories hold that were written just now.

        Links are left out: what they point at is an input of the stage.
        """
        self._note(
            {
                directory: [item for item in sorted(directory.iterdir()) if not item.is_symlink()]
                for directory in directories
            }
        )

    def note_files(self, directory: Path, names: Sequence[str]) -> None:
        """Take note of these files of a directory, unless that was done."""
        if self._name(directory) not in self._known.values:
            self._note({directory: [directory / name for name in names]})

    def _note(self, written: Mapping[Path, Sequence[Path]]) -> None:
        hashes = {
            self._name(directory): {
                path.name: files.tree_hash(path) for path in paths if path.is_file()
            }
            for directory, paths in written.items()
        }
        self._known.add(hashes)

    def altered(self, directory: Path) -> Optional[Path]:
        """A file of a directory that is not what was written; None if there is none.

        One that is gone is none of that: a finished iteration keeps results only.
        """
        noted: object = self._known.values.get(self._name(directory))
        for name, known in noted.items() if isinstance(noted, dict) else ():
            path = directory / str(name)
            if path.is_file() and files.tree_hash(path) != known:
                return path
        return None

    def demand(self, directories: Sequence[Path], stage: str) -> None:
        """Raise StageChangedError if a file of these directories is not what was written."""
        for directory in directories:
            path = self.altered(directory)
            if path is not None:
                raise StageChangedError(
                    f"{path}: was altered since {stage} wrote it, so what is computed from it "
                    f"is no label. Undo the change, or delete {directory} to have it "
                    "written and computed again"
                )

    def _name(self, directory: Path) -> str:
        return directory.relative_to(self._path.parent).as_posix()
