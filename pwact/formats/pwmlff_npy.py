"""Data sets as numpy folders (``pwmlff/npy``), one folder a composition.

========================  ========  ====================================================
file                      shape     content, for nf frames of N atoms and nt elements
========================  ========  ====================================================
lattice.npy               (nf, 9)   lattice vectors row by row, Å
position.npy              (nf, 3N)  fractional positions
forces.npy                (nf, 3N)  eV/Å
energies.npy              (nf, 1)   eV
ei.npy                    (nf, N)   atomic energies, eV
virials.npy               (nf, 9)   eV; absent unless every frame has one
atom_type.npy             (1, nt)   atomic numbers, ascending
image_type.npy            (1, N)    atomic number of each atom, ascending
========================  ========  ====================================================
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Optional

import numpy as np
from ase import Atoms

from pwact.errors import InputError
from pwact.formats.data_format import FolderFormat
from pwact.formats.frames import composition_name, ordered
from pwact.formats.labels import labels_of, set_labels
from pwact.io import files
from pwact.io.arrays import (
    FLOAT,
    are_elements,
    begun_array,
    load_cells,
    load_numbers,
    load_shaped,
    say_unread,
)
from pwact.registry.formats import PWACT

MARK = "energies.npy"
NO_CELL = "it has no cell, which pwmlff/npy needs; extxyz does not"
OPEN = "a frame is open along an axis (pbc), which pwmlff/npy cannot say; extxyz can"
_FILES = ["lattice", "position", "forces", "energies", "ei", "virials", "atom_type", "image_type"]
_NO_VIRIAL = -1e5  # older writers fill the rows of frames without virial with this


def write_folder(directory: Path, frames: Collection[Atoms]) -> None:
    """Write frames of one composition, each with its atoms by ascending Z, into a new folder.

    They are asked for one by one, twice for the first, so that there may be more than the memory
    holds.

    Raises
    ------
    InputError
        A frame is not periodic along all axes, which the format cannot say.
    """
    directory.mkdir(parents=True)
    numbers = next(iter(frames)).numbers
    shares, with_virial = _shares(numbers), 0
    widths = {"lattice": 9, "position": 3 * len(numbers), "forces": 3 * len(numbers)}
    widths |= {"energies": 1, "ei": len(numbers), "virials": 9}
    with contextlib.ExitStack() as stack:
        streams = {
            name: begun_array(stack, directory / f"{name}.npy", (len(frames), width))
            for name, width in widths.items()
        }
        for atoms in frames:
            if not atoms.pbc.all():
                raise InputError(OPEN, directory)
            labels = labels_of(atoms)
            with_virial += labels.virial is not None
            rows = {
                "lattice": atoms.cell.array,
                "position": atoms.cell.scaled_positions(atoms.positions),
                "forces": labels.forces,
                "energies": np.array(labels.energy),
                "ei": labels.energy * shares,
                "virials": np.zeros(9) if labels.virial is None else labels.virial,
            }
            for name, row in rows.items():
                streams[name].write(row.astype(FLOAT, order="C").tobytes())
    if with_virial < len(frames):
        (directory / "virials.npy").unlink()
    for name, kinds in (("atom_type", np.unique(numbers)), ("image_type", numbers)):
        with files.replacing(directory / f"{name}.npy") as aside, aside.open("wb") as stream:
            np.save(stream, kinds[None, :].astype(np.int64))


def _shares(numbers: np.ndarray) -> np.ndarray:
    """Share of each atom in the energy: the minimum-norm split n_k / Σ n_j² for element k."""
    _, which, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    shares: np.ndarray = counts[which] / np.sum(counts**2)
    return shares


def read_folder(directory: Path) -> list[Atoms]:
    """Read the frames of one folder; virials of -1e5 and below are placeholders for none.

    Raises
    ------
    InputError
        A file is missing, is no array, or does not fit the others; names it.
    """
    return list(iterate_folder(directory))


def iterate_folder(directory: Path) -> Iterator[Atoms]:
    """Yield the frames of one folder, which stays on the disk; see `read_folder`."""
    numbers = _elements(directory)
    say_unread([directory], _FILES)
    count, atoms = load_numbers(directory / MARK).size, len(numbers)
    if not count:
        raise InputError("holds no frame", directory / MARK)

    def shaped(name: str, shape: tuple[int, ...]) -> np.ndarray:
        return load_shaped(directory / f"{name}.npy", shape)

    energies = shaped("energies", (count,))
    cells = load_cells(directory / "lattice.npy", count)
    positions = shaped("position", (count, atoms, 3))
    forces = shaped("forces", (count, atoms, 3))
    virials: Optional[np.ndarray] = None
    if (directory / "virials.npy").exists():
        virials = shaped("virials", (count, 3, 3))
    for index in range(count):
        cell, place = np.array(cells[index], float), np.array(positions[index], float)
        frame = Atoms(numbers, cell=cell, scaled_positions=place, pbc=True)
        virial = None if virials is None else virials[index]
        if virial is not None and virial.min() <= _NO_VIRIAL:
            virial = None
        set_labels(frame, float(energies[index]), forces[index], virial)
        yield frame


def _elements(directory: Path) -> np.ndarray:
    """Atomic number of each atom."""
    path = directory / "image_type.npy"
    numbers = load_numbers(path).ravel()
    if not numbers.size:
        raise InputError("holds no atom", path)
    if not are_elements(numbers):
        raise InputError("holds what is no atomic number (1 to 118)", path)
    listed = directory / "atom_type.npy"
    if listed.exists() and not set(numbers.tolist()) <= set(load_numbers(listed).ravel().tolist()):
        raise InputError("does not list an element of image_type.npy beside it", listed)
    return numbers.astype(int)


class PwmlffNpy(FolderFormat):
    """``pwmlff/npy``: a folder a composition."""

    mark = MARK
    endings = (".npy",)

    def iterate(self, place: Path) -> Iterator[Atoms]:
        """Yield the frames of one folder."""
        return iterate_folder(place)

    def fit(self, atoms: Atoms) -> Atoms:
        """The frame with its atoms by ascending Z."""
        if atoms.cell.rank < 3:
            raise InputError(NO_CELL)
        if not atoms.pbc.all():
            raise InputError(OPEN)
        return ordered(atoms)

    def group(self, atoms: Atoms) -> str:
        """The composition."""
        return composition_name(atoms)

    def write_one(self, path: Path, frames: Collection[Atoms], names: str = PWACT) -> None:
        """Write a new folder."""
        del names
        write_folder(path, frames)
