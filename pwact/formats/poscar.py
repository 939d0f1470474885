"""POSCAR and CONTCAR files of VASP 5 and later. Lengths in Å."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Optional

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers

from pwact.atom_properties import GROUPS
from pwact.errors import InputError
from pwact.fixed_atoms import any_fixed, fix, fixed_of
from pwact.io import files
from pwact.io.arrays import BEYOND, are_usable
from pwact.io.texts import read_text

_COUNT = re.compile(r"[-+]?\.?\d")
_FRAME = re.compile(r"\s*direct configuration *=", re.IGNORECASE)
_LABEL = re.compile(r"([A-Z][a-z]?)\d*[-+]?")  # behind a position, as pymatgen writes it


def write_poscar(
    path: Path, atoms: Atoms, entries: Optional[Sequence[tuple[str, int]]] = None
) -> None:
    """Write a POSCAR with direct coordinates, 16 decimals, atoms in the order given.

    Parameters
    ----------
    entries
        Element and number of atoms of each entry of the header. Without them neighbouring atoms
        of one element share an entry, so atoms that are grouped by element
        (`pwact.formats.frames.ordered`) give one entry per element.
    """
    symbols = groupby(atoms.get_chemical_symbols())
    groups = entries or [(symbol, len(list(same))) for symbol, same in symbols]
    lines = [atoms.get_chemical_formula(), "1.0"]
    lines += [_row(vector) for vector in atoms.cell.array]
    lines.append(" ".join(symbol for symbol, _ in groups))
    lines.append(" ".join(str(count) for _, count in groups))
    flags = [""] * len(atoms)
    if any_fixed(atoms):
        lines.append("Selective dynamics")
        flags = ["".join(" F" if held else " T" for held in row) for row in fixed_of(atoms)]
    lines.append("Direct")
    places = atoms.cell.scaled_positions(atoms.positions)
    lines += [_row(place) + flag for place, flag in zip(places, flags)]
    files.write_text(path, "\n".join(lines) + "\n")


def _row(numbers: np.ndarray) -> str:
    return " ".join(f"{number:20.16f}" for number in numbers)


def read_poscar(path: Path) -> Atoms:
    """Read a structure by VASP's rules, with the flags of selective dynamics; no velocities.

    A positive scale factor multiplies lattice and Cartesian positions, a negative one is minus the
    volume, three numbers scale x, y, z.

    Raises
    ------
    InputError
        The file cannot be read, or is of VASP 4 and so names no elements.
    """
    try:
        return _parse(read_text(path).splitlines())
    except (ValueError, IndexError) as error:
        reason = "it is too short" if isinstance(error, IndexError) else error
        raise InputError(f"cannot be read as a POSCAR: {reason}", path) from error


def _parse(lines: list[str]) -> Atoms:
    lattice = np.array([_numbers(lines, place) for place in (2, 3, 4)])
    factors = _factors(lines[1], lattice)
    cell = lattice * factors
    symbols, place = _symbols(lines)
    counts, place = _counts(lines, place, len(symbols))
    selective = lines[place].strip()[:1] in {"S", "s"}
    place += selective
    cartesian = lines[place].strip()[:1] in {"C", "c", "K", "k"}
    if _FRAME.match(lines[place]) and any(map(_FRAME.match, lines[place + 1 :])):
        raise ValueError("it is an XDATCAR of several structures; vasp-xdatcar is its format")
    first, total = place + 1, sum(counts)
    if len(lines) < first + total:
        there = max(0, len(lines) - first)
        raise ValueError(f"{total} positions are announced, {there} are there")
    positions = np.array([_numbers(lines, number) for number in range(first, first + total)])
    if not (are_usable(positions) and are_usable(cell)):
        raise ValueError(f"all numbers must be finite and below {BEYOND:g}")
    positions = positions * factors if cartesian else positions @ cell
    if abs(np.linalg.det(cell)) == 0:
        raise ValueError("the lattice vectors (lines 3 to 5) span no volume")
    names = [symbol for symbol, count in zip(symbols, counts) for _ in range(count)]
    _check_rows(lines, first, names, 6 if selective else 3)
    atoms = Atoms(names, positions, cell=cell, pbc=True)
    atoms.set_array(GROUPS, np.repeat(np.arange(len(counts)), counts))
    if selective:
        fix(atoms, np.array(_flags(lines, first, total)))
    return atoms


def _check_rows(lines: list[str], first: int, names: Sequence[str], width: int) -> None:
    """Refuse more positions than are announced, and elements behind them that are others."""
    after = _words(lines[first + len(names)])[:3] if len(lines) > first + len(names) else []
    if len(after) == 3 and all(map(_COUNT.match, after)):
        raise ValueError(
            f"{len(names)} positions are announced, but line {first + len(names) + 1} is one more; "
            "velocities stand behind an empty line"
        )
    rows = [lines[place].split() for place in range(first, first + len(names))]
    labels = [_LABEL.fullmatch(row[width]) if len(row) > width else None for row in rows]
    if any(one is None or one[1] not in atomic_numbers or one[1] in "TF" for one in labels):
        return
    for place, (label, name) in enumerate(zip(labels, names), first + 1):
        if label is not None and label[1] != name:
            raise ValueError(
                f"line {place} ends with {label[0]}, but by the symbols and counts above it is "
                f"{name}"
            )


def _flags(lines: list[str], first: int, total: int) -> list[list[bool]]:
    """Along which lattice vectors each atom is held: F, .FALSE. … behind its position."""
    rows = []
    for place in range(first, first + total):
        words = _bare(lines[place]).replace(",", " ").split()[3:6]
        letters = [word.lstrip(".")[:1].upper() for word in words]
        if len(letters) < 3 or not set(letters) <= {"T", "F"}:
            raise ValueError(
                f"line {place + 1} must end with three of T and F (Selective dynamics), not "
                f"{lines[place].strip()!r}"
            )
        rows.append([letter == "F" for letter in letters])
    return rows


def _symbols(lines: list[str]) -> tuple[list[str], int]:
    """Symbols of the groups, which VASP wraps after 20 of them, and the place of the next line."""
    symbols: list[str] = []
    place = 5
    while words := _bare(lines[place]).split():
        if _COUNT.match(words[0]):
            break
        for word in words:
            symbol = word.split("_")[0].split("/")[0]
            if atomic_numbers.get(symbol, 0) == 0:
                raise ValueError(f"line {place + 1} must name elements, not {word!r}")
            symbols.append(symbol)
        place += 1
    if not symbols and words:
        raise ValueError(
            "line 6 must name the elements; VASP 4 files have only their counts there: "
            "put a line such as 'Si C' above it"
        )
    if not symbols:
        raise ValueError(f"line 6 must name elements, not {lines[5].strip()!r}")
    return symbols, place


def _counts(lines: list[str], place: int, expected: int) -> tuple[list[int], int]:
    """Atoms of each group, over as many lines as it takes, and the place of the next line."""
    counts: list[int] = []
    first = place + 1
    while len(counts) < expected:
        words = _bare(lines[place]).split()
        if not words or not _COUNT.match(words[0]):
            break
        for word in words:
            if not word.isdigit() and len(counts) == expected:
                break  # a comment
            if not word.isdigit():
                raise ValueError(f"line {place + 1}: {word!r} is not a number of atoms")
            counts.append(int(word))
        place += 1
    if len(counts) != expected or sum(counts) == 0:
        what = f"{expected} counts, one for each symbol"
        raise ValueError(f"line {first} must hold {what}, not {lines[first - 1].strip()!r}")
    return counts, place


def _numbers(lines: list[str], place: int) -> list[float]:
    """The first three numbers of a line.

    Raises
    ------
    ValueError
        There are fewer, or a word is no number; names the line.
    """
    words = _words(lines[place])[:3]
    if len(words) < 3:
        raise ValueError(f"line {place + 1} must hold three numbers, not {lines[place].strip()!r}")
    made = []
    for word in words:
        try:
            made.append(float(word))
        except ValueError:
            raise ValueError(f"line {place + 1}: {word!r} is not a number") from None
    return made


def _bare(line: str) -> str:
    """The line without its comment."""
    return line.partition("!")[0].partition("#")[0]


def _words(line: str) -> list[str]:
    """The words of a line of numbers, as Fortran reads them: commas part, D is an exponent."""
    return [
        re.sub(r"(?<=[\d.])[dD](?=[-+]?\d)", "e", word) for word in line.replace(",", " ").split()
    ]


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
