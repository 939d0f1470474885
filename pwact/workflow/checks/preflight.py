"""Checks what a pair of input files asks for, before anything is written.

The configuration has been checked key by key; here engines, structures and data have their say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Union

from pwact.config.init_bulk import InitConfig
from pwact.config.param import LoadedPair
from pwact.config.resources import Resources
from pwact.config.run import RunConfig
from pwact.config.structure_file import StructureFile
from pwact.engines.batch import BatchLabeler
from pwact.engines.explorers import Explorer, Motion, UserInput
from pwact.engines.labelers import Labeler, Purpose
from pwact.engines.ladder import ladder_of
from pwact.engines.unlikely import LooksAtInputs, as_warnings, unlikely_words
from pwact.errors import InputError
from pwact.executors import check_block
from pwact.formats.starts import read_start
from pwact.formats.structure_warnings import warnings
from pwact.geometry import flaw, super_cell
from pwact.workflow.as_begun import as_begun
from pwact.workflow.checks.check_atoms import check_chain_atoms, check_run_atoms
from pwact.workflow.checks.check_data import check_data, check_known
from pwact.workflow.checks.check_held import check_chain_held, check_run_held
from pwact.workflow.checks.check_open import check_chain_open, check_run_open
from pwact.workflow.checks.check_width import refuse_narrow
from pwact.workflow.init_bulk.chain import chain_of
from pwact.workflow.systems import condition, explored
from pwact.workflow.turn import engines_of, judging

if TYPE_CHECKING:
    from ase import Atoms


def preflight(pair: LoadedPair, strict: bool = False) -> list[str]:
    """Raise InputError for what cannot work; return warnings about what may be meant otherwise.

    Nothing is written.

    Parameters
    ----------
    strict
        Whether labels that cannot be right, explored cells that are narrow for the models, and
        unlikely numbers in control files are refused.
    """
    for block in pair.resources.blocks:
        check_block(block)
    config = as_begun(pair.config)
    if isinstance(config, RunConfig):
        return _check_run(config, pair.resources, strict)
    said = _without_effect(pair.config, config)
    said += _check_init_bulk(config, pair.resources, strict)
    said += _not_carried(entry.structure for entry in config.systems)
    return [*_without_data(config), *said]


def _check_run(config: RunConfig, resources: Resources, strict: bool) -> list[str]:
    engines = engines_of(config, resources)
    direct = engines.direct
    said = _check_inputs(config, engines.explorer, strict)
    engines.trainer.validate()
    judging(config, engines.trainer)
    if direct is not None:
        direct.validate()
    found: dict[str, tuple[str, Path]] = {}
    known = set(config.train.atom_type)
    for key, structure in explored(config):
        atoms = _read(structure, config.file, key)
        _check_geometry(atoms, config.dft.min_distance, (structure.path, config.file, key))
        elements = set(atoms.get_chemical_symbols())
        check_known(elements - known, config, key, structure.path)
        for element in elements:
            found.setdefault(element, (key, structure.path))
    labeler = engines.labeler
    ladder_of(labeler, config.dft)
    if isinstance(labeler, BatchLabeler):
        labeler.validate(frozenset(found))
    else:
        labeler.validate(Purpose.SCF, frozenset(found))
    said += check_run_open(config, explored(config))
    said += [*check_run_held(config, engines.explorer), *check_run_atoms(config, labeler)]
    said += _not_carried(structure for _, structure in explored(config))
    said += check_data(config, found, strict)
    if strict:
        refuse_narrow(config)
    return said


def _not_carried(structures: Iterable[StructureFile]) -> list[str]:
    """What structure files say of moments, charges and fixed atoms, which nothing carries along."""
    said = (
        f"{structure.path}: {words}"
        for structure in structures
        for words in warnings(structure.path, structure.format)
    )
    return list(dict.fromkeys(said))


def _check_inputs(config: RunConfig, explorer: Explorer, strict: bool) -> list[str]:
    """Every condition, and every LAMMPS input of the user that some iteration uses, once.

    What is said of numbers in these inputs.
    """
    found: list[InputError] = []
    jobs = [job for jobs in config.explore.md_jobs for job in jobs]
    for job in jobs:
        if job.lmps_in_idx is None:
            _check_motion(config, explorer, condition(job, job.temps[0], (*job.press, None)[0]))
    used = {(index, job.trj_freq) for job in jobs for index in job.lmps_in_idx or ()}
    for index, trj_freq in sorted(used):
        motion = UserInput(config.explore.lmps_in[index], trj_freq)
        _check_motion(config, explorer, motion)
        found += explorer.unlikely_in(motion) if isinstance(explorer, LooksAtInputs) else []
    return as_warnings(found, strict)


def _check_motion(config: RunConfig, explorer: Explorer, motion: Motion) -> None:
    """Errors that name a file name one of the user's; others are about the run itself."""
    try:
        explorer.validate(motion)
    except InputError as error:
        if error.file is None:
            raise InputError(error.message, config.file, error.key) from error
        raise


