"""Runs a labeler on many structures: relaxation, AIMD and single points alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Optional

from pwact.config.resources import ResourceBlock
from pwact.engines.labelers import Labeler, Purpose
from pwact.executors.base import Task, TaskResult
from pwact.formats.frames import ordered
from pwact.verdict import Verdict
from pwact.workflow.stage import Services
from pwact.workflow.tasks.prepare import prepare
from pwact.workflow.tasks.starts import started_once

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True)
class Calculation:
    """One structure for one labeler.

    Attributes
    ----------
    directory
        Where the labeler runs.
    structure
        Reads the structure; asked only when the directory is not prepared yet.
    step
        MD step of a frame to be labelled.
    group
        What it belongs to, in words: the user learns when nothing of a group succeeds.
    """

    labeler: Labeler
    directory: Path
    structure: Callable[[], Atoms]
    seed: int = 0
    step: Optional[int] = None
    group: str = ""


def task_of(calculation: Calculation, purpose: Purpose, block: ResourceBlock) -> Task:
    """Prepare the directory and say how to run and to judge it."""
    labeler = calculation.labeler

    def write(directory: Path) -> None:
        atoms = ordered(calculation.structure())
        labeler.write_input(directory, atoms, purpose, calculation.seed, calculation.step)

    def check(directory: Path) -> Verdict:
        return labeler.check(directory, purpose)

    prepare(calculation.directory, write)
    return Task(
        calculation.directory,
        labeler.command(purpose),
        started_once(check, labeler.heading, block),
        labeler.log,
        labeler.shell_check,
    )


def calculate(
    services: Services,
    purpose: Purpose,
    directory: Path,
    calculations: Sequence[Calculation],
    block: ResourceBlock,
    kind: str = "",
) -> Iterator[TaskResult]:
    """Run the calculations with job scripts in `directory`; results come as they end.

    `kind` is the word for the names of jobs and tags, by default that of the purpose.
    """
    directory.mkdir(parents=True, exist_ok=True)
    tasks = [task_of(calculation, purpose, block) for calculation in calculations]
    return services.dispatch(kind or purpose.value, directory, tasks, block)
