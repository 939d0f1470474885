"""LAMMPS data files (docs.lammps.org/read_data.html) in Å and atomic mass units.

They are written in atom style ``atomic``. Read are all styles of `STYLES`, type labels and general
triclinic boxes; of what they say of an atom only its type and position count.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers

from pwact.errors import InputError, TaskError
from pwact.formats.masses import element_of_mass, mass_of
from pwact.geometry import lower_triangular
from pwact.io import files
from pwact.io.arrays import BEYOND, UNUSABLE
from pwact.io.texts import read_text

# style → columns of atom type and of x, and how many columns there are without image flags
STYLES = {
    "atomic": (1, 2, 5),
    "charge": (1, 3, 6),
    "dipole": (1, 3, 9),
    "sphere": (1, 4, 7),
    "spin": (1, 2, 9),
    "angle": (2, 3, 6),
    "bond": (2, 3, 6),
    "molecular": (2, 3, 6),
    "full": (2, 4, 7),
    "hybrid": (1, 2, 5),  # and more, of its parts
}
_CHARGES = {"charge": 2, "dipole": 2, "full": 3}  # column of the charge
_SPIN = 8  # column of the magnitude
_IMAGES = 3  # columns of image flags, which may be left out
_SECTION = re.compile(
    r"Atoms|Velocities|Masses|Ellipsoids|Lines|Triangles|Bodies|Bonds|Angles|Dihedrals|Impropers"
    r"|(Atom|Bond|Angle|Dihedral|Improper) Type Labels|[A-Z][A-Za-z]* Coeffs"
)
_COUNT = re.compile(r"^\s*(\d+)\s+atoms\b", re.MULTILINE)
_UNITS = re.compile(r"\bunits = (\w+)")
_IN_ANGSTROM = frozenset({"metal", "real"})


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


def atom_count(path: Path) -> int:
    """How many atoms a data file announces.

    Raises
    ------
    TaskError
        The file cannot be read, or announces none.
    """
    try:
        found = _COUNT.search(path.read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        raise TaskError(f"{path}: cannot be read: {error.strerror}") from error
    if not found:
        raise TaskError(f"{path}: does not say how many atoms it holds")
    return int(found[1])


def read_lammps_data(path: Path, types: Optional[Sequence[str]] = None) -> Atoms:
    """Read a data file.

    Parameters
    ----------
    path
        The file.
    types
        Element symbol of type 1, 2, …; without it the elements are known by their masses, and by
        type labels or comments in the Masses section (symbol or atomic number) that fit these.

    Raises
    ------
    InputError
        The file cannot be read, or leaves open which columns or elements are meant.
    """
    text = read_text(path)
    try:
        units = _UNITS.search(text.partition("\n")[0])
        if units and units[1] not in _IN_ANGSTROM:
            raise ValueError(f"it is in units {units[1]}; metal or real (Å) are read")
        head, sections, style = _sections(text)
        labels = {row[1]: int(row[0]) for row in sections.get("Atom Type Labels", ())}
        symbols = dict(enumerate(types, start=1)) if types else _elements(sections, labels)
        rows = sections["Atoms"]
        count = int(head["atoms"][0])
        if count != len(rows):
            raise ValueError(f"{count} atoms are announced, {len(rows)} are there")
        if twice := _twice([row[0] for row in rows]):
            raise ValueError(f"two atoms have the number {twice}")
        kind, place, _ = STYLES[_style_of(rows, style)]
        rows.sort(key=lambda row: _whole(row[0], "an atom's number"))
        cell, origin = _box(head)
        positions = np.array([[_number(word) for word in row[place : place + 3]] for row in rows])
        numbers = [labels.get(row[kind]) or _whole(row[kind], "a type") for row in rows]
        if strange := set(numbers) - set(symbols):
            raise ValueError(f"an atom has type {min(strange)}, which has no mass and no element")
        return Atoms(
            [symbols[number] for number in numbers], positions - origin, cell=cell, pbc=True
        )
    except KeyError as error:
        raise InputError(f"is no complete LAMMPS data file: no {error}", path) from error
    except (ValueError, IndexError) as error:
        raise InputError(f"cannot be read as a LAMMPS data file: {error}", path) from error


def of_force_fields(path: Path) -> list[str]:
    """What a data file that was read says of its atoms, in words: charges, spins."""
    _, sections, style = _sections(read_text(path))
    rows = sections["Atoms"]
    style = _style_of(rows, style)
    found = []
    if style in _CHARGES and any(float(row[_CHARGES[style]]) for row in rows):
        found.append("charges")
    if style == "spin" and any(float(row[_SPIN]) for row in rows):
        found.append("spins")
    return found


def _twice(words: Sequence[str]) -> str:
    """The first word that is there twice; "" if none is."""
    counts = Counter(words)
    return next((word for word in words if counts[word] > 1), "")


def _number(word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        raise ValueError(f"{word!r} is not a number") from None
    if not abs(value) < BEYOND:
        raise ValueError(f"{word} is {UNUSABLE}")
    return value


def _whole(word: str, what: str) -> int:
    if not word.lstrip("+").isdigit():
        raise ValueError(f"{word!r} is not {what}")
    return int(word)


def _sections(text: str) -> tuple[dict[str, list[str]], dict[str, list[list[str]]], str]:
    """Header lines by their keywords, the rows of each section as words, and the atom style.

    Behind the words of a row in Masses stands its comment, after ``#``.
    """
    head: dict[str, list[str]] = {}
    sections: dict[str, list[list[str]]] = {}
    rows: Optional[list[list[str]]] = None
    name = style = ""
    for line in text.splitlines()[1:]:
        content, _, comment = line.partition("#")
        words = content.split()
        if not words:
            continue
        if _SECTION.fullmatch(content.strip()):
            name = content.strip()
            rows = sections.setdefault(name, [])
            if name == "Atoms":
                style = (comment.split() or [""])[0]
        elif rows is None:
            numbers = [word for word in words if not word.isalpha()]
            head[" ".join(words[len(numbers) :])] = numbers
        else:
            rows.append([*words, "#", *comment.split()] if name == "Masses" else words)
    return head, sections, style


def _style_of(rows: Sequence[Sequence[str]], hint: str) -> str:
    """The atom style: the hint behind ``Atoms``, or what the columns leave no doubt of.

    Raises
    ------
    ValueError
        The hint does not fit the columns, or there is none and they leave doubts.
    """
    width = min((len(row) for row in rows), default=0)
    longer = [row for row in rows if len(row) > width]
    if any(len(row) != width + _IMAGES or not _with_images(row) for row in longer):
        raise ValueError("the rows of Atoms have different numbers of columns")
    images = not longer and width > _IMAGES and all(map(_with_images, rows))
    if hint:
        if hint not in STYLES:
            raise ValueError(f"atom style {hint} is not read; read are {', '.join(STYLES)}")
        expected = STYLES[hint][2]
        fits = width == expected or (images and width == expected + _IMAGES)
        if not fits and not (hint == "hybrid" and width > expected):
            raise ValueError(f"atom style {hint} has {expected} columns, the rows have {width}")
        return hint
    bare = width - _IMAGES if images and width - _IMAGES in (5, 6) else width
    if bare == STYLES["atomic"][2]:
        return "atomic"
    spins = images and width == STYLES["spin"][2] and _whole_spins(rows)
    if bare == STYLES["charge"][2] and not spins and not all(row[2].isdigit() for row in rows):
        return "charge"  # a charge, no type
    raise ValueError(
        f"the rows of Atoms have {width} columns, which several atom styles have; write yours "
        "behind the heading, such as Atoms # full"
    )


def _with_images(row: Sequence[str]) -> bool:
    """Whether a row ends with what may be image flags."""
    return all(word.lstrip("-").isdigit() for word in row[-_IMAGES:])


def _whole_spins(rows: Sequence[Sequence[str]]) -> bool:
    """Whether what would be z beside image flags may be the first of a spin's numbers."""
    return all(row[_SPIN - _IMAGES].lstrip("-").isdigit() for row in rows)