def _without_data(config: InitConfig) -> list[str]:
    """What is said of entries that ask for no labels: they give structures alone."""
    places = config.without_data
    if not places:
        return []
    if len(places) == len(config.systems):
        return [
            f"{config.file}: sys_configs: no entry asks for aimd, bigmodel or scf, so init_bulk "
            "makes structures and no labelled data"
        ]
    named = ", ".join(f"sys_configs[{place}]" for place in places)
    return [
        f"{config.file}: {named}: asks for no aimd, bigmodel or scf, so it gives structures and no "
        "labelled data"
    ]


def _without_effect(given: Union[RunConfig, InitConfig], begun: InitConfig) -> list[str]:
    """What is said where scf labels no structures, as when this campaign was begun."""
    assert isinstance(given, InitConfig)
    return [
        f"{given.file}: sys_configs[{one.index}].scf: it has no effect without aimd or bigmodel, "
        "as in the version that began this campaign; in another work_dir it labels the structures"
        for one, other in zip(given.systems, begun.systems)
        if one.scf and not other.scf
    ]


def _check_init_bulk(config: InitConfig, resources: Resources, strict: bool) -> list[str]:
    chain = chain_of(config, resources)
    if chain.direct is not None:
        chain.direct.validate()
    steps: tuple[tuple[Mapping[int, Labeler], Purpose], ...] = (
        (chain.relax, Purpose.RELAX),
        (chain.aimd, Purpose.AIMD),
        (chain.bigmodel, Purpose.AIMD),
        (chain.scf, Purpose.SCF),
    )
    for number, entry in enumerate(config.systems):
        key = f"sys_configs[{number}].config"
        atoms = _read(entry.structure, config.file, key)
        elements = frozenset(atoms.get_chemical_symbols())
        where = (entry.structure.path, config.file, key)
        if entry.relax:
            _check_geometry(atoms, config.aimd.min_distance, where)
        if entry.super_cell is not None:
            atoms = super_cell(atoms, entry.super_cell, entry.pbc)
        if entry.perturb or entry.has_md or entry.scf:
            _check_geometry(atoms, config.aimd.min_distance, where)
        for labelers, purpose in steps:
            if number in labelers:
                labelers[number].validate(purpose, elements)
    for labeler in chain.scf.values():
        ladder_of(labeler, config.scf)
    if config.scf.retry and not chain.scf:
        raise InputError("it is for labels by scf, and no entry asks for it", config.file, "retry")
    return [
        *(one for each, why in steps for one in unlikely_words(each.values(), why, strict)),
        *check_chain_open(config, chain),
        *check_chain_held(config, chain),
        *check_chain_atoms(config, chain),
    ]


def _check_geometry(atoms: Atoms, closest: float, where: tuple[Path, Path, str]) -> None:
    """Refuse what no code can calculate; `where` is the structure, the input file and the key."""
    path, file, key = where
    if problem := flaw(atoms, closest):
        raise InputError(f"{path}: {problem}", file, key)


def _read(structure: StructureFile, file: Path, key: str) -> Atoms:
    """The structure, whose cell must have a volume."""
    try:
        atoms = read_start(structure.path, structure.format, structure.fix_atoms)
    except InputError as error:
        raise InputError(str(error), file, key) from error
    if not atoms.cell.volume > 0:
        raise InputError(f"{structure.path}: the cell has no volume", file, key)
    return atoms
