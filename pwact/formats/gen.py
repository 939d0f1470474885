"""The gen format of DFTB+: structures with element, position and cell. Lengths in Å."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers

from pwact.errors import TaskError
from pwact.io.lines import Lines


def write_gen(path: Path, atoms: Atoms) -> None:
    """Write a periodic structure with all digits, its atoms as they are: nothing is wrapped.

    Elements are listed by their first appearance.
    """
    symbols = atoms.get_chemical_symbols()
    kinds = list(dict.fromkeys(symbols))
    lines = [f"{len(symbols)} S", " ".join(kinds)]
    for number, (symbol, place) in enumerate(zip(symbols, atoms.positions.tolist()), 1):
        lines.append(f"{number} {kinds.index(symbol) + 1} {_row(place)}")
    lines += [_row(vector) for vector in ([0.0] * 3, *atoms.cell.array.tolist())]
    path.write_text("\n".join(lines) + "\n")


def _row(numbers: list[float]) -> str:
    return " ".join(map(repr, numbers))


def read_gen(path: Path) -> Atoms:
    """Read a structure: ``S`` (periodic), ``F`` (periodic, fractional) or ``C`` (without cell).

    Raises
    ------
    CutOffError
        The file ends too early.
    TaskError
        It cannot be read, or is no gen file; names the line.
    """
    with Lines(path) as lines:
        words = lines.take().split()
        if len(words) != 2 or not words[0].isdigit() or words[1].upper() not in {"S", "F", "C"}:
            raise lines.error("a number of atoms and S, F or C are expected")
        count, kind = int(words[0]), words[1].upper()
        kinds = lines.take().split()
        if strange := [name for name in kinds if name not in atomic_numbers]:
            raise lines.error(f"{strange[0]!r} is no element")
        symbols, positions = [], []
        for number in range(1, count + 1):
            words = lines.take().split()
            known = len(words) == 5 and words[0] == str(number) and words[1].isdigit()
            if not known or not 0 < int(words[1]) <= len(kinds):
                raise lines.error(f"number {number}, an element of line 2 and 3 numbers expected")
            symbols.append(kinds[int(words[1]) - 1])
            positions.append(lines.numbers(words[2:]))
        places = np.array(positions, dtype=float).reshape(count, 3)
        cell = np.zeros((3, 3)) if kind == "C" else lines.table(4, slice(None), 3)[1:]
        if next((line for line in lines if line.strip()), None) is not None or lines.cut_off:
            raise lines.error("the structure is over, but the file goes on")
    if kind != "C" and not abs(np.linalg.det(cell)) > 0:
        raise TaskError(f"{path}: the cell has no volume")
    return Atoms(symbols, places @ cell if kind == "F" else places, cell=cell, pbc=kind != "C")
