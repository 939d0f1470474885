"""Single structures in any format, by the names that PWact's input files use.

PWmat, VASP, CP2K, LAMMPS and extxyz files are read here, every other format through ASE, by its own
name. A structure has elements, positions, a cell, and what belongs to its atoms
(`pwact.atom_properties`); its velocities and labels are left out.
"""

from __future__ import annotations

import difflib
from collections import deque
from pathlib import Path
from typing import Callable

import ase.io
import numpy as np
from ase import Atoms
from ase.io.formats import ioformats

from pwact.atom_properties import GROUPS, hand_on
from pwact.errors import InputError, TaskError
from pwact.formats.atom_config import read_atom_config, write_atom_config
from pwact.formats.cp2k_trajectory import read_cp2k_md, read_cp2k_scf
from pwact.formats.extxyz import iterate_extxyz, write_extxyz
from pwact.formats.lammps_data import read_lammps_data, write_lammps_data
from pwact.formats.lammps_dump import refuse_unclear
from pwact.formats.movement import last_frame
from pwact.formats.moving import take_constraints
from pwact.formats.outcar import last_ionic_step
from pwact.formats.poscar import read_poscar, write_poscar
from pwact.formats.sites import check_sites, check_source, remedy
from pwact.formats.structure_guess import by_content
from pwact.io import files
from pwact.io.arrays import are_usable
from pwact.io.texts import read_text


def _last_extxyz(path: Path) -> Atoms:
    last = deque(iterate_extxyz(path, properties=True), maxlen=1)
    if not last:
        raise InputError("holds no frame", path)
    return last[0]


def _write_extxyz(path: Path, atoms: Atoms) -> None:
    write_extxyz(path, [atoms])


def _write_lammps(path: Path, atoms: Atoms) -> None:
    write_lammps_data(path, atoms, list(dict.fromkeys(atoms.get_chemical_symbols())))


_OWN: dict[str, tuple[Callable[[Path], Atoms], Callable[[Path, Atoms], None]]] = {
    "pwmat/config": (read_atom_config, write_atom_config),
    "vasp/poscar": (read_poscar, write_poscar),
    "lammps/lmp": (read_lammps_data, _write_lammps),
    "extxyz": (_last_extxyz, _write_extxyz),
}
_OUTPUTS: dict[str, Callable[[Path], Atoms]] = {
    "pwmat/movement": last_frame,
    "vasp/outcar": last_ionic_step,
    "cp2k/scf": read_cp2k_scf,
    "cp2k/md": read_cp2k_md,
}
_ALIASES = {
    "pwmat": "pwmat/config",
    "config": "pwmat/config",
    "vasp": "vasp/poscar",
    "poscar": "vasp/poscar",
    "vasp/contcar": "vasp/poscar",
    "contcar": "vasp/poscar",
    "lmp": "lammps/lmp",
    "lammps/data": "lammps/lmp",
    "lammps-data": "lammps/lmp",
    "movement": "pwmat/movement",
    "outcar": "vasp/outcar",
}

_DUMPS = frozenset({"lammps-dump-text", "lammps-dump-binary"})
# formats whose files say along which axes they are periodic; others with a cell are so along all
_SAY_PERIODIC = _DUMPS | {"extxyz", "traj", "json", "db", "bundletrajectory", "netcdftrajectory"}
_ONE = frozenset({"cif"})  # whose structures do not follow each other


def structure_formats() -> tuple[str, ...]:
    """Names of the formats that do not go through ASE."""
    return (*_OWN, *_OUTPUTS)


def check_format_name(name: str) -> str:
    """Canonical form of a format name, which may be one of ASE's.

    Raises
    ------
    InputError
        Nobody knows the name; tells the nearest.
    """
    lower = name.lower()
    lower = _ALIASES.get(lower, lower)
    known = structure_formats()
    if lower in known:
        return lower
    if lower in ioformats:
        return lower
    near = difflib.get_close_matches(lower, [*known, *_ALIASES, *ioformats], 1)
    hint = f"; did you mean {near[0]}? Known" if near else "; known"
    raise InputError(f"unknown structure format {name!r}{hint}: {', '.join(known)}, ASE's")


def read_structure(path: Path, structure_format: str) -> Atoms:
    """Read a structure; of a file with several, the last.

    It is open along an axis (``pbc`` F) where its file says so, else periodic.

    Raises
    ------
    InputError
        The format is not known or the file cannot be read; names the file.
    """
    name = check_format_name(structure_format)
    if problem := files.unreadable(path):
        raise InputError(problem, path)
    try:
        atoms = _read(path, name)
        if not len(atoms) or not are_usable(np.vstack([atoms.positions, atoms.cell.array])):
            raise InputError(f"holds no structure in format {name}", path)
    except InputError as error:
        if (likely := by_content(path)) in {"", name} or error.file != path:
            raise
        message = f"{error.message}; it begins like {likely}: is that its format?"
        raise InputError(message, path) from error
    return plain(atoms, name)


def plain(atoms: Atoms, name: str) -> Atoms:
    """A structure as all have it, of one that was read in format `name`.

    It is open along an axis where its file says so; velocities and labels are left out.
    """
    said = name in _SAY_PERIODIC or atoms.cell.rank < 3
    pbc = atoms.pbc if said else True
    made = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell.array, pbc=pbc)
    if GROUPS in atoms.arrays:
        made.set_array(GROUPS, atoms.arrays[GROUPS])
    return hand_on(atoms, made)


def _read(path: Path, name: str) -> Atoms:
    if name in _OWN:
        return _OWN[name][0](path)
    if name in _OUTPUTS:
        try:
            return _OUTPUTS[name](path)
        except TaskError as error:
            raise InputError(f"cannot be read in format {name}: {error}", path) from error
    found = read_by_ase(path, name, slice(None) if name in _ONE else slice(-1, None))
    if len(found) > 1:
        raise InputError(f"holds {len(found)} structures; keep the one that is meant", path)
    return found[-1]


def read_by_ase(path: Path, name: str, index: slice) -> list[Atoms]:
    """Structures of a file in one of ASE's formats, at least one.

    Raises
    ------
    InputError
        It cannot be read, or holds no structure, or one whose sites or atoms are not clear.
    """
    _check_elements_are_named(path, name)
    try:  # Au@Ag.cif is a name
        found = ase.io.read(str(path), index=index, format=name, do_not_split_by_at_sign=True)
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 - other people's readers raise anything
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        words = f"cannot be read in format {name}: {reason}{remedy(error)}"
        raise InputError(words, path) from error
    if not found:
        raise InputError(f"holds no structure in format {name}", path)
    check_source(path, name, found)
    for atoms in found:
        check_sites(atoms, path)
        try:
            take_constraints(atoms)
        except ValueError as error:
            raise InputError(str(error), path) from error
    return list(found)


def _check_elements_are_named(path: Path, name: str) -> None:
    """A dump of LAMMPS without elements has types, which ASE would take for atomic numbers."""
    if name not in _DUMPS:
        return
    try:
        refuse_unclear(read_text(path))
    except ValueError as error:
        raise InputError(str(error), path) from error


def write_structure(path: Path, atoms: Atoms, structure_format: str) -> None:
    """Write one structure in one step.

    Raises
    ------
    InputError
        The format is not known, or is one that cannot be written.
    """
    name = check_format_name(structure_format)
    if name in _OWN:
        bare = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        _OWN[name][1](path, hand_on(atoms, bare))
        return
    if name in _OUTPUTS:
        raise InputError(f"structures are not written in format {name}", path)
    with files.replacing(path) as aside:
        ase.io.write(str(aside), atoms, format=name)
