"""The chain that makes a first data set.

Relax, super cell, scale, perturb, then MD: from first principles, or by a script of the user whose
frames another one may choose from; then maybe single points of the frames; collection.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pwact import layout
from pwact.config.init_bulk import InitConfig
from pwact.config.resources import Resources
from pwact.errors import QuorumError
from pwact.fingerprint import canonical
from pwact.io import files
from pwact.workflow.as_begun import init_as_begun
from pwact.workflow.campaign import Campaign
from pwact.workflow.init_bulk import parts
from pwact.workflow.init_bulk.chain import asked_of, chain_of, collection_of, stages_of
from pwact.workflow.init_bulk.collect import write_views
from pwact.workflow.init_bulk.part_campaign import PartCampaign
from pwact.workflow.ledger import place_of
from pwact.workflow.reports import CollectReport, LeftOutReport
from pwact.workflow.retention import discard_tree
from pwact.workflow.retry import in_hand
from pwact.workflow.stage import Stage
from pwact.workflow.tasks.prepare import link_inside

logger = logging.getLogger(__name__)


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


def run_init_bulk(config: InitConfig, resources: Resources, campaign: Campaign) -> InitResult:
    """Do every step that is not done yet, and leave ``collection/``.

    Raises
    ------
    QuorumError
        Labelled data were asked for, and there are none; or a step failed.
    """
    config = init_as_begun(config, campaign.journal.events())
    known = parts.known_parts(campaign.journal.events())
    whole = chain_of(config, resources)
    asked = [canonical(asked_of(whole, entry)) for entry in config.systems]
    given = parts.assign(known, asked, config.file.name, config.seed, campaign.root)
    fruitless = False
    for part in given.parts:
        numbers = given.numbers.get(part.number, {})
        if known and not numbers:
            logger.info("%s is kept: this input does not ask for it", _names(part.entries))
            continue
        campaign.draw_from(part.seed if config.seed is None else config.seed)
        worker = PartCampaign(campaign, part, alone=len(given.parts) == 1)
        if worker.collected and len(numbers) < len(part.entries):
            logger.info("%s is kept as it is", _names(part.entries))
            continue
        own = restricted(config, numbers)
        report = _run_part(own, resources, worker, config.file.name)
        fruitless |= _wants_data(own) and not report.data_sets
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


def restricted(config: InitConfig, numbers: Mapping[int, int]) -> InitConfig:
    """The input with the entries of one part only, each with the number that it has for good."""
    entries = sorted(
        (replace(config.systems[place], index=number) for place, number in numbers.items()),
        key=lambda entry: entry.index,
    )
    return replace(config, systems=tuple(entries))


def _run_part(
    config: InitConfig, resources: Resources, worker: PartCampaign, file: str
) -> CollectReport:
    """Do the steps of one part; the report of its collection."""
    chain = chain_of(config, resources)
    places, part = chain.places, worker.part
    chain = replace(chain, places=replace(places, temp=places.temp / part.prefix))
    asked = {entry.index: canonical(asked_of(chain, entry)) for entry in config.systems}
    present = replace(part, entries=asked, file=file, seed=worker.root)
    worker.give(present, once_done=part.number == 0)
    at_work = any((chain.places.temp / name).exists() for name in layout.STEPS_OF_CHAIN)
    if at_work or not worker.finished(collection_of(chain, worker)):
        for stage in stages_of(chain, worker):
            _link(config.work_dir, stage)
            worker.run(stage)
    report = CollectReport.from_json(worker.run(collection_of(chain, worker)))
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
    reports = [CollectReport.from_json(one.report) for one in collected]
    data_sets = [config.work_dir / name for one in reports for name in one.data_sets]
    steps = [one for one in states if one not in collected]
    rows = [row for one in steps for row in LeftOutReport.from_json(one.report).left_out]
    left_out = sum(one.left_out for one in reports)
    collection = config.work_dir / layout.COLLECTION
    write_views(collection, data_sets, rows)
    return InitResult(collection, data_sets, left_out, lost, _wants_data(config))


def _link(work_dir: Path, stage: Stage) -> None:
    """Show a step's directory in the work directory while the chain runs."""
    if stage.name not in layout.LINKED_WHILE_RUNNING:
        return
    link = work_dir / stage.name
    if link.exists() and not link.is_symlink():
        logger.warning("%s is something of yours, so there is no link to %s", link, stage.directory)
        return
    link_inside(stage.directory, link)
