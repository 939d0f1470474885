"""Files that CP2K writes beside its log: positions, forces and cells, by their step numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np

from pwact.errors import CutOffError, TaskError
from pwact.formats.cp2k_output import HARTREE
from pwact.io.lines import Lines

POSITIONS, FORCES, CELLS = "*-pos-*.xyz", "*-frc-*.xyz", "*.cell"
_COMMENT = re.compile(r"i\s*=\s*(\d+)\s*,.*E\s*=\s*(\S+)$")


@dataclass(frozen=True)
class Step:
    """One frame of a file.

    Attributes
    ----------
    energy
        eV.
    symbols
        Element of each atom.
    table
        Positions or forces as in the file, shape (N, 3).
    """

    energy: float
    symbols: tuple[str, ...]
    table: np.ndarray


def find(directory: Path, pattern: str) -> Optional[Path]:
    """The one file of that pattern; None if there is none.

    Raises
    ------
    TaskError
        There are several.
    """
    found = sorted(directory.glob(pattern))
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise TaskError(f"{directory}: {names}: which one is meant?")
    return found[0] if found else None


def read_steps(path: Path) -> dict[int, Step]:
    """The complete frames of a file by step; of several runs in one file, those of the last.

    Raises
    ------
    TaskError
        A frame is damaged; names the line.
    """
    steps: dict[int, Step] = {}
    with Lines(path) as lines:
        for head in lines:
            try:
                number, step = _frame(lines, head)
            except CutOffError:
                break
            if steps and number <= max(steps):
                steps.clear()
            steps[number] = step
    return steps


def _frame(lines: Lines, head: str) -> tuple[int, Step]:
    if not re.fullmatch(r"\s*[1-9]\d*\s*", head):
        raise lines.error("a frame must begin with the number of its atoms")
    found = _COMMENT.search(lines.take().strip())
    if not found:
        raise lines.error("step and energy of a frame are missing")
    energy = HARTREE * lines.numbers([found.group(2)])[0]
    symbols, rows = [], []
    for _ in range(int(head)):
        words = lines.take().split()
        if len(words) != 4:
            raise lines.error(f"{len(words)} words where an element and 3 numbers are expected")
        symbols.append(words[0])
        rows.append(lines.numbers(words[1:]))
    return int(found.group(1)), Step(energy, tuple(symbols), np.array(rows))


def read_cells(path: Path) -> dict[int, np.ndarray]:
    """The cells of ``*.cell`` by step, as rows in Å; of several runs, those of the last.

    Raises
    ------
    TaskError
        A line is damaged; names it.
    """
    cells: dict[int, np.ndarray] = {}
    with Lines(path) as lines:
        for line in lines:
            words = line.split()
            if words[:1] == ["#"] or line.startswith("#"):
                continue
            if len(words) != 12 or not words[0].isdigit():
                raise lines.error(f"{len(words)} words where step, time, cell and volume are due")
            numbers = lines.numbers(words)
            cell, number = np.array(numbers[2:11]).reshape(3, 3), int(words[0])
            if abs(abs(np.linalg.det(cell)) - abs(numbers[11])) > 1e-6 * abs(numbers[11]) + 1e-6:
                raise lines.error("the volume is not that of the cell")
            if cells and number <= max(cells):
                cells.clear()
            cells[number] = cell
    return cells
