"""Prepares the continuation of a cut-off MD in the current directory; run inside the job.

Exit status 0: a whole restart file exists, the dump holds only what came before its step, and the
deviation rows are set aside. Exit status 1: start anew.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pwact.engines.lammps_input import DEVIATION, DUMP, EARLIER_DEVIATION, RESTART
from pwact.io.files import write_text

_MAGIC = b"LammpS RestartT"  # stands at both ends of a whole restart file
_ITEM = b"ITEM: TIMESTEP"


def main() -> int:
    """Prepare the current directory."""
    return 0 if prepare(Path.cwd()) else 1


def prepare(directory: Path) -> bool:
    """Cut the files of `directory` back to the newest whole restart file.

    Torn restart files are deleted, because LAMMPS would take the newest whatever it is.
    """
    steps = []
    for path in directory.glob(f"{RESTART}.*"):
        number = path.name[len(RESTART) + 1 :]
        if number.isdigit() and _is_whole(path):
            steps.append(int(number))
        else:
            path.unlink()
    if not steps or not (directory / DUMP).exists():
        for path in directory.glob(f"{RESTART}.*"):
            path.unlink()
        return False
    _cut_dump(directory / DUMP, max(steps))
    _set_rows_aside(directory)
    return True


def _is_whole(path: Path) -> bool:
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - 64))
        return _MAGIC in stream.read()


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


def _set_rows_aside(directory: Path) -> None:
    """Keep the deviation rows so far, because most pair styles begin the file anew."""
    kept: dict[int, str] = {}
    header = ""
    for name in (EARLIER_DEVIATION, DEVIATION):
        path = directory / name
        text = path.read_text() if path.exists() else ""
        for line in text.split("\n")[:-1]:  # what follows the last line end was cut off
            words = line.split()
            if line.startswith("#"):
                header = line
            elif words and words[0].isdigit():
                kept[int(words[0])] = line
    if kept:
        rows = [kept[number] for number in sorted(kept)]
        write_text(directory / EARLIER_DEVIATION, "\n".join([header, *rows]) + "\n")
    (directory / DEVIATION).unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
