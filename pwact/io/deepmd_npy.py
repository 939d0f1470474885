"""Data sets of DeePMD-kit (``deepmd/npy``), one folder a composition.

Each folder holds ``type.raw`` (the type of each atom), ``type_map.raw`` (the symbol of each type)
and ``set.000/{box,coord,energy,force[,virial]}.npy`` in Å, eV, eV/Å; the virial is in eV for the
whole cell with the sign of `pwact.io.labels`. A file ``nopbc`` in a folder says that its frames are
open along all axes; they need no box then. With ``set.*/real_atom_types.npy``
(``deepmd/npy/mixed``) each frame has its own elements, and ``type.raw`` only counts atoms.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers

from pwact.errors import InputError, TaskError
from pwact.io import files
from pwact.io.arrays import LARGEST_NUMBER, load_cells, load_numbers, load_shaped
from pwact.io.labels import labels_of, set_labels
from pwact.io.pwmlff_npy import composition_name

NO_PBC = "nopbc"
MIXED = "real_atom_types"


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
        A frame has no labels, an element that is not in `type_map`, or open boundaries along some
        axes only, which the format cannot say.
    """
    groups: dict[str, list[Atoms]] = {}
    for atoms in frames:
        if atoms.pbc.any() and not atoms.pbc.all():
            raise TaskError("a frame is periodic along some axes only, which deepmd/npy cannot say")
        missing = sorted(set(atoms.get_chemical_symbols()) - set(type_map))
        if missing:
            raise TaskError(f"{', '.join(missing)} not in the type map ({', '.join(type_map)})")
        name = composition_name(atoms) + ("" if atoms.pbc.all() else f"_{NO_PBC}")
        groups.setdefault(name, []).append(atoms)
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
    if not frames[0].pbc.any():
        files.write_text(directory / NO_PBC, "")


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
    names, kinds = _types(folder)
    open_ends = (folder / NO_PBC).exists()
    parts = sorted(folder.glob("set.*"))
    if not parts:
        raise InputError("holds no set.000", folder)
    return [atoms for part in parts for atoms in _read_set(part, names, kinds, open_ends)]


def _types(folder: Path) -> tuple[list[str], list[int]]:
    """The element of each type, and the type of each atom."""
    try:
        names = (folder / "type_map.raw").read_text(encoding="utf-8").split()
        kinds = [int(word) for word in (folder / "type.raw").read_text(encoding="utf-8").split()]
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read as deepmd/npy: {error}", folder) from error
    strange = [name for name in names if not 1 <= atomic_numbers.get(name, 0) <= LARGEST_NUMBER]
    if strange:
        message = f"names the type {strange[0]!r}, which is no element"
        raise InputError(message, folder / "type_map.raw")
    if not kinds:
        raise InputError("holds no atom", folder / "type.raw")
    _check_types(np.array(kinds), names, folder / "type.raw")
    return names, kinds


def _check_types(kinds: np.ndarray, names: Sequence[str], path: Path) -> None:
    if not 0 <= kinds.min() <= kinds.max() < len(names):
        message = f"holds types that are not 0 to {len(names) - 1}, the lines of type_map.raw"
        raise InputError(message, path)


def _read_set(
    part: Path, names: Sequence[str], kinds: Sequence[int], open_ends: bool
) -> Iterator[Atoms]:
    """The frames of one set; in ``deepmd/npy/mixed`` each has elements of its own."""
    count, atoms = load_numbers(part / "energy.npy").size, len(kinds)
    energies = load_shaped(part / "energy.npy", (count,))
    positions = load_shaped(part / "coord.npy", (count, atoms, 3))
    forces = load_shaped(part / "force.npy", (count, atoms, 3))
    box, virial, mixed = (part / f"{name}.npy" for name in ("box", "virial", MIXED))
    without = open_ends and not box.exists()
    boxes = np.zeros((count, 3, 3)) if without else load_cells(box, count)
    virials = load_shaped(virial, (count, 3, 3)) if virial.exists() else None
    types = np.broadcast_to(np.array(kinds), (count, atoms))
    if mixed.exists():
        types = load_shaped(mixed, (count, atoms))
        if not np.array_equal(types, np.round(types)):
            raise InputError("holds what is no type", mixed)
        _check_types(types, names, mixed)
    for index in range(count):
        symbols = [names[int(kind)] for kind in types[index]]
        place, cell = np.array(positions[index], float), np.array(boxes[index], float)
        frame = Atoms(symbols, place, cell=cell, pbc=not open_ends)
        own = None if virials is None else virials[index]
        set_labels(frame, float(energies[index]), forces[index], own)
        yield frame
