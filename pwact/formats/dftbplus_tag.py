"""``results.tag`` of DFTB+: all results with 15 digits, each under its name. Atomic units."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from pathlib import Path

import numpy as np

from pwact.io.lines import Lines

_HEAD = re.compile(r"(\S+?)\s*:(real|integer|logical|complex):(\d+):([\d,]*)\s*")


def read_tags(path: Path, wanted: Collection[str]) -> dict[str, np.ndarray]:
    """Read real numbers by name.

    Parameters
    ----------
    wanted
        Names to be read; the others are passed over.

    Returns
    -------
    dict
        Name → array in C order, so that ``forces`` has shape (N, 3). A number alone has shape ().
        Names that are not there are left out.

    Raises
    ------
    CutOffError
        The file ends in the middle of something.
    TaskError
        It cannot be read, or a name stands twice, as in the outputs of two runs.
    """
    found: dict[str, np.ndarray] = {}
    names: set[str] = set()
    with Lines(path) as lines:
        for line in lines:
            head = _HEAD.fullmatch(line)
            if head is None:
                raise lines.error("no name, type and shape of a result")
            name, kind, rank, sizes = head.groups()
            shape = tuple(int(size) for size in sizes.split(",") if size)
            if len(shape) != int(rank):
                raise lines.error(f"{len(shape)} sizes where {rank} are expected")
            if name in names:
                raise lines.error(f"{name} stands there a second time")
            names.add(name)
            words = _words(lines, math.prod(shape) * (2 if kind == "complex" else 1))
            if name in wanted and kind == "real":
                found[name] = np.array(words, dtype=float).reshape(shape[::-1])
        if lines.cut_off:
            lines.take()
    return found


def _words(lines: Lines, count: int) -> list[float]:
    """The next `count` numbers, which end with a line; logical ones are not numbers."""
    made: list[float] = []
    seen = 0
    while seen < count:
        words = lines.take().split()
        if _HEAD.fullmatch(" ".join(words)):
            raise lines.error(f"a name where {count - seen} more numbers are expected")
        seen += len(words)
        if not set(words) <= {"T", "F"}:
            made += lines.numbers(words)
    if seen != count:
        raise lines.error(f"{seen} numbers where {count} are expected")
    return made
