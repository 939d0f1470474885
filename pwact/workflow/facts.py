"""Progress that a master reports in the journal for status; no decision depends on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pwact.config.budget import BudgetConfig
from pwact.executors.base import TaskResult
from pwact.io.events import RunPlanned
from pwact.io.journal import Journal
from pwact.workflow import programs
from pwact.workflow.conditions import Plan
from pwact.workflow.stage import Stage
from pwact.workflow.tasks.prepare import relative

PLANNED = "run_planned"  # how many iterations a run has
TASKS = "tasks_given"  # how many tasks a stage has
FAILED = "task_failed"
_PLAN = ("iterations", "target", "conditions", "most", "budget")
_ANY = BudgetConfig()
_NONE: Mapping[str, Any] = dict.fromkeys(_PLAN)


def tell_plan(journal: Journal, plan: Plan, budget: BudgetConfig = _ANY) -> None:
    """Tell how much is asked for, and allowed, unless the journal says so already."""
    told: dict[str, Any] = {"iterations": plan.longest}
    if plan.target is not None:
        told.update(target=plan.target, conditions=plan.conditions, most=plan.most)
    if budget != _ANY:
        told["budget"] = asdict(budget)
    known = [event for event in journal.events() if event["event"] == PLANNED]
    if not known or {key: known[-1].get(key) for key in _PLAN} != {**_NONE, **told}:
        journal.hold(PLANNED, **told)


def told_budget(events: Sequence[Mapping[str, Any]]) -> BudgetConfig:
    """What the last start of a run may cost."""
    told = [RunPlanned.from_json(event) for event in events if event["event"] == PLANNED]
    return BudgetConfig(**told[-1].budget) if told and told[-1].budget else BudgetConfig()


def told_plan(events: Sequence[Mapping[str, Any]]) -> Plan:
    """What the last start of a run has reported; without a report no condition."""
    told = [RunPlanned.from_json(event) for event in events if event["event"] == PLANNED]
    if not told:
        return Plan(0)
    last = told[-1]
    if last.target is None:
        return Plan(last.iterations)
    return Plan(last.conditions, last.target, last.most)


class Teller:
    """Tells of the tasks of a campaign.

    Attributes
    ----------
    stage
        Name of the stage to which tasks belong from now on.
    """

    def __init__(self, journal: Journal, work_dir: Path) -> None:
        self.stage = ""
        self._journal = journal
        self._work_dir = work_dir

    def begins(self, stage: Stage) -> None:
        """Tell by what a stage runs; tasks belong to it from now on."""
        self.stage = stage.name
        programs.record(self._journal, stage)

    def tasks(self, kind: str, directory: Path, count: int, ahead: bool = False) -> None:
        """Tell how many tasks the stage has, or (`ahead`) has so far."""
        place = relative(directory, self._work_dir)
        self._journal.append(
            TASKS, stage=self.stage, sort=kind, place=place, tasks=count, ahead=ahead
        )

    def result(self, stage: str, result: TaskResult) -> None:
        """Tell of a failed task of a stage, and which file says more."""
        if result.verdict.done:
            return
        directory = result.task.directory
        self._journal.append(
            FAILED,
            stage=stage,
            task=relative(directory, self._work_dir),
            log=relative(directory / result.task.log, self._work_dir),
            why=result.verdict.reason,
        )
