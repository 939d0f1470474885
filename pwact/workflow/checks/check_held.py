"""Checks that atoms which a structure holds are held in relaxations and MD, or says that not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Optional

import numpy as np

from pwact import layout
from pwact.config.init_bulk import InitConfig
from pwact.config.init_entry import SystemEntry
from pwact.config.labeling import LabelConfig
from pwact.config.run import RunConfig
from pwact.config.structure_file import StructureFile
from pwact.engines.explorers import Explorer, Motion
from pwact.engines.labelers import Labeler
from pwact.errors import InputError
from pwact.fixed_atoms import any_fixed, held, held_in_part
from pwact.formats.starts import read_start
from pwact.geometry import perturb
from pwact.workflow.init_bulk.chain import Chain
from pwact.workflow.systems import all_systems
from pwact.workflow.tasks.origin import unperturbed

if TYPE_CHECKING:
    from ase import Atoms

_AS_BEGUN = (
    "it holds atoms, which move here: version 0.5.0, which began this campaign, did not hold them"
)


def check_chain_held(config: InitConfig, chain: Chain) -> list[str]:
    """Warnings of atoms that are not held in a chain.

    Raises
    ------
    InputError
        A program cannot hold them, or its AIMD gives no labels then.
    """
    said: list[str] = []
    steps: tuple[tuple[str, Mapping[int, Labeler], Optional[LabelConfig]], ...] = (
        (layout.RELAX, chain.relax, config.relax),
        (layout.AIMD, chain.aimd, config.aimd),
        (layout.BIGMODEL, chain.bigmodel, None),
    )
    for word, labelers, label in steps:
        for entry in config.systems:
            if entry.index not in labelers or not any_fixed(_read(entry.structure)):
                continue
            if config.relax.bare_atoms:
                said.append(f"{entry.structure.path}: {_AS_BEGUN}")
                continue
            labeler = labelers[entry.index]
            where = (config, entry)
            for atoms in _made(entry, word, unperturbed(labeler, label, entry)):
                said += _asked(labeler, atoms, where)
            if word == layout.AIMD and not (labeler.forces_on_held or config.relabelled(entry)):
                raise InputError(
                    f"{entry.structure.path} holds atoms, on which the MD of aimd_input gives "
                    "forces of 0: its frames are no labels; expected true, so that they are "
                    "labelled by scf_input, or fix_atoms: false",
                    config.file,
                    f"sys_configs[{entry.index}].scf",
                )
    return list(dict.fromkeys(said))


def _read(structure: StructureFile) -> Atoms:
    return read_start(structure.path, structure.format, structure.fix_atoms)


def _made(entry: SystemEntry, word: str, atoms: Atoms) -> Iterator[Atoms]:
    """What a step works on: the structure, and one whose cell is strained as a distorted one."""
    yield _read(entry.structure)
    yield atoms
    if word != layout.RELAX and entry.perturb and entry.cell_pert_fraction:
        yield perturb(atoms, entry.cell_pert_fraction, 0.0, np.random.default_rng(0))


def _asked(labeler: Labeler, atoms: Atoms, where: tuple[InitConfig, SystemEntry]) -> list[str]:
    config, entry = where
    try:
        words = labeler.check_held(atoms) if any_fixed(atoms) else ""
    except InputError as error:
        if error.file is not None:
            raise
        key = f"sys_configs[{entry.index}].config"
        raise InputError(f"{entry.structure.path}: {error.message}", config.file, key) from error
    return [f"{entry.structure.path}: {words}"] if words else []


def check_run_held(config: RunConfig, explorer: Explorer) -> list[str]:
    """Warnings of atoms that are held in explored MD, or are not.

    Raises
    ------
    InputError
        An MD cannot hold them.
    """
    said: list[str] = []
    for structure, motions in _explored(config).items():
        atoms = _read(structure)
        if not any_fixed(atoms):
            continue
        if config.dft.bare_atoms:
            said.append(f"{structure.path}: {_AS_BEGUN}")
            continue
        for motion in motions:
            try:
                words = explorer.check_held(atoms, motion)
            except InputError as error:
                message = f"{structure.path}: {error.message}"
                raise InputError(message, config.file, "explore.sys_configs") from error
            number = len(held(atoms)) + len(held_in_part(atoms))
            words = words or f"{number} of {len(atoms)} atoms are held in explored MD"
            said.append(f"{structure.path}: {words}")
    return list(dict.fromkeys(said))


def _explored(config: RunConfig) -> Mapping[StructureFile, list[Motion]]:
    """Every structure that some iteration explores, and how."""
    found: dict[StructureFile, list[Motion]] = {}
    for system in all_systems(config):
        found.setdefault(system.structure, []).extend(run.motion for run in system.runs())
    return found
