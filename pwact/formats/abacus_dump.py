"""``MD_dump`` of ABACUS: cell, positions, forces of each MD step, as ABACUS 3.1 and later write it.

Lengths in Å (the lattice constant in bohr or Å, as it says), forces in eV/Å, the virial in kbar.
Columns of velocities, and the virial, may be missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np

from pwact.errors import CutOffError
from pwact.formats.abacus_log import KBAR
from pwact.formats.abacus_stru import BOHR
from pwact.io.lines import Lines

_COLUMNS = ("INDEX", "LABEL", "POSITION (Angstrom)", "FORCE (eV/Angstrom)")
_UNITS = {"Angstrom": 1.0, "Bohr": BOHR}


@dataclass(frozen=True)
class DumpedStep:
    """One MD step.

    Attributes
    ----------
    cell
        Å, rows, shape (3, 3).
    positions
        Å, shape (N, 3), in the order of STRU.
    forces
        eV/Å, shape (N, 3).
    stress
        eV/Å³, shape (3, 3), positive when the cell wants to expand; None where it is not dumped.
    """

    number: int
    symbols: tuple[str, ...]
    cell: np.ndarray
    positions: np.ndarray
    forces: np.ndarray
    stress: Optional[np.ndarray]


def read_dump(path: Path) -> Iterator[DumpedStep]:
    """The complete steps, one after the other.

    Raises
    ------
    TaskError
        It cannot be opened, or a table in it is damaged.
    """
    with Lines(path) as lines:
        line: Optional[str] = next(lines, None)
        while line is not None:
            if not line.startswith("MDSTEP:"):
                if line.strip():
                    raise lines.error(f"found {line.strip()!r}; expected MDSTEP:")
                line = next(lines, None)
                continue
            try:
                step, line = _step(lines, int(line.split()[1]))
            except CutOffError:
                return
            yield step


def _step(lines: Lines, number: int) -> tuple[DumpedStep, Optional[str]]:
    """A step, and the line behind it."""
    words = lines.take().split()
    if words[:1] != ["LATTICE_CONSTANT:"] or len(words) < 2:
        raise lines.error("expected LATTICE_CONSTANT:")
    unit = _UNITS.get(words[2]) if len(words) > 2 else BOHR
    if unit is None:
        raise lines.error(f"found {words[2]}; expected {' or '.join(_UNITS)}")
    constant = lines.number_in(words, 1) * unit
    lines.take()
    cell = lines.table(3, slice(0, 3), 3) * constant
    stress, line = None, lines.take()
    if line.startswith("VIRIAL"):
        stress, line = lines.table(3, slice(0, 3), 3) * KBAR, lines.take()
    if not all(words in line for words in _COLUMNS):
        raise lines.error(
            f"expected a table of {', '.join(_COLUMNS)}, as ABACUS 3.1 and later write"
        )
    symbols: list[str] = []
    rows: list[list[float]] = []
    after: Optional[str] = None
    for after in lines:
        words = after.split()
        if not words:
            break
        if len(words) < 8 or words[0] != str(len(rows)):
            raise lines.error(f"atom {len(rows)} is expected, with position and force")
        symbols.append(words[1])
        rows.append(lines.numbers(words[2:8]))
    else:
        # each step ends with an empty line: the last one may lack atoms
        raise CutOffError(f"{lines.path}: cut off in MD step {number}")
    table = np.array(rows)
    made = DumpedStep(number, tuple(symbols), cell, table[:, :3], table[:, 3:], stress)
    return made, next(lines, None)
