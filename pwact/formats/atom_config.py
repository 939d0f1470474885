"""Structure files of PWmat, ``atom.config``. Lengths in Å, positions fractional.

Magnetic moments (blocks MAGNETIC and MAGNETIC_XYZ) and the blocks that constrain them are read and
written with the atoms; forces, velocities and all other blocks are left out.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from ase import Atoms

from pwact.atom_properties import MOMENTS, SETTING, properties_of
from pwact.errors import InputError
from pwact.fixed_atoms import along_axes, fix, from_axes
from pwact.io import files
from pwact.io.arrays import are_elements, are_usable
from pwact.io.lines import Lines
from pwact.io.texts import read_text

_MAGNETIC = re.compile(r"\s*(magnetic_xyz|magnetic|constraint_mag\w*)\b", re.IGNORECASE)
_BRACKETS = re.compile(r"\(([^)]*)\)")
_OTHER_UNITS = {"lattice": ("bohr", "a.u.", "nm"), "position": ("cart", "angstrom", "bohr", "a.u.")}
_SIZES = {"MAGNETIC": 1, "MAGNETIC_XYZ": 3}


def write_atom_config(path: Path, atoms: Atoms, sync: bool = True) -> None:
    """Write a structure with 16 decimals, its magnetic moments, and which atoms move.

    See `files.write_text`.

    Raises
    ------
    InputError
        Atoms are held in part, in directions that move flags cannot say.
    """
    lines = [f"{len(atoms)} atoms", "Lattice vector"]
    lines += [_row(vector) for vector in atoms.cell.array]
    lines.append(" Position, move_x, mov_y, move_z")
    fractions = atoms.cell.scaled_positions(atoms.positions)
    for number, position, held in zip(atoms.numbers, fractions, _held(path, atoms)):
        flags = " ".join("0" if one else "1" for one in held)
        lines.append(f"{number:4d} {_row(position)} {flags}")
    lines += _blocks(atoms)
    files.write_text(path, "\n".join(lines) + "\n", sync)


def _row(numbers: np.ndarray) -> str:
    return " ".join(f"{number:19.16f}" for number in numbers)


def _held(path: Path, atoms: Atoms) -> np.ndarray:
    try:
        return along_axes(atoms)
    except ValueError as error:
        raise InputError(f"cannot say it: {error}", path) from error


def read_atom_config(path: Path) -> Atoms:
    """Read lattice, positions, move flags and magnetic moments; other blocks are left out.

    A flag is 1 where an atom moves along x, y or z, and 0 where it does not (L.-W. Wang's
    DOC_atom.config of PEtot: "x,y,z (not 1,2,3) direction"); without flags it moves.

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
    if not abs(np.linalg.det(cell)) > 0:
        raise ValueError("the lattice vectors span no volume")
    rows = _table(lines, "position", int(words[0]))
    if not are_usable(rows[:, :4]) or not are_elements(rows[:, 0]):
        raise ValueError("a line of the position block holds no atomic number and position")
    atoms = Atoms(rows[:, 0].astype(int), cell=cell, pbc=True, scaled_positions=rows[:, 1:4])
    fix(atoms, from_axes(cell, _flags(lines, len(atoms))))
    for place, line in enumerate(lines):
        if heading := _MAGNETIC.match(line):
            _put_block(atoms, heading[1].upper(), lines[place + 1 : place + 1 + len(atoms)])
    return atoms


def _flags(lines: list[str], count: int) -> np.ndarray:
    """Which directions of each atom are held, shape (count, 3)."""
    start = _place(lines, "position")
    held = np.zeros((count, 3), dtype=bool)
    for number, line in enumerate(lines[start : start + count]):
        words = line.split()[4:7]
        for axis, word in enumerate(words):
            if word not in {"0", "1"}:
                raise ValueError(
                    f"line {start + number + 1}: {word!r} is no move flag; expected 1 (moves) or 0"
                )
            held[number, axis] = word == "0"
    return held


def _place(lines: list[str], heading: str) -> int:
    """Place of the line below a heading."""
    place = next((i for i, line in enumerate(lines[1:], 2) if heading in line.lower()), None)
    if place is None:
        raise ValueError(f"no {heading} block")
    return place


def _put_block(atoms: Atoms, name: str, lines: list[str]) -> None:
    """Read one line for each atom, which begins with its atomic number.

    Raises
    ------
    ValueError
        There are fewer, or one is of another element or holds other numbers than expected.
    """
    size = _SIZES.get(name)
    rows = []
    for number, line in zip(atoms.numbers, lines):
        words = line.split()
        values = np.array(words, dtype=float)
        enough = len(words) > 1 if size is None else len(words) == 1 + size
        if not enough or values[0] != number or not are_usable(values):
            raise ValueError(
                f"the block {name} must hold {number} and {size or 'more'} numbers of its atom "
                f"in the order of the positions, not {line.strip()!r}"
            )
        rows.append(words[1:])
    if len(rows) < len(atoms):
        raise ValueError(f"the block {name} holds {len(rows)} lines, not {len(atoms)}")
    if size is None:
        atoms.set_array(SETTING + name, np.array([" ".join(row) for row in rows]))
    elif MOMENTS in atoms.arrays:
        raise ValueError(f"it has {name} and another block of magnetic moments")
    else:
        made = np.array(rows, dtype=float)
        atoms.set_array(MOMENTS, made[:, 0] if size == 1 else made)


def _blocks(atoms: Atoms) -> list[str]:
    """The lines behind the positions: moments, and what constrains them."""
    lines = []
    for name, values in properties_of(atoms).items():
        heading = name[len(SETTING) :] if name.startswith(SETTING) else ""
        texts = [str(one) for one in values]
        if name == MOMENTS:
            heading = "MAGNETIC" if values.ndim == 1 else "MAGNETIC_XYZ"
            texts = [" ".join(f"{one:.10g}" for one in np.atleast_1d(row)) for row in values]
        if _MAGNETIC.match(heading):
            lines.append(f" {heading}")
            lines += [f"{number:4d} {words}" for number, words in zip(atoms.numbers, texts)]
    return lines


def _table(lines: list[str], heading: str, count: int) -> np.ndarray:
    """First numbers (up to 4) of the `count` lines below a heading."""
    place = _place(lines, heading)
    rows = [line.split()[:4] for line in lines[place : place + count]]
    width = 3 if heading == "lattice" else 4
    if len(rows) < count or min(len(row) for row in rows) < width:
        raise ValueError(f"the {heading} block holds fewer than {count} lines of {width} numbers")
    after = lines[place + count].split() if len(lines) > place + count else []
    if heading == "position" and len(after) >= width and after[0].isdigit():
        raise ValueError(f"{count} atoms are announced, but line {place + count + 1} is one more")
    unit = _BRACKETS.search(lines[place - 1])
    if unit and any(other in unit[1].lower() for other in _OTHER_UNITS[heading]):
        read = "fractions are" if heading == "position" else "Å is"
        raise ValueError(f"the heading of the {heading} block says ({unit[1]}); {read} read")
    return np.array([row[:width] for row in rows]).astype(float)
