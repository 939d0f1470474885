"""Prepares the continuation of a cut-off MD in the current directory; run inside the job.

Exit status 0: a whole restart file exists, the dump holds only what came before its step, and the
deviation rows are set aside. Exit status 1: start from the beginning.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Optional

from pwact.engines.lammps.input import DEVIATION, DUMP, EARLIER_DEVIATION, RESTART
from pwact.engines.md_task import EARLIER_LOG, LOG
from pwact.io.files import replacing, write_text

_MAGIC = b"LammpS RestartT"  # stands at both ends of a whole restart file
_ITEM = b"ITEM: TIMESTEP"


def main() -> int:
    """Prepare the current directory."""
    return 0 if prepare(Path.cwd()) else 1


def prepare(directory: Path) -> bool:
    """Cut the files of `directory` back to the newest restart file that can be used.

    It must be whole, and frames and deviation rows before its step must belong together: some
    programs keep a part of what they write in memory, and that is lost with them. All other restart
    files are deleted, because LAMMPS would take the newest whatever it is.
    """
    rows = _rows(directory)
    frames = _dumped(directory / DUMP)
    found = {}
    for path in directory.glob(f"{RESTART}.*"):
        number = path.name[len(RESTART) + 1 :]
        if number.isdigit() and _is_whole(path) and _agree(frames, rows, int(number)):
            found[int(number)] = path
    newest = max(found, default=-1)
    for path in directory.glob(f"{RESTART}.*"):
        if path != found.get(newest):
            path.unlink()
    if newest < 0:
        (directory / EARLIER_LOG).unlink(missing_ok=True)
        return False
    _cut_dump(directory / DUMP, newest)
    _set_rows_aside(directory, rows)
    _set_log_aside(directory)
    return True


def _agree(frames: list[int], rows: Optional[_Rows], step: int) -> bool:
    before = [frame for frame in frames if frame < step]
    if not before or rows is None:  # some programs write the rows after the MD
        return bool(before)
    return before == [row for row in sorted(rows.lines) if row < step]


def _is_whole(path: Path) -> bool:
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - 64))
        return _MAGIC in stream.read()


def _dumped(path: Path) -> list[int]:
    """Steps of the frames that were begun, up to the first torn one."""
    if not path.exists():
        return []
    steps: list[int] = []
    with path.open("rb") as stream:
        for _, number in _frames(stream):
            if steps and number <= steps[-1]:
                break
            steps.append(number)
    return steps


def _cut_dump(path: Path, step: int) -> None:
    """Drop the frames from `step` on; LAMMPS writes the frame of the restart step again."""
    last = -1
    with path.open("rb+") as stream:
        for offset, number in _frames(stream):
            if number >= step or number <= last:  # the number of a torn frame may be cut short
                stream.truncate(offset)
                return
            last = number


def _frames(stream: BinaryIO) -> Iterator[tuple[int, int]]:
    """Offset and step of every frame."""
    offset = 0
    after_item = False
    start = 0
    for line in stream:
        if after_item:
            yield start, int(line) if line.strip().isdigit() else sys.maxsize
        after_item = line.startswith(_ITEM)
        if after_item:
            start = offset
        offset += len(line)


@dataclass
class _Rows:
    """The whole deviation rows of all parts of a run, by their steps."""

    header: str = ""
    lines: dict[int, str] = field(default_factory=dict)


def _rows(directory: Path) -> Optional[_Rows]:
    """The rows so far; None if no file is there."""
    paths = [directory / name for name in (EARLIER_DEVIATION, DEVIATION)]
    paths = [path for path in paths if path.exists()]
    rows = _Rows()
    for path in paths:
        for line in path.read_text().split("\n")[:-1]:  # what follows the last line end was cut off
            words = line.split()
            if line.startswith("#"):
                rows.header = line
            elif words and words[0].isdigit():
                rows.lines[int(words[0])] = line
    return rows if paths else None


def _set_rows_aside(directory: Path, rows: Optional[_Rows]) -> None:
    """Keep the deviation rows so far, because most pair styles overwrite the file."""
    if rows is not None and rows.lines:
        lines = [rows.lines[number] for number in sorted(rows.lines)]
        write_text(directory / EARLIER_DEVIATION, "\n".join([rows.header, *lines]) + "\n")
    (directory / DEVIATION).unlink(missing_ok=True)


def _set_log_aside(directory: Path) -> None:
    """Keep what LAMMPS printed so far: energies of frames that stay in the dump."""
    paths = [directory / name for name in (EARLIER_LOG, LOG)]
    texts = [path.read_bytes() for path in paths if path.exists()]
    whole = [text[: text.rfind(b"\n") + 1] for text in texts]  # a last line may be cut off
    with replacing(paths[0]) as aside:
        aside.write_bytes(b"".join(whole))


if __name__ == "__main__":
    sys.exit(main())
