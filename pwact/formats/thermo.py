"""What a log of an MD says step by step: tables under a line of headings, as LAMMPS prints them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Optional

_END_BYTES = 4 << 20
_ENERGY = ("PotEng", "pe")  # of LAMMPS, and of MD that ASE runs


def potential_energies(path: Path) -> dict[int, float]:
    """Potential energy by MD step, eV, as far as a log has them; none where there is no log.

    A run that was continued has its later part alone: each start begins the log again. A last line
    that was cut off does not count.
    """
    return {step: energy for step, energy in _rows(path) if energy is not None}


def last_step(path: Path) -> Optional[int]:
    """The MD step that a log has come to; None as long as it has none."""
    steps = [step for step, _ in _rows(path)]
    return steps[-1] if steps else None


def _rows(path: Path) -> Iterator[tuple[int, Optional[float]]]:
    """Step of each row of each table, and the potential energy where there is such a column."""
    columns: Sequence[str] = ()
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for line in text.splitlines(keepends=True):
        words = line.split()
        if words and words[0].lower() == "step":
            columns = words
        elif words[:2] == ["Loop", "time"]:
            columns = ()
        elif columns and len(words) == len(columns) and line.endswith("\n"):
            row = _row(columns, words)
            if row is not None:
                yield row


def _row(columns: Sequence[str], words: Sequence[str]) -> Optional[tuple[int, Optional[float]]]:
    energy = next((words[columns.index(name)] for name in _ENERGY if name in columns), None)
    try:
        return int(words[0]), None if energy is None else float(energy)
    except ValueError:
        return None


def last_number(path: Path, pattern: str) -> Optional[float]:
    """The number of the last line near the end of an output that `pattern` matches; None without.

    Outputs of an MD are long, so no more than the last 4 MB are read. A line that was cut off does
    not count.
    """
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - _END_BYTES))
            text = stream.read().decode("utf-8", "replace")
    except OSError:
        return None
    lines = text[: text.rfind("\n") + 1]
    found = re.findall(pattern, lines, re.MULTILINE)
    return float(found[-1]) if found else None
