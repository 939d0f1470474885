"""Structure files of PWmat, ``atom.config``. Lengths in Å, positions fractional."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ase import Atoms

from pwact.errors import InputError
from pwact.io import files
from pwact.io.arrays import are_elements
from pwact.io.lines import Lines
from pwact.io.texts import read_text


def write_atom_config(path: Path, atoms: Atoms, sync: bool = True) -> None:
    """Write a structure with 16 decimals; all atoms are free to move. See `files.write_text`."""
    lines = [f"{len(atoms)} atoms", "Lattice vector"]
    lines += [_row(vector) for vector in atoms.cell.array]
    lines.append(" Position, move_x, mov_y, move_z")
    fractions = atoms.cell.scaled_positions(atoms.positions)
    for number, position in zip(atoms.numbers, fractions):
        lines.append(f"{number:4d} {_row(position)} 1 1 1")
    files.write_text(path, "\n".join(lines) + "\n", sync)


def _row(numbers: np.ndarray) -> str:
    return " ".join(f"{number:19.16f}" for number in numbers)


def read_atom_config(path: Path) -> Atoms:
    """Read lattice and positions; forces, velocities, moments and move flags are left out.

    Raises
    ------
    InputError
        The file cannot be read.
    """
    try:
        return _parse(read_text(path).splitlines())
    except (ValueError, IndexError) as error:
        reason = "it is too short" if isinstance(error, IndexError) else error
        raise InputError(f"cannot be read as an atom.config: {reason}", path) from error


def read_final_config(path: Path) -> Atoms:
    """Read the structure that PWmat leaves, which may be cut off or damaged.

    Raises
    ------
    CutOffError
        The file ends before the last atom.
    TaskError
        It is not there, or damaged; names file and line.
    """
    with Lines(path) as lines:
        words = lines.take().split() or [""]
        if not words[0].isdigit() or int(words[0]) == 0:
            raise lines.error("the number of atoms is expected here")
        _seek(lines, "lattice")
        cell = lines.table(3, slice(0, 3), 3)
        if not abs(np.linalg.det(cell)) > 0:
            raise lines.error("the cell has no volume")
        _seek(lines, "position")
        rows = lines.table(int(words[0]), slice(0, 4), 4)
        if not are_elements(rows[:, 0]):
            raise lines.error("the position block holds what is no atomic number")
    return Atoms(rows[:, 0].astype(int), cell=cell, pbc=True, scaled_positions=rows[:, 1:])


def _seek(lines: Lines, heading: str) -> None:
    while heading not in lines.take().lower():
        pass


def _parse(lines: list[str]) -> Atoms:
    words = lines[0].split() or [""]
    if not words[0].isdigit() or int(words[0]) == 0:
        raise ValueError(f"line 1 must begin with the number of atoms, not {lines[0].strip()!r}")
    cell = _table(lines, "lattice", 3)[:, :3]
    rows = _table(lines, "position", int(words[0]))
    if not np.isfinite(rows[:, :4]).all() or not are_elements(rows[:, 0]):
        raise ValueError("a line of the position block holds no atomic number and position")
    return Atoms(rows[:, 0].astype(int), cell=cell, pbc=True, scaled_positions=rows[:, 1:4])


def _table(lines: list[str], heading: str, count: int) -> np.ndarray:
    """First numbers (up to 4) of the `count` lines below a heading."""
    place = next((i for i, line in enumerate(lines[1:], 2) if heading in line.lower()), None)
    if place is None:
        raise ValueError(f"no {heading} block")
    rows = [line.split()[:4] for line in lines[place : place + count]]
    width = 3 if heading == "lattice" else 4
    if len(rows) < count or min(len(row) for row in rows) < width:
        raise ValueError(f"the {heading} block holds fewer than {count} lines of {width} numbers")
    return np.array([row[:width] for row in rows]).astype(float)
