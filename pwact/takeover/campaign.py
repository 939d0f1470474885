"""Goes on with a campaign that PWact began: its finished steps become finished stages.

`plan` looks and writes nothing; `take_over` puts one event on the journal, whole or not at all, and
moves aside what PWact had not finished. Files of finished steps are read, never written.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from pwact import layout
from pwact.config.resources import Resources
from pwact.config.run import RunConfig
from pwact.errors import InputError
from pwact.formats.al_record import Step
from pwact.io import files
from pwact.io.durable import sync_directory
from pwact.io.journal import Journal
from pwact.takeover.found import check_candidates, found_by
from pwact.takeover.tree import PwactTree, demand_rest, tree_in
from pwact.workflow import changes, ledger, steps
from pwact.workflow.campaign import Campaign
from pwact.workflow.opening import counts_once
from pwact.workflow.stage import Stage, StageOutput
from pwact.workflow.tasks.prepare import relative
from pwact.workflow.turn import engines_of, turn_of, work_of

logger = logging.getLogger(__name__)

SETTLED = "taken_over_settled"
_WITH_TARGET = (
    "with strategy.target_force_error iteration k of PWact counts as one for element k of "
    "explore.md_jobs. It drew no control labels and left no pairs of uncertainty and error, so "
    "nothing is accepted or proved by it; its labels train the models"
)


@dataclass(frozen=True)
class Takeover:
    """What is taken over.

    Attributes
    ----------
    stages
        Our stages that PWact had done, with what it left.
    warnings
        What the user may wonder about.
    """

    tree: PwactTree
    stages: Sequence[tuple[Stage, StageOutput]]
    warnings: Sequence[str] = ()

    @property
    def aside(self) -> list[tuple[str, str]]:
        """What has to make way → where it goes, relative to the work directory."""
        work_dir = self.tree.work_dir
        return [
            (relative(path, work_dir), relative(changes.free_backup(path), work_dir))
            for path in self.tree.leftovers()
        ]

    @property
    def words(self) -> list[str]:
        """What happens, one line a fact."""
        tree = self.tree
        done = ", ".join(step.words for step in tree.steps()) or "no step"
        source = f" (last line of {tree.record.name})" if tree.record is not None else ""
        lines = [f"taken over from PWact{source}: {done}; these files stay as they are"]
        lines += [f"{old} makes way to {new}" for old, new in self.aside]
        lines += [
            f"{relative(place, tree.work_dir)} of PWact is left as it is; it may be deleted once "
            "its iteration is labelled"
            for place in tree.working_copies()
        ]
        return [*lines, *self.warnings]


def plan(config: RunConfig, resources: Resources) -> Optional[Takeover]:
    """Say what `run` would take over; None where PWact left nothing, or we have begun already.

    Raises
    ------
    InputError
        Something of PWact may still run, or its record says done where files are missing.
    """
    journal = Journal(config.work_dir / layout.STATE_DIR / layout.JOURNAL)
    if _begun(journal.events()):
        return None
    tree = tree_in(config.work_dir, config.record_file)
    if tree is None:
        return None
    demand_rest(tree.work_dir, resources)
    _check_extent(tree, config)
    return _walk(config, resources, tree, journal)


def _begun(events: Sequence[Mapping[str, Any]]) -> bool:
    return any(name.startswith("iter.") for name in ledger.stages(events)) or any(
        event["event"] == ledger.TAKEN for event in events
    )


def _check_extent(tree: PwactTree, config: RunConfig) -> None:
    count = len(config.explore.md_jobs)
    if tree.last is not None and tree.last > Step(count, 0):
        raise InputError(
            f"{tree.record} says that {tree.last.words} is done, but there are only {count} "
            "entries here; append what is to follow",
            config.file,
            "explore.md_jobs",
        )
    aims = config.strategy.target_force_error is not None
    if aims and tree.last is not None and tree.last.number == 1:
        number = tree.last.iteration
        raise InputError(
            f"{layout.iteration_name(number)} of PWact was selected by a window and is not labelled"
            f"; with strategy.target_force_error delete the line '{number} 1', and it is explored "
            "again",
            tree.record,
        )


def _walk(config: RunConfig, resources: Resources, tree: PwactTree, journal: Journal) -> Takeover:
    """Go through the steps as far as PWact came, and read what each of them left."""
    found: list[tuple[Stage, StageOutput]] = []
    warnings: list[str] = []
    engines = engines_of(config, resources)
    turn = turn_of(config, engines, dict, counts_once(journal.events(), "run"))
    for iteration, step in _steps(len(config.explore.md_jobs)):
        if step is steps.STEPS[0]:
            turn.begin(iteration)
        work, finished = work_of(step), tree.finished(Step(iteration, step.number))
        if (step.optional and finished) or not work.asked(turn):
            continue  # what PWact labelled, it labelled without
        stage = work.stage(turn)
        if not finished:
            if steps.CANDIDATES in step.needs:
                check_candidates(stage.name, turn, tree)
            break
        one = found_by(step, stage, tree)
        found.append((stage, one.output))
        warnings += [words for words in one.warnings if words not in warnings]
        work.done(turn, one.output.report)
    if config.strategy.target_force_error is not None and tree.finished(Step(0, 1)):
        warnings.append(_WITH_TARGET)
    return Takeover(tree, found, warnings)


def _steps(last: int) -> Iterator[tuple[int, steps.Step]]:
    """Every step of a run, with its iteration."""
    for iteration in range(last):
        yield from ((iteration, step) for step in steps.STEPS)
    yield from ((last, step) for step in steps.until(steps.MODELS))


def take_over(campaign: Campaign, takeover: Optional[Takeover]) -> None:
    """Put on record what is taken over and move aside what makes way; go on where a kill broke off.

    Nothing happens without a plan, or when it was done before.
    """
    journal, work_dir = campaign.journal, campaign.work_dir
    if takeover is not None and not _begun(journal.events()):
        for line in takeover.words:
            logger.info("%s", line)
        journal.append(
            ledger.TAKEN,
            program="PWact",
            record=takeover.tree.record.read_text("utf-8", "replace")
            if takeover.tree.record
            else "",
            stages=[_story(campaign, stage, output) for stage, output in takeover.stages],
            aside=takeover.aside,
        )
    taken = [event for event in journal.events() if event["event"] == ledger.TAKEN]
    if taken and not any(event["event"] == SETTLED for event in journal.events()):
        for old, new in taken[-1]["aside"]:
            if not (work_dir / new).exists():
                make_way(work_dir / old, work_dir / new)
        journal.append(SETTLED)


def _story(campaign: Campaign, stage: Stage, output: StageOutput) -> dict[str, Any]:
    inputs = campaign.inputs_of(stage)
    return {
        "name": stage.name,
        "key": ledger.key_of(inputs),
        "inputs": inputs,
        "files": {
            relative(path, campaign.work_dir): files.tree_hash(path) for path in output.files
        },
        "report": ledger.canonical(output.report),
    }


def make_way(old: Path, new: Path) -> None:
    """Rename what PWact left; done again, it changes nothing."""
    if old.exists():
        old.rename(new)
        sync_directory(new.parent)
