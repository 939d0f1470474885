"""Where the frames of a first data set come from: a line a frame, in ``origin.csv`` beside it."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from pwact.formats.same_frame import structure_mark
from pwact.io import files

if TYPE_CHECKING:
    from ase import Atoms

_COLUMNS = ("structure", "file_path", "frame")


@dataclass(frozen=True)
class Origin:
    """A frame of an MD.

    Attributes
    ----------
    md
        Directory of the MD, relative to where the chain worked: the same whether its entry came
        with the others or later.
    frame
        Its number among the frames of this MD whose labels count, from 0.
    """

    md: str
    frame: int


def write_origins(path: Path, frames: Sequence[Atoms], origins: Sequence[Origin]) -> None:
    """Write where each frame comes from; frames are named by a hash of their structure."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_COLUMNS)
    for frame, origin in zip(frames, origins):
        table.writerow((structure_mark(frame).hex(), origin.md, origin.frame))
    files.write_text(path, text.getvalue())


def read_origin(path: Path, mark: bytes) -> Optional[Origin]:
    """The origin of a frame; None where it is not listed, or there is no list."""
    if not path.is_file():
        return None
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as stream:
        for row in csv.DictReader(stream):
            if row.get("structure") == mark.hex():
                return Origin(row["file_path"], int(row["frame"]))
    return None
