"""Data sets of DeePMD-kit (``deepmd/npy``), one folder a composition.

Each folder holds ``type.raw`` (the type of each atom), ``type_map.raw`` (the symbol of each type)
and ``set.000/{box,coord,energy,force[,virial]}.npy`` in Å, eV, eV/Å; the virial is in eV for the
whole cell with the sign of `pwact.formats.labels`. A file ``nopbc`` in a folder says that its
frames are open along all axes; they need no box then. With ``set.*/real_atom_types.npy``
(``deepmd/npy/mixed``) each frame has its own elements, and ``type.raw`` only counts atoms.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, chemical_symbols

from pwact.errors import InputError, TaskError
from pwact.formats.data_format import FolderFormat, ReadWarnings
from pwact.formats.extxyz_labels import LabelNames
from pwact.formats.frames import composition_name, ordered, reordered
from pwact.formats.labels import labels_of, set_labels
from pwact.formats.type_names import OPTION, TypeNames
from pwact.geometry import right_handed
from pwact.io import files
from pwact.io.arrays import (
    FLOAT,
    INTEGER,
    LARGEST_NUMBER,
    begun_array,
    load_cells,
    load_numbers,
    load_shaped,
    say_unread,
)
from pwact.registry.formats import PWACT

logger = logging.getLogger(__name__)
TYPES = "type.raw"
TYPE_MAP = "type_map.raw"
NO_PBC = "nopbc"
HALF_OPEN = "a frame is periodic along some axes only, which deepmd/npy cannot say"
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
        if half_open(atoms):
            raise TaskError(HALF_OPEN)
        missing = sorted(set(atoms.get_chemical_symbols()) - set(type_map))
        if missing:
            raise TaskError(f"{', '.join(missing)} not in the type map ({', '.join(type_map)})")
        kinds = [type_map.index(symbol) for symbol in atoms.get_chemical_symbols()]
        sorted_by_type = reordered(atoms, np.argsort(kinds, kind="stable"))
        name = composition_name(atoms) + ("" if atoms.pbc.all() else f"_{NO_PBC}")
        groups.setdefault(name, []).append(sorted_by_type)
    for name, group in groups.items():
        files.remove(directory / name)
        write_one(directory / name, group, type_map)
    return [directory / name for name in groups]


def half_open(atoms: Atoms) -> bool:
    """Whether a frame is periodic along some axes only."""
    return bool(atoms.pbc.any() and not atoms.pbc.all())


def write_one(
    directory: Path, frames: Collection[Atoms], type_map: Sequence[str], mixed: bool = False
) -> None:
    """Write frames into a new folder, one by one.

    Parameters
    ----------
    frames
        With one number of atoms, all periodic or all open, all with a cell or all without; unless
        `mixed` with the same elements in the same order. They are asked for twice.
    type_map
        Element symbol of type 0, 1, …
    """
    first = next(iter(frames))
    (directory / "set.000").mkdir(parents=True)
    count, atoms = len(frames), len(first)
    shapes = {"coord": 3 * atoms, "force": 3 * atoms, "virial": 9, "energy": 0}
    if first.cell.rank == 3:
        shapes["box"] = 9
    with contextlib.ExitStack() as stack:
        streams = {
            name: begun_array(stack, _array(directory, name), (count, width) if width else (count,))
            for name, width in shapes.items()
        }
        if mixed:
            streams[MIXED] = begun_array(stack, _array(directory, MIXED), (count, atoms), INTEGER)
        with_virial = sum(_write_frame(streams, frame, type_map) for frame in frames)
    if with_virial < count:
        _array(directory, "virial").unlink()
    kinds = [0] * atoms if mixed else [type_map.index(s) for s in first.get_chemical_symbols()]
    files.write_text(directory / TYPE_MAP, "\n".join(type_map) + "\n")
    files.write_text(directory / TYPES, "\n".join(map(str, kinds)) + "\n")
    if not first.pbc.any():
        files.write_text(directory / NO_PBC, "")


def _array(directory: Path, name: str) -> Path:
    return directory / "set.000" / f"{name}.npy"


def _write_frame(streams: Mapping[str, BinaryIO], frame: Atoms, type_map: Sequence[str]) -> bool:
    """Append a frame; whether it has a virial."""
    labels = labels_of(frame)
    rows = {
        "box": right_handed(frame.cell.array),  # in others DeePMD by PyTorch finds no images
        "coord": frame.positions,
        "energy": np.array(labels.energy),
        "force": labels.forces,
        "virial": np.zeros(9) if labels.virial is None else labels.virial,
    }
    for name, row in rows.items():
        if name in streams:
            streams[name].write(row.astype(FLOAT, order="C").tobytes())
    if MIXED in streams:
        kinds = np.array([type_map.index(symbol) for symbol in frame.get_chemical_symbols()])
        streams[MIXED].write(kinds.astype(INTEGER).tobytes())
    return labels.virial is not None


def read_deepmd(directory: Path) -> list[Atoms]:
    """Read the frames of all folders below a directory, itself included.

    Raises
    ------
    InputError
        There is none, or a file is missing or does not fit the others.
    """
    try:
        places = DeepmdNpy().find(directory)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", Path(error.filename)) from error
    if not places:
        raise InputError("holds no deepmd/npy data", directory)
    return [atoms for place in places for atoms in iterate_deepmd(place)]


def iterate_deepmd(folder: Path, types: TypeNames = ()) -> Iterator[Atoms]:
    """Yield the frames of one folder; see `read_deepmd`.

    Parameters
    ----------
    types
        Which element a type is whose name in ``type_map.raw`` is none; without that file the
        names are 0, 1, …
    """
    names, kinds = _types(folder, dict(types))
    open_ends = (folder / NO_PBC).exists()
    parts = sorted(folder.glob("set.*"))
    if not parts and (folder / "coord.raw").exists():
        words = "holds coord.raw, but no set.000; make it by dpdata or DeePMD-kit's raw_to_set.sh"
        raise InputError(words, folder)
    if not parts:
        raise InputError("holds no set.000", folder)
    say_unread(parts, ("box", "coord", "energy", "force", "virial", MIXED))
    for part in parts:
        yield from _read_set(part, names, kinds, open_ends)


def _types(folder: Path, said: Mapping[str, str]) -> tuple[list[str], list[int]]:
    """The element of each type, and the type of each atom."""
    try:
        kinds = [int(word) for word in (folder / TYPES).read_text(encoding="utf-8").split()]
        listed = _type_map(folder, said)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read as deepmd/npy: {error}", folder) from error
    names = [said.get(name, name) for name in listed]
    strange = [name for name in names if not 1 <= atomic_numbers.get(name, 0) <= LARGEST_NUMBER]
    if strange:
        message = (
            f"names the type {strange[0]!r}, which is no element; say which one it is, "
            f"{OPTION} {strange[0]}=Cu for instance"
        )
        raise InputError(message, folder / TYPE_MAP)
    others = [name for name in listed if name not in said]
    if said and others:
        words = "%s: %s names no %s, so they count as elements"
        logger.warning(words, folder / TYPE_MAP, OPTION, ", ".join(others))
    if not kinds:
        raise InputError("holds no atom", folder / TYPES)
    _check_types(np.array(kinds), names, folder / TYPES)
    return names, kinds


def _type_map(folder: Path, said: Mapping[str, str]) -> list[str]:
    """The names of the types, in order."""
    if (folder / TYPE_MAP).exists():
        return (folder / TYPE_MAP).read_text(encoding="utf-8").split()
    numbers = [str(number) for number in range(len(said))]
    if not said or set(numbers) != set(said):
        message = f"there is no {TYPE_MAP}; say the element of each type, {OPTION} 0=Cu,1=O"
        raise InputError(message, folder)
    return numbers


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


class DeepmdNpy(FolderFormat):
    """``deepmd/npy``: a folder a composition. Mixed ones are read as well."""

    mark = TYPES
    endings = (".npy", ".raw", NO_PBC)

    def iterate(self, place: Path) -> Iterator[Atoms]:
        """Yield the frames of one folder."""
        return iterate_deepmd(place)

    def read(self, path: Path, warnings: ReadWarnings, names: LabelNames) -> Iterator[Atoms]:
        """Yield the frames of all folders, with the elements of types that the user names."""
        del warnings
        for place in self.find(path):
            yield from iterate_deepmd(place, names.types)

    def fit(self, atoms: Atoms) -> Atoms:
        """The frame with its atoms by ascending Z."""
        _check(atoms)
        return ordered(atoms)

    def group(self, atoms: Atoms) -> str:
        """The composition, and whether there are boundaries and a cell."""
        return composition_name(atoms) + _boundaries(atoms)

    def write_one(self, path: Path, frames: Collection[Atoms], names: str = PWACT) -> None:
        """Write a new folder."""
        del names
        elements = sorted(set(next(iter(frames)).numbers.tolist()))
        write_one(path, frames, [chemical_symbols[number] for number in elements])


class DeepmdMixed(DeepmdNpy):
    """``deepmd/npy/mixed``: a folder for all frames with one number of atoms."""

    def fit(self, atoms: Atoms) -> Atoms:
        """The frame as it is."""
        _check(atoms)
        return atoms

    def group(self, atoms: Atoms) -> str:
        """The number of atoms, and whether there are boundaries and a cell."""
        return f"{len(atoms)}{_boundaries(atoms)}"

    def write_one(self, path: Path, frames: Collection[Atoms], names: str = PWACT) -> None:
        """Write a new folder."""
        del names
        elements = sorted({number for frame in frames for number in set(frame.numbers.tolist())})
        write_one(path, frames, [chemical_symbols[number] for number in elements], mixed=True)


def _check(atoms: Atoms) -> None:
    if half_open(atoms):
        raise InputError(f"{HALF_OPEN}; extxyz can")
    if atoms.pbc.all() and atoms.cell.rank < 3:
        raise InputError("it has no cell, which deepmd/npy needs; extxyz does not")


def _boundaries(atoms: Atoms) -> str:
    return ("" if atoms.pbc.all() else f"_{NO_PBC}") + ("" if atoms.cell.rank == 3 else "_nobox")
