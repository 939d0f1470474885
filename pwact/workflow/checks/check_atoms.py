"""Checks that what belongs to the atoms of structures reaches the programs that label them.

What reaches them is in_words, kind of atom by kind of atom, before anything is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from pwact import layout
from pwact.atom_properties import (
    CARRIED,
    CHARGES,
    MOMENTS,
    PROPERTIES,
    SETTING,
    drop,
    in_words,
    properties_of,
)
from pwact.config.init_bulk import InitConfig
from pwact.config.labeling import LabelConfig
from pwact.config.run import RunConfig
from pwact.config.structure_file import StructureFile
from pwact.engines.assignment import Assigner
from pwact.engines.lammps.identity import changes_atoms
from pwact.errors import InputError
from pwact.formats.structures import read_structure
from pwact.registry.formats import FORMATS
from pwact.workflow.init_bulk.chain import Chain
from pwact.workflow.systems import all_systems
from pwact.workflow.tasks.origin import assigned, by_element, times_of, words_for

if TYPE_CHECKING:
    from ase import Atoms


def check_chain_atoms(config: InitConfig, chain: Chain) -> list[str]:
    """What the programs of a chain are given of the atoms, one line a structure and program.

    Raises
    ------
    InputError
        A program cannot be given what a structure has.
    """
    said: dict[str, list[str]] = {}
    lost: dict[str, None] = {}
    steps: tuple[tuple[str, Mapping[int, Assigner], Optional[LabelConfig]], ...] = (
        (layout.RELAX, chain.relax, config.relax),
        (layout.AIMD, chain.aimd, config.aimd),
        (layout.BIGMODEL, chain.bigmodel, None),
        (layout.SCF, chain.scf, config.scf),
    )
    for number, entry in enumerate(config.systems):
        for word, labelers, label in steps:
            if number not in labelers:
                continue
            moving, times = word != layout.SCF, times_of(entry)
            atoms = assigned(labelers[number], label, entry.structure, times, moving)
            if words := in_words(atoms):
                line = f"{entry.structure.path}: {{}} gets {words}"
                said.setdefault(line, []).append(word)
                lost.update(dict.fromkeys(_not_in_data(entry.structure, atoms, config.data_format)))
    lines = [line.format(", ".join(words)) for line, words in said.items()]
    return [*lines, *lost, *_without_word(config, chain)]


def _not_in_data(structure: StructureFile, atoms: Atoms, data_format: str) -> list[str]:
    """What the labels depend on, and the data sets of a campaign cannot say: a line, or none."""
    names = [PROPERTIES[name].words for name in properties_of(atoms) if name in CARRIED]
    if FORMATS[data_format].moments or not names:
        return []
    return [
        f"{structure.path}: data of the format {data_format} hold no {' or '.join(names)} "
        "(extxyz does), so models see frames that differ in these alone as one"
    ]


def _without_word(config: InitConfig, chain: Chain) -> list[str]:
    """What scripts of the user do not get, though a structure has it."""
    found = []
    for number, entry in enumerate(config.systems):
        if number in chain.bigmodel and not config.scf.bare_atoms:
            atoms = read_structure(entry.structure.path, entry.structure.format)
            drop(atoms, but=(MOMENTS, CHARGES))
            if words := words_for(atoms):
                found.append(
                    f"{entry.structure.path}: the script of bigmodel gets a POSCAR, which says "
                    f"nothing of its {' and '.join(words)}"
                )
    return found


def check_run_atoms(config: RunConfig, labeler: Assigner) -> list[str]:
    """What the labeler of a run is given of the atoms, one line a structure.

    Raises
    ------
    InputError
        It cannot be given what a structure has, or it would not be known which atom of an explored
        frame has what, or a list by species means two things.
    """
    said = []
    found: list[tuple[StructureFile, Atoms]] = []
    for structure, inputs in _explored(config):
        atoms = assigned(labeler, config.dft, structure, moving=False)
        if not properties_of(atoms):
            continue
        found.append((structure, atoms))
        said.append(f"{structure.path}: its labels get {in_words(atoms)}")
        said += _not_in_data(structure, atoms, config.data_format)
        for path in inputs if not by_element(atoms) else ():
            if command := changes_atoms(path):
                raise InputError(
                    f"{command} changes which atom is which, and atoms of one element of "
                    f"{structure.path} differ in {', '.join(words_for(atoms))}: take it out, or "
                    "give all atoms of an element the same",
                    config.file,
                    "explore.lmps_in",
                )
    _check_alike(found, config)
    return said


def _explored(config: RunConfig) -> Iterable[tuple[StructureFile, tuple[Path, ...]]]:
    """Every structure that some iteration explores, with the LAMMPS inputs of the user for it."""
    inputs: dict[StructureFile, dict[Path, None]] = {}
    for system in all_systems(config):
        mine = inputs.setdefault(system.structure, {})
        if system.lammps is not None:
            mine[system.lammps[1]] = None
    return [(structure, tuple(paths)) for structure, paths in inputs.items()]


def _check_alike(found: Iterable[tuple[StructureFile, Atoms]], config: RunConfig) -> None:
    """Refuse lists by species that give one element other values in another structure."""
    first: dict[tuple[str, str], tuple[set[str], Path]] = {}
    for structure, atoms in found:
        for name, values in properties_of(atoms).items():
            if not name.startswith(SETTING):
                continue
            for symbol in sorted(set(atoms.get_chemical_symbols())):
                mine = set(values[atoms.symbols == symbol].tolist())
                there, path = first.setdefault((name, symbol), (mine, structure.path))
                if mine != there:
                    raise InputError(
                        f"{name[len(SETTING) :]} means {symbol} {' '.join(sorted(there))} in "
                        f"{path}, and {symbol} {' '.join(sorted(mine))} in {structure.path}: its "
                        "values stand in the order of the species of each structure file; give "
                        "these one order",
                        config.file,
                        "explore.sys_configs",
                    )
