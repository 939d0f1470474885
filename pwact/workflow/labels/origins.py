"""Where frames that no run labelled come from: a line a frame, in ``origin.csv``."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pwact.formats.same_frame import structure_mark
from pwact.io import files

if TYPE_CHECKING:
    from ase import Atoms

_COLUMNS = ("structure", "file_path", "frame", "entry", "task")


@dataclass(frozen=True)
class Origin:
    """Where a frame comes from.

    Attributes
    ----------
    place
        Directory of its MD, relative to where the chain worked: the same whether its entry came
        with the others or later. Of a frame that was labelled by itself, the MD or the file that it
        was taken from, relative to the work directory.
    frame
        Its number there from 0, of an MD among the frames whose labels count.
    entry
        Whose frame it is, ``init_config_0``, where the folder does not say that.
    task
        Where it was labelled by itself, relative to where the chain worked; else "".
    """

    place: str
    frame: int
    entry: str = ""
    task: str = ""


def write_origins(path: Path, frames: Sequence[Atoms], origins: Sequence[Origin]) -> None:
    """Write where each frame comes from; frames are named by a hash of their structure."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_COLUMNS)
    for frame, origin in zip(frames, origins):
        mark = structure_mark(frame).hex()
        table.writerow((mark, origin.place, origin.frame, origin.entry, origin.task))
    files.write_text(path, text.getvalue())


def read_origins(path: Path) -> dict[bytes, Origin]:
    """Origins by the mark of the structure, the first of each; none where there is no list."""
    found: dict[bytes, Origin] = {}
    for mark, origin in iterate_origins(path):
        found.setdefault(mark, origin)
    return found


def iterate_origins(path: Path) -> Iterator[tuple[bytes, Origin]]:
    """Mark of the structure and origin of each frame in order; none where there is no list."""
    if not path.is_file():
        return
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as stream:
        for row in csv.DictReader(stream):
            own = row.get("entry") or "", row.get("task") or ""  # 0.5.0 had no such columns
            origin = Origin(row["file_path"], int(row["frame"]), *own)
            yield bytes.fromhex(row["structure"]), origin
