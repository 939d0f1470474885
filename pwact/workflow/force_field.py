"""The force field of a campaign that may have work left: of the labels that are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pwact import layout
from pwact.config.budget import BudgetConfig
from pwact.config.resources import Resources
from pwact.config.run import RunConfig
from pwact.io.events import MasterStarted
from pwact.io.journal import Journal
from pwact.workflow import master
from pwact.workflow.active_learning import Loop
from pwact.workflow.as_begun import run_as_begun
from pwact.workflow.campaign import Campaign
from pwact.workflow.conditions import next_condition, served_until
from pwact.workflow.final_folder import published
from pwact.workflow.opening import root_of
from pwact.workflow.rows import stored_report
from pwact.workflow.stages.label import LabelStep
from pwact.workflow.stages.train import TrainStep
from pwact.workflow.turn import Turn, engines_of


def force_field_so_far(config: RunConfig, resources: Resources, campaign: Campaign) -> Path:
    """Train on all labels that there are, as `run` would do next, and make the folder ``final``.

    Raises
    ------
    StageChangedError
        The input is not that with which the models were trained.
    """
    asked = run_as_begun(config, campaign.journal.events())
    config = replace(asked, final=True, budget=BudgetConfig())  # of a run; this was asked for
    loop = Loop(config, engines_of(config, resources), campaign)
    last = walk(loop.turn)
    if _work_left(loop, last):
        campaign.left = "pwact final made the folder of the force field; the run has work left"
    loop.finish(last)
    folder = published(loop.turn, campaign, always=True)
    assert folder is not None
    return folder


def _work_left(loop: Loop, last: int) -> bool:
    plan = loop.plan
    if plan.target is None:
        return last < plan.conditions
    return next_condition(plan, served_until(loop.campaign.stages(), last)) is not None


def walk(turn: Turn) -> int:
    """Take up models and labels of all labelled iterations; return the number that follows."""
    iteration = 0
    while (labels := stored_report(turn.stages(), iteration, "label")) is not None:
        turn.begin(iteration)
        TrainStep().done(turn, {})
        LabelStep().done(turn, labels)
        iteration += 1
    return iteration


def has_run(work_dir: Path) -> bool:
    """Whether a run was begun there."""
    return root_of(_events(work_dir), "run", None) is not None


def _events(work_dir: Path) -> Sequence[Mapping[str, Any]]:
    return Journal(work_dir / layout.STATE_DIR / layout.JOURNAL).events()


def inputs_of(work_dir: Path) -> dict[str, str]:
    """Input files of the last run, and where their paths start, as seen from the work directory."""
    told = [
        MasterStarted.from_json(event)
        for event in _events(work_dir)
        if event["event"] == master.EVENT and event["command"] == "run" and event.get("param")
    ]
    if not told:
        return {}
    last = told[-1]
    given = {"param": last.param, "resource": last.resource, "launch": last.launch}
    return {name: path for name, path in given.items() if path is not None}
