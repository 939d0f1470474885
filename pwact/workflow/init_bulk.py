"""The chain that makes a first data set.

Relax, super cell, scale, perturb, then MD: from first principles, or by a script of the user whose
frames another one may choose from; then maybe single points of the frames; collection.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Optional

from pwact import layout
from pwact.config.init_bulk import InitConfig
from pwact.config.init_entry import SystemEntry
from pwact.config.labeling import LabelConfig
from pwact.config.resources import ResourceBlock, Resources
from pwact.engines import intermediate_files, labeler_for
from pwact.engines.base import Labeler, Purpose
from pwact.engines.direct_script import DirectScript
from pwact.engines.user_scripts import SELECTED, MdScript
from pwact.errors import QuorumError
from pwact.fingerprint import canonical
from pwact.io import files
from pwact.workflow import parts
from pwact.workflow.campaign import Campaign
from pwact.workflow.ledger import StageState, place_of
from pwact.workflow.opening import counts_once
from pwact.workflow.part_campaign import PartCampaign
from pwact.workflow.retention import discard_tree
from pwact.workflow.retry import in_hand
from pwact.workflow.stage import Stage
from pwact.workflow.stages.collect import CollectStage, write_views
from pwact.workflow.stages.direct import DirectStage, Run
from pwact.workflow.stages.md import MdStage
from pwact.workflow.stages.prepare import link_inside, needed
from pwact.workflow.stages.relabel import Chosen, RelabelStage
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
        The data sets below `collection`.
    left_out
        How many structures and frames were not calculated, or did not converge.
    lost
        Directories of failed tasks that the next start tries again, relative to the work directory;
        while there are any, ``temp_init_bulk_work`` stays.
    wanted
        Whether any entry asks for labelled data.
    """

    collection: Path
    data_sets: list[Path]
    left_out: int = 0
    lost: Sequence[str] = ()
    wanted: bool = True


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
        Places(config.work_dir / layout.TEMP_INIT, postfix, format_name),
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


def run_init_bulk(config: InitConfig, resources: Resources, campaign: Campaign) -> InitResult:
    """Do every step that is not done yet, and leave ``collection/``.

    Raises
    ------
    QuorumError
        Labelled data were asked for, and there are none; or a step failed.
    """
    known = parts.known_parts(campaign.journal.events())
    whole = chain_of(config, resources)
    asked = [canonical(_asked(whole, entry)) for entry in config.systems]
    given = parts.assign(known, asked, config.file.name, config.seed, campaign.root)
    fruitless = False
    for part in given.parts:
        numbers = given.numbers.get(part.number, {})
        if known and not numbers:
            log.info("%s is kept: this input does not ask for it", _names(part.entries))
            continue
        campaign.draw_from(part.seed if config.seed is None else config.seed)
        worker = PartCampaign(campaign, part, alone=len(given.parts) == 1)
        if worker.collected and len(numbers) < len(part.entries):
            log.info("%s is kept as it is", _names(part.entries))
            continue
        own = _restricted(config, numbers)
        report = _run_part(own, resources, worker, config.file.name)
        fruitless |= bool(_wants_data(own) and not report["data_sets"])
    result = _result(config, campaign)
    if fruitless:
        raise QuorumError(
            f"init_bulk: labelled data were asked for, and there are none; structures are in "
            f"{result.collection}, what was left out is listed there in "
            f"{layout.LEFT_OUT}\nWhat next: read {layout.LOG} for the step that gave nothing, "
            "mend the cause and start with --redo of that step"
        )
    return result


def _wants_data(config: InitConfig) -> bool:
    return len(config.without_data) < len(config.systems)


def _names(numbers: Iterable[int]) -> str:
    return ", ".join(map(layout.init_config, numbers))


def _restricted(config: InitConfig, numbers: Mapping[int, int]) -> InitConfig:
    """The input with the entries of one part only, each with the number that it has for good."""
    entries = sorted(
        (replace(config.systems[place], index=number) for place, number in numbers.items()),
        key=lambda entry: entry.index,
    )
    return replace(config, systems=tuple(entries))


