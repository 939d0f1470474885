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
from typing import BinaryIO, Optional

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from pwact.errors import InputError
from pwact.io import files
from pwact.io.labels import labels_of, set_labels

MARK = "energies.npy"
_FLOAT = "<f8"
_CHECKED = 1000  # frames at a time
_NO_VIRIAL = -1e5  # older writers fill the rows of frames without virial with this


def composition_name(atoms: Atoms) -> str:
    """Elements with counts in order of ascending Z: ``Ag18Au30``."""
    numbers, counts = np.unique(atoms.numbers, return_counts=True)
    return "".join(f"{chemical_symbols[z]}{n}" for z, n in zip(numbers, counts))


def write_folder(directory: Path, frames: Collection[Atoms]) -> None:
    """Write frames of one composition, each with its atoms by ascending Z, into a new folder.

    They are asked for one by one, twice for the first, so that there may be more than the memory
    holds.
    """
    directory.mkdir(parents=True)
    numbers = next(iter(frames)).numbers
    shares, with_virial = _shares(numbers), 0
    widths = {"lattice": 9, "position": 3 * len(numbers), "forces": 3 * len(numbers)}
    widths |= {"energies": 1, "ei": len(numbers), "virials": 9}
    with contextlib.ExitStack() as stack:
        streams = {
            name: _begun(stack, directory / f"{name}.npy", (len(frames), width))
            for name, width in widths.items()
        }
        for atoms in frames:
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
                streams[name].write(row.astype(_FLOAT, order="C").tobytes())
    if with_virial < len(frames):
        (directory / "virials.npy").unlink()
    for name, kinds in (("atom_type", np.unique(numbers)), ("image_type", numbers)):
        with files.replacing(directory / f"{name}.npy") as aside, aside.open("wb") as stream:
            np.save(stream, kinds[None, :].astype(np.int64))


def _begun(stack: contextlib.ExitStack, path: Path, shape: tuple[int, int]) -> BinaryIO:
    """A file that is put in its place when `stack` ends, its head written."""
    stream = stack.enter_context(stack.enter_context(files.replacing(path)).open("wb"))
    head = {"descr": _FLOAT, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, head)
    return stream


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
    numbers = _load(directory, "image_type").ravel().astype(int)
    count, atoms = _load(directory, "energies").size, len(numbers)
    energies = _shaped(directory, "energies", (count,))
    cells = _shaped(directory, "lattice", (count, 3, 3))
    positions = _shaped(directory, "position", (count, atoms, 3))
    forces = _shaped(directory, "forces", (count, atoms, 3))
    virials: Optional[np.ndarray] = None
    if (directory / "virials.npy").exists():
        virials = _shaped(directory, "virials", (count, 3, 3))
    for index in range(count):
        cell, place = np.array(cells[index], float), np.array(positions[index], float)
        frame = Atoms(numbers, cell=cell, scaled_positions=place, pbc=True)
        virial = None if virials is None else virials[index]
        if virial is not None and virial.min() <= _NO_VIRIAL:
            virial = None
        set_labels(frame, float(energies[index]), forces[index], virial)
        yield frame


def _shaped(directory: Path, name: str, shape: tuple[int, ...]) -> np.ndarray:
    array = _load(directory, name)
    if array.size != np.prod(shape):
        raise InputError(f"holds {array.shape} numbers, not {shape}", directory / f"{name}.npy")
    array = array.reshape(shape)
    for start in range(0, len(array), _CHECKED):
        if not np.isfinite(array[start : start + _CHECKED]).all():
            raise InputError("holds numbers that are not finite", directory / f"{name}.npy")
    return array


def _load(directory: Path, name: str) -> np.ndarray:
    path = directory / f"{name}.npy"
    try:
        array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", path) from error
    except (ValueError, EOFError) as error:
        raise InputError(f"is no complete numpy array: {error}", path) from error
    if array.dtype.kind not in "fiu":
        raise InputError(f"holds {array.dtype}, not numbers", path)
    return array
