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

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from pwact.errors import InputError
from pwact.io import files
from pwact.io.labels import labels_of, set_labels

MARK = "energies.npy"
_NO_VIRIAL = -1e5  # older writers fill the rows of frames without virial with this


def composition_name(atoms: Atoms) -> str:
    """Elements with counts in order of ascending Z: ``Ag18Au30``."""
    numbers, counts = np.unique(atoms.numbers, return_counts=True)
    return "".join(f"{chemical_symbols[z]}{n}" for z, n in zip(numbers, counts))


def write_folder(directory: Path, frames: Sequence[Atoms]) -> None:
    """Write frames of one composition, each with its atoms by ascending Z, into a new folder."""
    directory.mkdir(parents=True)
    numbers = frames[0].numbers
    labels = [labels_of(atoms) for atoms in frames]
    energies = np.array([label.energy for label in labels])
    virials = [label.virial for label in labels if label.virial is not None]
    arrays = {
        "lattice": np.array([atoms.cell.array.ravel() for atoms in frames]),
        "position": np.array(
            [atoms.cell.scaled_positions(atoms.positions).ravel() for atoms in frames]
        ),
        "forces": np.array([label.forces.ravel() for label in labels]),
        "energies": energies[:, None],
        "ei": energies[:, None] * _shares(numbers)[None, :],
        "atom_type": np.unique(numbers)[None, :].astype(np.int64),
        "image_type": numbers[None, :].astype(np.int64),
    }
    if len(virials) == len(frames):
        arrays["virials"] = np.array(virials).reshape(-1, 9)
    for name, array in arrays.items():
        with files.replacing(directory / f"{name}.npy") as aside, aside.open("wb") as stream:
            np.save(stream, array)


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
    numbers = _load(directory, "image_type").ravel().astype(int)
    energies = _load(directory, "energies").ravel()
    count, atoms = len(energies), len(numbers)
    cells = _shaped(directory, "lattice", (count, 3, 3))
    positions = _shaped(directory, "position", (count, atoms, 3))
    forces = _shaped(directory, "forces", (count, atoms, 3))
    virials = None
    if (directory / "virials.npy").exists():
        virials = _shaped(directory, "virials", (count, 3, 3))
    frames = []
    for index in range(count):
        frame = Atoms(numbers, cell=cells[index], scaled_positions=positions[index], pbc=True)
        virial = None if virials is None else virials[index]
        if virial is not None and virial.min() <= _NO_VIRIAL:
            virial = None
        set_labels(frame, float(energies[index]), forces[index], virial)
        frames.append(frame)
    return frames


def _shaped(directory: Path, name: str, shape: tuple[int, ...]) -> np.ndarray:
    array = _load(directory, name)
    if array.size != np.prod(shape):
        raise InputError(f"holds {array.shape} numbers, not {shape}", directory / f"{name}.npy")
    if not np.isfinite(array).all():
        raise InputError("holds numbers that are not finite", directory / f"{name}.npy")
    return array.reshape(shape).astype(float)


def _load(directory: Path, name: str) -> np.ndarray:
    path = directory / f"{name}.npy"
    try:
        array: np.ndarray = np.load(path, allow_pickle=False)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", path) from error
    except (ValueError, EOFError) as error:
        raise InputError(f"is no complete numpy array: {error}", path) from error
    if array.dtype.kind not in "fiu":
        raise InputError(f"holds {array.dtype}, not numbers", path)
    return array
