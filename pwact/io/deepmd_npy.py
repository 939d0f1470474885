"""Data sets of DeePMD-kit (``deepmd/npy``), one folder a composition.

Each folder holds ``type.raw`` (the type of each atom), ``type_map.raw`` (the symbol of each type)
and ``set.000/{box,coord,energy,force[,virial]}.npy`` in Å, eV, eV/Å; the virial is in eV for the
whole cell with the sign of `pwact.io.labels`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers

from pwact.errors import InputError, TaskError
from pwact.io import files
from pwact.io.arrays import LARGEST_NUMBER, load_cells, load_numbers, load_shaped
from pwact.io.labels import labels_of, set_labels
from pwact.io.pwmlff_npy import composition_name


def write_deepmd(directory: Path, frames: Sequence[Atoms], type_map: Sequence[str]) -> list[Path]:
    """Write labelled frames, one folder a composition; atoms of one type keep their order.

    Parameters
    ----------
    directory
        Parent of the folders, made if necessary. A folder of the same composition is replaced.
    frames
        Frames with labels.
    type_map
        Element symbol of type 0, 1, …

    Returns
    -------
    list of Path
        The folders, in order of the first frame of each.

    Raises
    ------
    TaskError
        A frame has no labels, or an element that is not in `type_map`.
    """
    groups: dict[str, list[Atoms]] = {}
    for atoms in frames:
        missing = sorted(set(atoms.get_chemical_symbols()) - set(type_map))
        if missing:
            raise TaskError(f"{', '.join(missing)} not in the type map ({', '.join(type_map)})")
        groups.setdefault(composition_name(atoms), []).append(atoms)
    for name, group in groups.items():
        files.remove(directory / name)
        _write_folder(directory / name, group, type_map)
    return [directory / name for name in groups]


def _write_folder(directory: Path, frames: Sequence[Atoms], type_map: Sequence[str]) -> None:
    (directory / "set.000").mkdir(parents=True)
    types = [np.array([type_map.index(s) for s in a.get_chemical_symbols()]) for a in frames]
    orders = [np.argsort(kind, kind="stable") for kind in types]
    labels = [labels_of(atoms) for atoms in frames]
    virials = [label.virial for label in labels if label.virial is not None]
    pairs = list(zip(frames, labels, orders))
    arrays = {
        "box": np.array([atoms.cell.array.ravel() for atoms in frames]),
        "coord": np.array([atoms.positions[order].ravel() for atoms, _, order in pairs]),
        "energy": np.array([label.energy for label in labels]),
        "force": np.array([label.forces[order].ravel() for _, label, order in pairs]),
    }
    if len(virials) == len(frames):
        arrays["virial"] = np.array(virials).reshape(-1, 9)
    for name, array in arrays.items():
        path = directory / "set.000" / f"{name}.npy"
        with files.replacing(path) as aside, aside.open("wb") as stream:
            np.save(stream, array)
    files.write_text(directory / "type_map.raw", "\n".join(type_map) + "\n")
    kinds = "\n".join(map(str, types[0][orders[0]].tolist()))
    files.write_text(directory / "type.raw", kinds + "\n")


def read_deepmd(directory: Path) -> list[Atoms]:
    """Read the frames of all folders below a directory, itself included.

    Raises
    ------
    InputError
        There is none, or a file is missing or does not fit the others.
    """
    try:
        marks = files.found_below(directory, lambda name: name == "type.raw")
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", Path(error.filename)) from error
    if not marks:
        raise InputError("holds no deepmd/npy data", directory)
    return [atoms for mark in marks for atoms in _read_folder(mark.parent)]


def _read_folder(folder: Path) -> list[Atoms]:
    symbols = _symbols(folder)
    return [atoms for part in sorted(folder.glob("set.*")) for atoms in _read_set(part, symbols)]


def _symbols(folder: Path) -> list[str]:
    """The element of each atom."""
    try:
        names = (folder / "type_map.raw").read_text(encoding="utf-8").split()
        kinds = [int(word) for word in (folder / "type.raw").read_text(encoding="utf-8").split()]
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read as deepmd/npy: {error}", folder) from error
    strange = [name for name in names if not 1 <= atomic_numbers.get(name, 0) <= LARGEST_NUMBER]
    if strange:
        message = f"names the type {strange[0]!r}, which is no element"
        raise InputError(message, folder / "type_map.raw")
    if not kinds or not 0 <= min(kinds) <= max(kinds) < len(names):
        message = f"holds types that are not 0 to {len(names) - 1}, the lines of type_map.raw"
        raise InputError(message, folder / "type.raw")
    return [names[kind] for kind in kinds]


def _read_set(part: Path, symbols: Sequence[str]) -> list[Atoms]:
    count, atoms = load_numbers(part / "energy.npy").size, len(symbols)
    energies = load_shaped(part / "energy.npy", (count,))
    boxes = load_cells(part / "box.npy", count)
    positions = load_shaped(part / "coord.npy", (count, atoms, 3))
    forces = load_shaped(part / "force.npy", (count, atoms, 3))
    file = part / "virial.npy"
    virials = load_shaped(file, (count, 3, 3)) if file.exists() else [None] * count
    frames = []
    for energy, box, place, force, virial in zip(energies, boxes, positions, forces, virials):
        frame = Atoms(symbols, np.array(place, float), cell=np.array(box, float), pbc=True)
        set_labels(frame, float(energy), force, virial)
        frames.append(frame)
    return frames