def _run_part(
    config: InitConfig, resources: Resources, worker: PartCampaign, file: str
) -> Mapping[str, Any]:
    """Do the steps of one part; the report of its collection."""
    chain = chain_of(config, resources)
    places, part = chain.places, worker.part
    chain = replace(chain, places=replace(places, temp=places.temp / part.prefix))
    asked = {entry.index: canonical(_asked(chain, entry)) for entry in config.systems}
    present = replace(part, entries=asked, file=file, seed=worker.root)
    worker.give(present, once_done=part.number == 0)
    at_work = any((chain.places.temp / name).exists() for name in layout.STEPS_OF_CHAIN)
    if at_work or not worker.finished(collection_of(chain, worker)):
        for stage in stages_of(chain, worker):
            _link(config.work_dir, stage)
            worker.run(stage)
    report = worker.run(collection_of(chain, worker))
    worker.give(present)
    for name in layout.LINKED_WHILE_RUNNING:
        if (config.work_dir / name).is_symlink():
            files.remove(config.work_dir / name)
    return report


def _result(config: InitConfig, campaign: Campaign) -> InitResult:
    """What all parts have left; what nobody needs any more is deleted."""
    states = [one for one in campaign.stages().values() if place_of(one.name)[0] is None]
    collected = [one for one in states if place_of(one.name)[1] == layout.COLLECTION]
    done = all(one.done for one in collected)
    lost = in_hand(states)
    if not config.reserve_work and not lost and done:
        discard_tree(config.work_dir / layout.TEMP_INIT)
    names = [name for one in collected for name in one.report.get("data_sets", ())]
    data_sets = [config.work_dir / name for name in names]
    steps = [one for one in states if one not in collected]
    rows = [row for one in steps for row in one.report.get("left_out", ())]
    left_out = sum(one.report.get("left_out", 0) for one in collected)
    collection = config.work_dir / layout.COLLECTION
    write_views(collection, data_sets, rows)
    return InitResult(collection, data_sets, left_out, lost, _wants_data(config))


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
        for one in state.report.get("trajectories", ()):
            entry, directory = one["entry"], one["directory"]
            if entry in labelers:
                place = chain.config.work_dir / directory
                product = state.files.get(directory, "")
                made.append(Run(entry, place, labelers[entry], product, interval))
    return made


def _chosen(chain: Chain, known: Mapping[str, StageState]) -> Chosen:
    state = known.get(layout.DIRECT, StageState(layout.DIRECT))
    path = chain.places.temp / layout.BIGMODEL / layout.DIRECT / SELECTED
    name = path.relative_to(chain.config.work_dir).as_posix()
    return Chosen(path, state.report.get("entries", ()), state.files.get(name, ""))


def collection_of(chain: Chain, campaign: PartCampaign) -> CollectStage:
    """The last step, which knows the others from the journal: their files may be gone."""
    known = campaign.stages()
    made: dict[str, Mapping[str, str]] = {}
    left_out: list[Any] = []
    for stage in stages_of(chain, campaign):
        state = known.get(stage.name, StageState(stage.name))
        made[stage.name] = state.files
        left_out += state.report.get("left_out", ())
    settings = {
        layout.init_config(entry.index): _asked(chain, entry) for entry in chain.config.systems
    }
    runs = runs_of(chain, known)
    prefix, shared = campaign.part.prefix, not campaign.alone
    config, places = chain.config, chain.places
    return CollectStage(config, places, settings, made, runs, left_out, shared, prefix)


def _asked(chain: Chain, entry: SystemEntry) -> dict[str, Any]:
    """What the user asks of one entry: so a change shows when all files in between are gone."""
    config = chain.config
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
        asked["scf_max_num"] = config.scf_max_num
    if chain.direct is not None and config.filtered(entry):
        asked["direct"] = chain.direct.fingerprint()
    return asked


def _link(work_dir: Path, stage: Stage) -> None:
    """Show a step's directory in the work directory while the chain runs."""
    if stage.name not in layout.LINKED_WHILE_RUNNING:
        return
    link = work_dir / stage.name
    if link.exists() and not link.is_symlink():
        log.warning("%s is something of yours, so there is no link to %s", link, stage.directory)
        return
    link_inside(stage.directory, link)
