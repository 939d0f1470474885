"""LAMMPS data files of atom style ``atomic`` in units ``metal``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, chemical_symbols

from pwact.errors import InputError
from pwact.geometry import lower_triangular
from pwact.io import files
from pwact.io.masses import mass_of, number_of_mass

_SECTION = re.compile(r"[A-Z][A-Za-z ]*$")


def write_lammps_data(path: Path, atoms: Atoms, types: Sequence[str]) -> None:
    """Write a data file with 12 decimals; atoms keep their order and are not wrapped.

    Parameters
    ----------
    path
        The file.
    atoms
        The structure, right-handed and periodic.
    types
        Element symbol of type 1, 2, …; all are declared, also those that do not occur.

    Raises
    ------
    InputError
        The cell does not suit LAMMPS, or an element is not among `types`.
    """
    symbols = atoms.get_chemical_symbols()
    missing = sorted(set(symbols) - set(types))
    if missing:
        raise InputError(
            f"{', '.join(missing)} of the structure not in the model ({', '.join(types)})"
        )
    cell, rotation = lower_triangular(atoms.cell.array)
    numbers = [types.index(symbol) + 1 for symbol in symbols]
    lines = ["written by pwact", "", f"{len(atoms)} atoms", f"{len(types)} atom types", ""]
    for axis, length in zip("xyz", np.diagonal(cell)):
        lines.append(f"{0:.12f} {length:.12f} {axis}lo {axis}hi")
    lines += [f"{cell[1, 0]:.12f} {cell[2, 0]:.12f} {cell[2, 1]:.12f} xy xz yz", "", "Masses", ""]
    for number, symbol in enumerate(types, start=1):
        lines.append(f"{number} {mass_of(symbol):.3f} # {atomic_numbers[symbol]}")
    lines += ["", "Atoms # atomic", ""]
    for index, (number, position) in enumerate(zip(numbers, atoms.positions @ rotation), start=1):
        x, y, z = position
        lines.append(f"{index} {number} {x:.12f} {y:.12f} {z:.12f}")
    files.write_text(path, "\n".join(lines) + "\n")


def read_lammps_data(path: Path, types: Optional[Sequence[str]] = None) -> Atoms:
    """Read a data file of atom style ``atomic`` (or ``charge``).

    Parameters
    ----------
    path
        The file.
    types
        Element symbol of type 1, 2, …; without it the elements are known by the comments in the
        Masses section (symbol or atomic number) or by their masses.

    Raises
    ------
    InputError
        The file cannot be read.
    """
    try:
        head, sections = _sections(path.read_text(encoding="utf-8", errors="replace"))
        symbols = dict(enumerate(types, start=1)) if types else _elements(sections["Masses"])
        rows = sorted(sections["Atoms"], key=lambda row: int(row[0]))
        shift = 1 if sections.get("style", [["atomic"]])[0][0] == "charge" else 0
        cell, origin = _box(head)
        count = int(head["atoms"][0])
        if count != len(rows):
            raise ValueError(f"{count} atoms are announced, {len(rows)} are there")
        positions = np.array([row[2 + shift : 5 + shift] for row in rows]).astype(float)
        return Atoms(
            [symbols[int(row[1])] for row in rows], positions - origin, cell=cell, pbc=True
        )
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path) from error
    except KeyError as error:
        raise InputError(f"is no complete LAMMPS data file: no {error}", path) from error
    except (ValueError, IndexError) as error:
        raise InputError(f"cannot be read as a LAMMPS data file: {error}", path) from error


def _sections(text: str) -> tuple[dict[str, list[str]], dict[str, list[list[str]]]]:
    """Header lines by their keywords, and the rows of each section as words."""
    head: dict[str, list[str]] = {}
    sections: dict[str, list[list[str]]] = {}
    rows: Optional[list[list[str]]] = None
    for line in text.splitlines()[1:]:
        content, _, comment = line.partition("#")
        words = content.split()
        if not words:
            continue
        if _SECTION.match(content.strip()):
            rows = sections.setdefault(content.strip(), [])
            if words[0] == "Atoms" and comment.strip():
                sections["style"] = [comment.split()]
        elif rows is None:
            numbers = [word for word in words if not word.isalpha()]
            head[" ".join(words[len(numbers) :])] = numbers
        else:
            rows.append([*words, "#", *comment.split()] if comment else words)
    return head, sections


def _elements(rows: Sequence[Sequence[str]]) -> dict[int, str]:
    symbols = {}
    for row in rows:
        name = row[3] if len(row) > 3 else ""
        number = int(name) if name.isdigit() else atomic_numbers.get(name, 0)
        symbols[int(row[0])] = chemical_symbols[number or number_of_mass(float(row[1]))]
    return symbols


def _box(head: dict[str, list[str]]) -> tuple[np.ndarray, np.ndarray]:
    bounds = np.array([head[f"{axis}lo {axis}hi"] for axis in "xyz"]).astype(float)
    cell = np.diag(bounds[:, 1] - bounds[:, 0])
    cell[1, 0], cell[2, 0], cell[2, 1] = map(float, head.get("xy xz yz", ("0", "0", "0")))
    return cell, bounds[:, 0]
