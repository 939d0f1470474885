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

from pwact.errors import InputError, TaskError
from pwact.io import files
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
    folders = sorted(path.parent for path in directory.rglob("type.raw"))
    if not folders:
        raise InputError("holds no deepmd/npy data", directory)
    return [atoms for folder in folders for atoms in _read_folder(folder)]


def _read_folder(folder: Path) -> list[Atoms]:
    try:
        names = (folder / "type_map.raw").read_text(encoding="utf-8").split()
        kinds = [int(word) for word in (folder / "type.raw").read_text(encoding="utf-8").split()]
        symbols = [names[kind] for kind in kinds]
        return [
            atoms for part in sorted(folder.glob("set.*")) for atoms in _read_set(part, symbols)
        ]
    except (OSError, ValueError, IndexError) as error:
        raise InputError(f"cannot be read as deepmd/npy: {error}", folder) from error


def _read_set(part: Path, symbols: Sequence[str]) -> list[Atoms]:
    energies = np.load(part / "energy.npy").ravel()
    count, atoms = len(energies), len(symbols)
    boxes = np.load(part / "box.npy").reshape(count, 3, 3)
    positions = np.load(part / "coord.npy").reshape(count, atoms, 3)
    forces = np.load(part / "force.npy").reshape(count, atoms, 3)
    file = part / "virial.npy"
    virials = np.load(file).reshape(count, 3, 3) if file.exists() else [None] * count
    frames = []
    for energy, box, place, force, virial in zip(energies, boxes, positions, forces, virials):
        frame = Atoms(symbols, place, cell=box, pbc=True)
        set_labels(frame, float(energy), force, virial)
        frames.append(frame)
    return frames
