"""PWmat's ``MOVEMENT`` and ``OUT.MLMD``: frames with labels, read one after the other.

A frame has a head with the number of atoms and the energies, blocks of lattice (with the stress),
positions and forces, others that do not matter here, and a line of dashes at its end.

Two signs: forces stand there with the opposite sign, whatever the heading of their block says. The
``stress (eV)`` beside the lattice is volume times stress, positive under tension, so the virial is
minus that: a cell that is stretched along b has its largest positive number in bb, and the file's
own ``Pressure Internal`` is minus the number divided by the volume. A MOVEMENT that pwdata made of
another code's output has the virial itself there; it is known by its rows of asterisks.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Callable, Optional

import numpy as np
from ase import Atoms

from pwact.errors import CutOffError
from pwact.formats.labels import set_labels
from pwact.io.lines import Lines

_HEAD = re.compile(r"(\d{1,9})\s+atoms\b.*\biteration\b", re.IGNORECASE)
_ENERGIES = re.compile(r"Etot,\s*Ep,\s*Ek\s*(?:\(eV\))?\s*=\s*([^,]*)", re.IGNORECASE)
_STARS = re.compile(r"\*+(\s+\*{4,}){5,}")  # what pwdata writes below MD_INFO
_EP = 1  # place of the potential energy among Etot, Ep, Ek
_END = "----"
_BLOCKS = ("lattice", "position", "force")
_LARGEST_Z = 118
_BRACKETS = re.compile(r"\(([^)]*)\)")  # the first of a heading holds its unit
_UNITS = {"lattice": "angstrom", "position": "normalized", "force": "ev/angstrom"}


def iterate_movement(path: Path) -> Iterator[Atoms]:
    """Frames of a file in bounded memory.

    The energy is Ep (eV); forces (eV/Å) and virial (eV) are minus the file's columns. A frame
    without stress has no virial. Atoms keep the order of the file.

    Raises
    ------
    CutOffError
        The file ends inside a frame; all frames before have been given out.
    TaskError
        The file cannot be read, or is damaged; names file and line.
    """
    with Lines(path) as lines:
        for line in lines:
            if line.strip():
                yield _frame(lines, line)
        if lines.cut_off:
            raise CutOffError(f"{path}, after line {lines.number}: the file is cut off")


def complete_frames(
    path: Path, tell: Optional[Callable[[CutOffError], None]] = None
) -> Iterator[Atoms]:
    """The frames of a file, also of one that was cut off while it was written.

    `tell` is called with the place where it was cut off.

    Raises
    ------
    CutOffError
        The file ends before its first frame is complete.
    TaskError
        As `iterate_movement`.
    """
    any_frame = False
    try:
        for frame in iterate_movement(path):
            any_frame = True
            yield frame
    except CutOffError as error:
        if not any_frame:
            raise
        if tell is not None:
            tell(error)
    if not any_frame:
        raise CutOffError(f"{path} holds no frame")


def last_frame(path: Path) -> Atoms:
    """The last complete frame, where a structure is wanted.

    Raises
    ------
    TaskError
        As `complete_frames`.
    """
    return deque(complete_frames(path), maxlen=1)[0]


def _frame(lines: Lines, head: str) -> Atoms:
    count, energy = _head(lines, head)
    blocks: dict[str, np.ndarray] = {}
    virial: Optional[np.ndarray] = None
    in_table = by_pwdata = False
    while not (line := _line_or_end(lines)).strip().startswith(_END):
        if _HEAD.search(line):
            raise lines.error("a frame begins before the one above has ended")
        if in_table and _is_number(line):
            raise lines.error(f"a block has more than {count} lines, one for each atom")
        if _STARS.fullmatch(line.strip()):
            by_pwdata = True
        name = _block(line)
        in_table = name in ("position", "force")
        if name in blocks:
            raise lines.error(f"a second {name} block in one frame")
        _check_unit(lines, name, line)
        if name == "lattice":
            blocks[name], virial = _lattice(lines)
        elif name:
            blocks[name] = lines.table(count, slice(0, 4), 4)
    for name in _BLOCKS:
        if name not in blocks:
            raise lines.error(f"the frame that ends here has no {name} block")
    atoms = _atoms(lines, blocks)
    if by_pwdata and virial is not None:
        virial = -virial
    set_labels(atoms, energy, -blocks["force"][:, 1:], virial)
    return atoms


def _line_or_end(lines: Lines) -> str:
    """The next line; the dashes that end a frame need no line end."""
    line = next(lines, None)
    if line is not None:
        return line
    if lines.rest.strip().startswith(_END):
        lines.accept_rest()
        return lines.rest
    return lines.take()


def _head(lines: Lines, head: str) -> tuple[int, float]:
    """Number of atoms and Ep."""
    found = _HEAD.match(head.strip())
    if not found or int(found.group(1)) == 0 or head.lower().count("atoms") > 1:
        raise lines.error(f"expected 'N atoms,Iteration …', found {head.strip()[:60]!r}")
    energies = _ENERGIES.findall(head)
    words = energies[0].split() if len(energies) == 1 else []
    if len(words) != 3:
        raise lines.error("the three energies Etot, Ep, Ek are not there")
    return int(found.group(1)), lines.number_in(words, _EP)


def _block(line: str) -> str:
    """Name of the block that a heading begins, "" for all that is not needed."""
    heading = line.strip().lower()
    return next((name for name in _BLOCKS if heading.startswith(name)), "")


def _check_unit(lines: Lines, name: str, line: str) -> None:
    """Refuse a block whose heading names another unit than PWmat's."""
    found = _BRACKETS.search(line) if name else None
    if found is not None and _UNITS[name] not in found.group(1).lower().replace(" ", ""):
        raise lines.error(
            f"the heading of the {name} block says ({found.group(1)}); ({_UNITS[name]}) is read"
        )


def _is_number(line: str) -> bool:
    """Whether a line begins with a number."""
    return line.lstrip()[:1] in set("0123456789")


def _lattice(lines: Lines) -> tuple[np.ndarray, Optional[np.ndarray]]:
    """Lattice vectors as rows in Å, and the virial in eV if the stress stands beside them."""
    cell, stress = [], []
    for _ in range(3):
        row, mark, beside = lines.take().lower().partition("stress")
        words = row.split()
        if len(words) < 3:
            raise lines.error("a lattice vector needs three numbers")
        cell.append(lines.numbers(words[:3]))
        if mark:
            unit, _, numbers = beside.partition(":")
            if unit.strip() not in ("", "(ev)"):
                raise lines.error(f"the stress is in {unit.strip()}; (ev) is read")
            words = numbers.split()
            if len(words) != 3:
                raise lines.error("three numbers are expected behind 'stress (eV):'")
            stress.append(lines.numbers(words))
    if len(stress) not in (0, 3):
        raise lines.error("some lattice vectors have a stress beside them, some have not")
    if not abs(np.linalg.det(cell)) > 0:
        raise lines.error("the cell has no volume")
    return np.array(cell), -np.array(stress) if stress else None


def _atoms(lines: Lines, blocks: dict[str, np.ndarray]) -> Atoms:
    numbers = blocks["position"][:, 0]
    known = (numbers >= 1) & (numbers <= _LARGEST_Z) & (numbers == np.round(numbers))
    if not known.all():
        raise lines.error("the position block of this frame holds what is no atomic number")
    if not np.array_equal(numbers, blocks["force"][:, 0]):
        raise lines.error("positions and forces of this frame name different elements")
    return Atoms(
        numbers.astype(int),
        cell=blocks["lattice"],
        scaled_positions=blocks["position"][:, 1:],
        pbc=True,
    )
