"""Files of a training of SevenNet: checkpoints and the learning curve."""

from __future__ import annotations

import re
from pathlib import Path

from pwact.io.files import remove, write_text

MODEL = "model.pth"
FOR_LAMMPS = "deployed_serial.pt"
CURVE = "curve.csv"  # all epochs, those before a cut-off too
_OF_PROGRAM = "lc.csv"
_CHECKPOINT = re.compile(r"checkpoint_(\d+)\.pth")


def checkpoints(directory: Path) -> dict[int, Path]:
    """Epoch → checkpoint, in ascending order."""
    found = ((_CHECKPOINT.fullmatch(path.name), path) for path in directory.glob("checkpoint_*"))
    return dict(sorted((int(match[1]), path) for match, path in found if match))


def reached_epoch(directory: Path) -> int:
    """Epoch of the last checkpoint; 0 without any."""
    return max(checkpoints(directory), default=0)


def keep_curve(directory: Path, last: int) -> int:
    """Add the rows of the program's learning curve up to epoch `last` to ours.

    Returns
    -------
    int
        The epoch of our last row; 0 where there is none.
    """
    rows: dict[int, str] = {}
    head = ""
    for name in (CURVE, _OF_PROGRAM):
        lines = _lines(directory / name)
        head = lines[0] if lines else head
        rows.update({epoch: line for line in lines[1:] if 0 < (epoch := _epoch(line)) <= last})
    write_text(directory / CURVE, "".join([head, *(rows[epoch] for epoch in sorted(rows))]))
    remove(directory / _OF_PROGRAM)
    return max(rows, default=0)


def _lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    except OSError:
        return []
    return [line for line in lines if line.endswith("\n")]


def _epoch(line: str) -> int:
    word = line.partition(",")[0]
    return int(word) if word.isdigit() else 0