def _elements(sections: dict[str, list[list[str]]], labels: dict[str, int]) -> dict[int, str]:
    """Element of each type: that of its mass, or a name that fits the mass."""
    names = {number: name for name, number in labels.items()}
    symbols = {}
    masses = [(row[1], row[row.index("#") + 1 :]) for row in sections["Masses"]]
    if not labels and all(_number(mass) == 1 and not comment for mass, comment in masses):
        raise ValueError("all masses are 1, as in units lj; write those of the elements")
    for row in sections["Masses"]:
        number = labels.get(row[0]) or _whole(row[0], "a type")
        comment = row[row.index("#") + 1 :]
        name = names.get(number, comment[0] if comment else "")
        try:
            symbols[number] = element_of_mass(_number(row[1]), name)
        except ValueError as error:
            raise ValueError(f"type {row[0]}: {error}") from None
    return symbols


def _box(head: dict[str, list[str]]) -> tuple[np.ndarray, np.ndarray]:
    """Lattice vectors as rows, and the origin."""
    if "avec" in head:  # general triclinic
        vectors = [[_number(word) for word in head[f"{axis}vec"]] for axis in "abc"]
        origin = [_number(word) for word in head.get("abc origin", ("0", "0", "0"))]
        return np.array(vectors), np.array(origin)
    bounds = np.array([[_number(word) for word in head[f"{axis}lo {axis}hi"]] for axis in "xyz"])
    if not (bounds[:, 1] > bounds[:, 0]).all():
        raise ValueError("an upper bound of the box is not above the lower one")
    cell = np.diag(bounds[:, 1] - bounds[:, 0])
    tilt = head.get("xy xz yz", ("0", "0", "0"))
    cell[1, 0], cell[2, 0], cell[2, 1] = map(_number, tilt)
    return cell, bounds[:, 0]
