"""The steps of an init_bulk: engines, places, and what each works on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Optional

from pwact import layout
from pwact.config.init_bulk import InitConfig
from pwact.config.init_entry import SystemEntry
from pwact.config.labeling import LabelConfig
from pwact.config.resources import ResourceBlock, Resources
from pwact.engines import intermediate_files, labeler_for
from pwact.engines.labelers import Labeler, Purpose
from pwact.engines.ladder import fingerprint_of
from pwact.engines.scripts.direct import DirectScript
from pwact.engines.scripts.md import SELECTED, MdScript
from pwact.io import files
from pwact.workflow.init_bulk.collect import CollectStage
from pwact.workflow.init_bulk.direct import DirectStage, Run
from pwact.workflow.init_bulk.md import MdStage
from pwact.workflow.init_bulk.part_campaign import PartCampaign
from pwact.workflow.init_bulk.relabel import Chosen, RelabelStage
from pwact.workflow.init_bulk.structures import (
    PerturbStage,
    Places,
    RelaxStage,
    SuperCellScaleStage,
)
from pwact.workflow.ledger import StageState
from pwact.workflow.opening import counts_once
from pwact.workflow.reports import ChosenReport, LeftOutReport, MdReport
from pwact.workflow.stage import Stage
from pwact.workflow.tasks.prepare import needed


@dataclass(frozen=True)
class Chain:
    """Engines and places of one chain.

    Attributes
    ----------
    relax, aimd, bigmodel, scf
        Place of an entry in sys_configs → the engine of this step, for the entries that ask for it.
    direct
        The script that chooses frames; None if no entry wants it.
    """

    config: InitConfig
    resources: Resources
    places: Places
    relax: Mapping[int, Labeler]
    aimd: Mapping[int, Labeler]
    bigmodel: Mapping[int, MdScript]
    scf: Mapping[int, Labeler]
    direct: Optional[DirectScript]

    @property
    def dft_block(self) -> ResourceBlock:
        """Where relaxations and AIMD run."""
        return needed(self.resources.dft, self.resources, "DFT")

    @property
    def scf_block(self) -> ResourceBlock:
        """Where frames are labelled again."""
        return self.resources.scf or self.dft_block

    @property
    def explore_block(self) -> ResourceBlock:
        """Where the MD scripts run."""
        return needed(self.resources.explore, self.resources, "explore")

    @property
    def direct_block(self) -> ResourceBlock:
        """Where the DIRECT script runs."""
        return needed(self.resources.direct, self.resources, "direct")


def chain_of(config: InitConfig, resources: Resources) -> Chain:
    """The engines that the input names.

    Raises
    ------
    InputError
        When an engine is not available or a block of the resource file is missing.
    """

    def block(name: str) -> ResourceBlock:
        return needed(getattr(resources, name.lower()), resources, name)

    def labelers(
        label: LabelConfig, where: Optional[ResourceBlock], indices: Mapping[int, int]
    ) -> dict[int, Labeler]:
        if not indices:
            return {}
        place = where or block("DFT")
        made = {number: labeler_for(label, number, place) for number in set(indices.values())}
        return {entry: made[number] for entry, number in indices.items()}

    systems = config.systems
    scripts = {
        entry.index: MdScript(config.bigmodel_input[entry.bigmodel_input_idx], block("explore"))
        for entry in systems
        if entry.bigmodel
    }
    filtered = [entry for entry in systems if config.filtered(entry)]
    format_name, postfix = intermediate_files(config.relax)
    return Chain(
        config,
        resources,
        Places(config.work_dir / layout.TEMP_INIT, postfix, format_name, config.relax.bare_atoms),
        labelers(config.relax, None, {e.index: e.relax_input_idx for e in systems if e.relax}),
        labelers(config.aimd, None, {e.index: e.aimd_input_idx for e in systems if e.aimd}),
        scripts,
        labelers(
            config.scf,
            resources.scf,
            {e.index: e.scf_input_idx for e in systems if config.relabelled(e)},
        ),
        DirectScript(
            config.direct_input[filtered[0].direct_input_idx],
            block("direct"),
            labels_needed=not config.relabelled(filtered[0]),
        )
        if filtered
        else None,
    )


def stages_of(chain: Chain, campaign: PartCampaign) -> Iterator[Stage]:
    """The steps before the collection that any entry asks for.

    Take them one by one: what a step works on stands in the journal once those before are done.
    """
    config, places = chain.config, chain.places
    systems = {entry.index: entry for entry in config.systems}
    if chain.relax:
        yield RelaxStage(config, places, chain.relax, chain.dft_block)
    if any(entry.super_cell is not None or entry.scale for entry in config.systems):
        yield SuperCellScaleStage(config, places)
    if any(entry.perturb for entry in config.systems):
        yield PerturbStage(config, places)
    if chain.aimd:
        yield MdStage(config, places, chain.aimd, chain.dft_block, layout.AIMD)
    if chain.bigmodel:
        yield MdStage(config, places, chain.bigmodel, chain.explore_block, layout.BIGMODEL)
    known = campaign.stages()
    runs = runs_of(chain, known)
    filtered = [run for run in runs if config.filtered(systems[run.entry])]
    chosen = None
    if chain.direct is not None and filtered:
        yield DirectStage(places, chain.direct, chain.direct_block, filtered)
        if not chain.direct.labels_needed:  # somebody labels them
            chosen = _chosen(chain, campaign.stages())
    if chain.scf:
        others = [
            run for run in runs if config.relabelled(systems[run.entry]) and run not in filtered
        ]
        once = counts_once(campaign.journal.events(), "init_bulk")
        yield RelabelStage(config, places, chain.scf, chain.scf_block, chosen, others, once)


def runs_of(chain: Chain, known: Mapping[str, StageState]) -> list[Run]:
    """The MD that the journal tells of, AIMD first."""
    made = []
    for name, labelers, interval in (
        (layout.AIMD, chain.aimd, chain.config.interval),
        (layout.BIGMODEL, chain.bigmodel, 1),
    ):
        state = known.get(name, StageState(name))
        for one in MdReport.from_json(state.report).trajectories:
            if one.entry in labelers:
                place = chain.config.work_dir / one.directory
                product = state.files.get(one.directory, "")
                made.append(Run(one.entry, place, labelers[one.entry], product, interval))
    return made


def _chosen(chain: Chain, known: Mapping[str, StageState]) -> Chosen:
    state = known.get(layout.DIRECT, StageState(layout.DIRECT))
    path = chain.places.temp / layout.BIGMODEL / layout.DIRECT / SELECTED
    name = path.relative_to(chain.config.work_dir).as_posix()
    entries = ChosenReport.from_json(state.report).entries
    return Chosen(path, entries, state.files.get(name, ""))


def collection_of(chain: Chain, campaign: PartCampaign) -> CollectStage:
    """The last step, which knows the others from the journal: their files may be gone."""
    known = campaign.stages()
    made: dict[str, Mapping[str, str]] = {}
    left_out: list[Any] = []
    for stage in stages_of(chain, campaign):
        state = known.get(stage.name, StageState(stage.name))
        made[stage.name] = state.files
        left_out += LeftOutReport.from_json(state.report).left_out
    settings = {
        layout.init_config(entry.index): asked_of(chain, entry) for entry in chain.config.systems
    }
    runs = runs_of(chain, known)
    prefix, shared = campaign.part.prefix, not campaign.alone
    config, places = chain.config, chain.places
    return CollectStage(config, places, settings, made, runs, left_out, shared, prefix)


def asked_of(chain: Chain, entry: SystemEntry) -> dict[str, Any]:
    """What the user asks of one entry: so a change shows when all files in between are gone."""
    config = chain.config
    asked: dict[str, Any] = {
        "structure": files.tree_hash(entry.structure.path),
        "format": entry.structure.format,
        "super_cell": entry.super_cell,
        "scale": [factor.text for factor in entry.scale],
        "perturb": entry.perturb,
        **entry.structure.given,
    }
    if entry.perturb:
        asked["cell_pert_fraction"] = entry.cell_pert_fraction
        asked["atom_pert_distance"] = entry.atom_pert_distance
        asked["perturb_style"] = config.perturb_style
    for word, labelers, purpose in (
        ("relax", chain.relax, Purpose.RELAX),
        ("aimd", chain.aimd, Purpose.AIMD),
        ("bigmodel", chain.bigmodel, Purpose.AIMD),
        ("scf", chain.scf, Purpose.SCF),
    ):
        if entry.index in labelers:
            asked[word] = labelers[entry.index].fingerprint(purpose)
            asked["min_distance"] = config.aimd.min_distance
    if entry.index in chain.scf:
        asked["scf"] = fingerprint_of(chain.scf[entry.index], config.scf)
        asked["scf_max_num"] = config.scf_max_num
    if chain.direct is not None and config.filtered(entry):
        asked["direct"] = chain.direct.fingerprint()
    return asked
