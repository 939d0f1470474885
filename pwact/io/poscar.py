"""POSCAR and CONTCAR files of VASP 5 and later. Lengths in Å."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers

from pwact.errors import InputError
from pwact.io import files


def write_poscar(path: Path, atoms: Atoms) -> None:
    """Write a POSCAR with direct coordinates, 16 decimals, atoms in the order given.

    Neighbouring atoms of one element share an entry of the header, so atoms that are grouped by
    element (`pwact.io.frames.ordered`) give one entry per element.
    """
    groups: list[tuple[str, int]] = []
    for symbol in atoms.get_chemical_symbols():
        if groups and groups[-1][0] == symbol:
            groups[-1] = (symbol, groups[-1][1] + 1)
        else:
            groups.append((symbol, 1))
    lines = [atoms.get_chemical_formula(), "1.0"]
    lines += [_row(vector) for vector in atoms.cell.array]
    lines.append(" ".join(symbol for symbol, _ in groups))
    lines.append(" ".join(str(count) for _, count in groups))
    lines.append("Direct")
    lines += [_row(position) for position in atoms.cell.scaled_positions(atoms.positions)]
    files.write_text(path, "\n".join(lines) + "\n")


def _row(numbers: np.ndarray) -> str:
    return " ".join(f"{number:20.16f}" for number in numbers)


def read_poscar(path: Path) -> Atoms:
    """Read a structure by VASP's rules; velocities and selective-dynamics flags are left out.

    A positive scale factor multiplies lattice and Cartesian positions, a negative one is minus the
    volume, three numbers scale x, y, z.

    Raises
    ------
    InputError
        The file cannot be read, or is of VASP 4 and so names no elements.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        return _parse(lines)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path) from error
    except (ValueError, IndexError) as error:
        reason = "it is too short" if isinstance(error, IndexError) else error
        raise InputError(f"cannot be read as a POSCAR: {reason}", path) from error


def _parse(lines: list[str]) -> Atoms:
    lattice = np.array([_words(line)[:3] for line in lines[2:5]]).astype(float)
    factors = _factors(lines[1], lattice)
    cell = lattice * factors
    symbols = [word.split("_")[0].split("/")[0] for word in _bare(lines[5]).split()]
    if symbols and symbols[0].isdigit():
        raise ValueError(
            "line 6 must name the elements; VASP 4 files have only their counts there: "
            "put a line such as 'Si C' above it"
        )
    unknown = [symbol for symbol in symbols if atomic_numbers.get(symbol, 0) == 0]
    if unknown or not symbols:
        raise ValueError(f"line 6 must name elements, not {lines[5].strip()!r}")
    counts = _counts(lines[6], len(symbols))
    place = 7 if lines[7].strip()[:1] not in {"S", "s"} else 8
    cartesian = lines[place].strip()[:1] in {"C", "c", "K", "k"}
    rows = lines[place + 1 : place + 1 + sum(counts)]
    if len(rows) < sum(counts):
        raise ValueError(f"{sum(counts)} positions are announced, {len(rows)} are there")
    positions = np.array([(_words(row) + [""] * 3)[:3] for row in rows]).astype(float)
    if not (np.isfinite(positions).all() and np.isfinite(cell).all()):
        raise ValueError("all numbers must be finite")
    positions = positions * factors if cartesian else positions @ cell
    names = [symbol for symbol, count in zip(symbols, counts) for _ in range(count)]
    return Atoms(names, positions, cell=cell, pbc=True)


def _bare(line: str) -> str:
    """The line without its comment."""
    return line.partition("!")[0].partition("#")[0]


def _words(line: str) -> list[str]:
    """The words of a line of numbers, as Fortran reads them: commas part, D is an exponent."""
    return [
        re.sub(r"(?<=[\d.])[dD](?=[-+]?\d)", "e", word) for word in line.replace(",", " ").split()
    ]


def _counts(line: str, expected: int) -> list[int]:
    words = _bare(line).split()
    counts = [int(word) for word in words[:expected]]
    if len(counts) < expected or min(counts) < 0 or sum(counts) == 0:
        raise ValueError(f"line 7 must hold {expected} counts, not {line.strip()!r}")
    return counts


def _factors(line: str, lattice: np.ndarray) -> np.ndarray:
    words = _words(_bare(line))
    numbers = []
    for word in words[:3]:
        try:
            numbers.append(float(word))
        except ValueError:
            break  # a comment
    if len(numbers) == 3:
        if not min(numbers) > 0 or not np.isfinite(numbers).all():
            raise ValueError(f"three scale factors must be positive, not {line.strip()!r}")
        return np.array(numbers)
    if not numbers or numbers[0] == 0 or not np.isfinite(numbers[0]):
        raise ValueError(f"line 2 must hold the scale factor, not {line.strip()!r}")
    factor = numbers[0]
    if factor < 0:
        factor = float(np.cbrt(-factor / abs(np.linalg.det(lattice))))
    return np.full(3, factor)
