"""Extended XYZ, in the form that MatPL, pwdata and ASE read.

Lengths in Å, energies and virials in eV, forces in eV/Å. Numbers are written so that they are read
back bit by bit. Forces without an energy (of a model, say) are no labels: they are the array
``forces`` of the frame.
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np
from ase import Atoms

from pwact.errors import InputError
from pwact.formats.data_format import FileFormat, ReadWarnings
from pwact.formats.extxyz_atoms import elements_of, property_columns, put_properties, unread
from pwact.formats.extxyz_head import Column, Head, read_head
from pwact.formats.extxyz_labels import (
    OF_TABLES,
    CandidatesDifferError,
    LabelNames,
    labels_of_head,
    labels_there,
)
from pwact.formats.extxyz_units import length_unit
from pwact.formats.frames import composition_name
from pwact.formats.labels import labels_of, set_labels
from pwact.formats.type_names import OPTION
from pwact.io import files
from pwact.io.arrays import BEYOND, are_usable
from pwact.io.texts import DAMAGED, open_text
from pwact.registry.formats import ASE, MACE, PWACT

logger = logging.getLogger(__name__)

_POSITIONS = ("pos", "positions")
_PLAIN = dict.fromkeys(_POSITIONS, "positions")
_THERE = "labels that are there under other names"
MOST_ATOMS = 10**9  # what is more is a slip


# whose names → key of the energy, column of the forces, key of the virial or stress
_WRITTEN = {
    PWACT: ("energy", "force", "virial"),
    ASE: ("energy", "forces", "stress"),
    MACE: ("REF_energy", "REF_forces", "REF_stress"),
}


def write_extxyz(path: Path, frames: Iterable[Atoms], names: str = PWACT) -> None:
    """Write frames in one step, in place of what was there.

    Frames may lack energy, virial and forces.

    Parameters
    ----------
    names
        One of `pwact.registry.formats.LABEL_NAMES`, see `frame_text`.
    """
    with files.replacing(path) as aside, aside.open("w", encoding="utf-8") as stream:
        for atoms in frames:
            stream.write(frame_text(atoms, names))


def frame_text(atoms: Atoms, names: str = PWACT, note: str = "") -> str:
    """One frame as text, with a note for people that has no double quotes and backslashes.

    Parameters
    ----------
    names
        ``pwact``: column ``force`` and key ``virial`` (eV), which MatPL reads; ``ase``: column
        ``forces`` and key ``stress`` (eV/Å³, minus the virial by the volume), which ASE reads as
        results of a calculator, and with it the trainers that read by ASE; ``mace``: the same
        behind ``REF_``, where ASE leaves them alone and MACE looks for them.

    Raises
    ------
    InputError
        A frame without a cell has a virial, which is no stress then.
    """
    energy_key, force_column, virial_key = _WRITTEN[names]
    labels = labels_of(atoms) if atoms.calc is not None else None
    forces = labels.forces if labels else atoms.arrays.get("forces")
    columns = "species:S:1:pos:R:3" + ("" if forces is None else f":{force_column}:R:3")
    more, texts = property_columns(atoms)
    columns += more
    pbc = " ".join("T" if periodic else "F" for periodic in atoms.pbc)
    head = [f'Lattice="{_numbers(atoms.cell.array)}"', f"Properties={columns}", f'pbc="{pbc}"']
    if labels:
        head.append(f"{energy_key}={labels.energy!r}")
    if labels and labels.virial is not None:
        virial = labels.virial if names == PWACT else -labels.virial / _volume(atoms)
        head.append(f'{virial_key}="{_numbers(virial)}"')
    if note:
        head.append(f'note="{note}"')
    table = atoms.positions if forces is None else np.hstack([atoms.positions, forces])
    rows = [
        f"{symbol} {' '.join(map(repr, row))}{text}\n"
        for symbol, row, text in zip(atoms.get_chemical_symbols(), table.tolist(), texts)
    ]
    return f"{len(atoms)}\n{' '.join(head)}\n{''.join(rows)}"


def _volume(atoms: Atoms) -> float:
    if atoms.cell.rank < 3:
        raise InputError("a frame without a cell has a virial, which is no stress: --names pwact")
    return float(atoms.get_volume())


def _numbers(array: np.ndarray) -> str:
    return " ".join(repr(number) for number in np.asarray(array, dtype=float).ravel().tolist())


def read_extxyz(path: Path, properties: bool = False) -> list[Atoms]:
    """All frames of a file, with the labels that it holds.

    Parameters
    ----------
    properties
        Whether moments, charges and kinds of atoms are read as well, see `pwact.atom_properties`.

    Raises
    ------
    InputError
        The file cannot be read, is empty, or breaks off inside a frame; names file and frame.
    """
    frames = list(iterate_extxyz(path, properties=properties))
    if not frames:
        raise InputError("holds no frame", path)
    return frames


def iterate_extxyz(
    path: Path, spoilt: bool = False, names: LabelNames = OF_TABLES, properties: bool = False
) -> Iterator[Atoms]:
    """Yield the frames of a file one by one; see `read_extxyz`, or if `spoilt` the other one.

    What is left out of a frame, or chosen among several candidates, is said once a file.

    Parameters
    ----------
    names
        Of the labels, where the user says so.
    properties
        As in `read_extxyz`.
    """
    said: set[str] = set()
    reading = _Reading(spoilt, names, properties)
    try:
        with open_text(path) as stream:
            for atoms, warnings in _frames(stream, path, reading):
                for words in warnings:
                    if words not in said:
                        logger.warning("%s: %s", path, words)
                    said.add(words)
                yield atoms
    except DAMAGED as error:
        raise InputError(f"is compressed, and damaged: {error}", path) from error
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path) from error


def why_unlabelled(atoms: Atoms) -> str:
    """Why a frame that was read here has no labels, in words."""
    return f"has no energy and forces{atoms.info.get(_THERE, '')}"


def read_spoilt_labels(path: Path) -> list[Atoms]:
    """All frames of a file; one whose energy or forces are missing or not finite has no labels.

    Raises
    ------
    InputError
        As `read_extxyz`.
    """
    frames = list(iterate_extxyz(path, spoilt=True))
    if not frames:
        raise InputError("holds no frame", path)
    return frames


def complete_frames(path: Path) -> list[Atoms]:
    """The frames of a file up to where it was cut off or damaged; none if there is no file."""
    found: list[Atoms] = []
    with contextlib.suppress(InputError, OSError):
        text = path.read_text(encoding="utf-8", errors="replace")
        whole = text[: text.rfind("\n") + 1]  # a number in an unfinished line may lack digits
        for atoms, _ in _frames(io.StringIO(whole), path, _Reading()):
            found.append(atoms)  # noqa: PERF402 - what came before an error stays
    return found


@dataclass(frozen=True)
class _Reading:
    """How frames are read: `spoilt` labels count as none; the names of labels; properties.

    `found` gets the names under which labels stood, in the frames so far.
    """

    spoilt: bool = False
    names: LabelNames = OF_TABLES
    properties: bool = False
    found: list[LabelNames] = field(default_factory=list)

    def others(self, found: LabelNames) -> tuple[str, ...]:
        """What is to be said where labels stand under other names than in frames before."""
        if not self.found:
            self.found.append(found)
        pairs = zip(vars(self.found[0]).values(), vars(found).values())
        differ = [(one, other) for one, other in pairs if one and other and one != other]
        return tuple(
            f"the labels stand under {one} in some frames and under {other} in others"
            for one, other in differ
        )


def _frames(
    stream: TextIO, path: Path, reading: _Reading
) -> Iterator[tuple[Atoms, tuple[str, ...]]]:
    """Each frame, with what is to be said of it."""
    number = 0
    while line := stream.readline():
        if not line.strip():
            continue
        try:
            if not (line.strip().isdecimal() and 1 <= int(line) <= MOST_ATOMS):
                raise ValueError(f"found {line.strip()[:40]!r}; expected the number of its atoms")
            count = int(line)
            head = stream.readline()
            rows = list(islice(stream, count))
            if len(rows) < count or not rows[-1].strip():
                raise ValueError(f"the file ends before the last of its {count} atoms")
            atoms, warnings = _frame(read_head(head), rows, reading)
            if atoms.calc is not None and not rows[-1].endswith("\n"):
                warnings = (*warnings, "the last line has no end: was the file cut off there?")
            yield atoms, warnings
        except (ValueError, KeyError, IndexError) as error:
            message = f"frame {number} cannot be read: {_reason(error)}"
            raise InputError(message, path) from error
        number += 1


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"no element is called {error}; which one is it? ({OPTION} of to_pwdata)"
    return str(error)


def _frame(head: Head, rows: Sequence[str], reading: _Reading) -> tuple[Atoms, tuple[str, ...]]:
    words = [row.split() for row in rows]
    for index, row in enumerate(words):
        if len(row) != head.width:
            raise ValueError(f"atom {index + 1} has {len(row)} columns, not {head.width}")

    def column(name: str) -> np.ndarray:
        return _columns(words, head.columns[name], name)

    place = next((name for name in _POSITIONS if name in head.columns), None)
    if place is None:
        raise ValueError(f"Properties={head.values['properties']} names no pos")
    cell, length = head.cell(), length_unit(head)
    numbers, strange = elements_of(head, words, reading.names.types)
    atoms = Atoms(
        numbers=numbers,
        positions=column(place) * length,
        cell=None if cell is None else cell * length,
        pbc=head.pbc(cell),
    )
    if reading.properties:
        put_properties(atoms, head, words)
    try:
        labels = labels_of_head(head, reading.names, column, abs(atoms.cell.volume))
    except ValueError as error:
        if not reading.spoilt or isinstance(error, CandidatesDifferError):
            raise
        return atoms, ()
    if labels.forces is None or labels.energy is None:
        if labels.forces is not None:
            atoms.set_array("forces", labels.forces, float, (3,))
        if there := labels_there(head):
            atoms.info[_THERE] = there
        return atoms, ()
    set_labels(atoms, labels.energy, labels.forces, labels.virial)
    return atoms, (*strange, *labels.warnings, *unread(head), *reading.others(labels.names))


def _columns(words: Sequence[Sequence[str]], column: Column, name: str) -> np.ndarray:
    if column.width != 3:
        raise ValueError(f"{name} has {column.width} columns, not 3")
    array = np.array([row[column.first : column.first + 3] for row in words]).astype(float)
    if not are_usable(array):
        raise ValueError(f"{_PLAIN.get(name, 'forces')} must be finite numbers below {BEYOND:g}")
    return array


class Extxyz(FileFormat):
    """Extended XYZ: a file, or all such files below a folder."""

    endings = (".xyz", ".extxyz")

    def iterate(self, place: Path) -> Iterator[Atoms]:
        """Yield the frames of a file, each with labels."""
        return self._iterate(place, OF_TABLES, properties=False)

    def iterate_whole(self, place: Path) -> Iterator[Atoms]:
        """Yield the frames of a file, each with labels, and with moments and charges."""
        return self._iterate(place, OF_TABLES, properties=True)

    def _iterate(self, place: Path, names: LabelNames, properties: bool) -> Iterator[Atoms]:
        number = -1
        frames = iterate_extxyz(place, names=names, properties=properties)
        for number, atoms in enumerate(frames):
            if atoms.calc is None:
                raise InputError(f"frame {number} {why_unlabelled(atoms)}", place)
            yield atoms
        if number < 0:
            raise InputError("holds no frame", place)

    def read(self, path: Path, warnings: ReadWarnings, names: LabelNames) -> Iterator[Atoms]:
        """Yield the frames of all files, with the names of labels that the user gave."""
        del warnings
        for place in self.find(path):
            yield from self._iterate(place, names, properties=True)

    def fit(self, atoms: Atoms) -> Atoms:
        """The frame as it is."""
        return atoms

    def group(self, atoms: Atoms) -> str:
        """The composition, though one file can hold any frames."""
        return composition_name(atoms)

    def write_one(self, path: Path, frames: Collection[Atoms], names: str = PWACT) -> None:
        """Write a file."""
        write_extxyz(path, frames, names)

    def write(self, path: Path, frames: Sequence[Atoms]) -> None:
        """Write a file in place of what was there."""
        write_extxyz(path, frames)
