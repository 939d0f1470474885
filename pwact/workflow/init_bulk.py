"""The chain that makes a first data set: relax, super cell, scale, perturb, AIMD, collection."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

from pwact import layout
from pwact.config.init_bulk import InitConfig
from pwact.config.init_entry import SystemEntry
from pwact.config.labeling import LabelConfig
from pwact.config.resources import Resources
from pwact.engines import intermediate_files, labeler_for
from pwact.engines.base import Labeler, Purpose
from pwact.io import files
from pwact.workflow.campaign import Campaign
from pwact.workflow.ledger import StageState
from pwact.workflow.stage import Stage
from pwact.workflow.stages.collect import AimdStage, CollectStage
from pwact.workflow.stages.prepare import link_inside, needed
from pwact.workflow.stages.structures import (
    PerturbStage,
    Places,
    RelaxStage,
    SuperCellScaleStage,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class InitResult:
    """What a finished chain leaves.

    Attributes
    ----------
    data_sets
        Data set of each entry that had AIMD, below `collection`.
    """

    collection: Path
    data_sets: list[Path]


@dataclass(frozen=True)
class Chain:
    """Engines and places of one chain.

    Attributes
    ----------
    relax, aimd
        Index of an input file → its labeler, for the inputs that are used.
    """

    config: InitConfig
    resources: Resources
    places: Places
    relax: Mapping[int, Labeler]
    aimd: Mapping[int, Labeler]


def chain_of(config: InitConfig, resources: Resources) -> Chain:
    """The engines that the input names.

    Raises
    ------
    InputError
        When an engine is not available or a block of the resource file is missing.
    """

    def labelers(
        label: LabelConfig, entries: list[SystemEntry], index: Callable[[SystemEntry], int]
    ) -> dict[int, Labeler]:
        if not entries:
            return {}
        block = needed(resources.dft, resources, "DFT")
        return {number: labeler_for(label, number, block) for number in set(map(index, entries))}

    systems = config.systems
    format_name, postfix = intermediate_files(config.relax)
    return Chain(
        config,
        resources,
        Places(config.work_dir / layout.TEMP_INIT, postfix, format_name),
        labelers(config.relax, [e for e in systems if e.relax], lambda e: e.relax_input_idx),
        labelers(config.aimd, [e for e in systems if e.aimd], lambda e: e.aimd_input_idx),
    )


def run_init_bulk(config: InitConfig, resources: Resources, campaign: Campaign) -> InitResult:
    """Do every step that is not done yet, and leave ``collection/``."""
    chain = chain_of(config, resources)
    temp, work_dir = chain.places.temp, config.work_dir
    trash = temp.with_name(f".{temp.name}.trash")
    files.remove(trash)
    if temp.exists() or not campaign.finished(collection_of(chain, campaign)):
        for stage in stages_of(chain):
            _link(work_dir, stage)
            campaign.run(stage)
    report = campaign.run(collection_of(chain, campaign))
    for name in layout.LINKED_WHILE_RUNNING:
        if (work_dir / name).is_symlink():
            files.remove(work_dir / name)
    if not config.reserve_work and temp.exists():
        temp.rename(trash)  # a half-deleted tree would look like damage after a kill
        files.remove(trash)
    data_sets = [work_dir / name for name in report["data_sets"]]
    return InitResult(work_dir / layout.COLLECTION, data_sets)


def stages_of(chain: Chain) -> list[Stage]:
    """The steps before the collection that any entry asks for."""
    config, places, systems = chain.config, chain.places, chain.config.systems
    stages: list[Stage] = []
    if chain.relax:
        block = needed(chain.resources.dft, chain.resources, "DFT")
        stages.append(RelaxStage(config, places, chain.relax, block))
    if any(entry.super_cell is not None or entry.scale for entry in systems):
        stages.append(SuperCellScaleStage(config, places))
    if any(entry.perturb for entry in systems):
        stages.append(PerturbStage(config, places))
    if chain.aimd:
        block = needed(chain.resources.dft, chain.resources, "DFT")
        stages.append(AimdStage(config, places, chain.aimd, block))
    return stages


def collection_of(chain: Chain, campaign: Campaign) -> CollectStage:
    """The last step, which knows the others from the journal: their files may be gone."""
    known = campaign.stages()
    made: dict[str, Mapping[str, str]] = {}
    trajectories: list[Mapping[str, Any]] = []
    for stage in stages_of(chain):
        state = known.get(stage.name, StageState(stage.name))
        made[stage.name] = state.files
        trajectories += state.report.get("trajectories", ())
    settings = {
        layout.init_config(entry.index): _asked(chain, entry) for entry in chain.config.systems
    }
    return CollectStage(chain.config, chain.places, chain.aimd, settings, made, trajectories)


def _asked(chain: Chain, entry: SystemEntry) -> dict[str, Any]:
    """What the user asks of one entry: so a change shows when all files in between are gone."""
    asked: dict[str, Any] = {
        "structure": files.tree_hash(entry.structure.path),
        "format": entry.structure.format,
        "super_cell": entry.super_cell,
        "scale": [factor.text for factor in entry.scale],
        "perturb": entry.perturb,
    }
    if entry.perturb:
        asked["cell_pert_fraction"] = entry.cell_pert_fraction
        asked["atom_pert_distance"] = entry.atom_pert_distance
        asked["perturb_style"] = chain.config.perturb_style
    if entry.relax:
        asked["relax"] = chain.relax[entry.relax_input_idx].fingerprint(Purpose.RELAX)
    if entry.aimd:
        asked["aimd"] = chain.aimd[entry.aimd_input_idx].fingerprint(Purpose.AIMD)
    return asked


def _link(work_dir: Path, stage: Stage) -> None:
    """Show a step's directory in the work directory while the chain runs."""
    if stage.name in layout.LINKED_WHILE_RUNNING:
        link_inside(stage.directory, work_dir / stage.name)
