"""What a stage is: a step of a campaign that is done once, whatever happens in between."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Protocol

import numpy as np

from pwact.config.resources import ResourceBlock
from pwact.executors.base import Task, TaskResult


@dataclass(frozen=True)
class StageOutput:
    """What a finished stage leaves.

    Attributes
    ----------
    files
        Products that later stages read; they are hashed into the journal, and the stage counts as
        done only while they are intact.
    transient
        Files or directories that retention may delete once the iteration is complete.
    report
        Small JSON facts (counts, errors, paths relative to the work directory) that later stages
        and the final table read from the journal.
    lasting
        Files or directories that later stages read without a hash, or that the user gets: they
        survive a power cut as the products do.
    lost
        Directories of tasks that ended well, but whose result is none; another try may mend that.
    """

    files: Sequence[Path] = ()
    transient: Sequence[Path] = ()
    report: Mapping[str, Any] = field(default_factory=dict)
    lasting: Sequence[Path] = ()
    lost: Sequence[Path] = ()


class Services(Protocol):
    """What a campaign offers to a stage at work."""

    work_dir: Path

    def dispatch(
        self, kind: str, directory: Path, tasks: Sequence[Task], block: ResourceBlock
    ) -> Iterator[TaskResult]:
        """Run the tasks as jobs and yield each task's result as it comes; failures are results.

        Tasks whose check is already content are yielded without a job.
        """

    def begin_ahead(
        self, kind: str, directory: Path, tasks: Sequence[Task], block: ResourceBlock
    ) -> None:
        """Begin tasks whose results a later `dispatch` of this kind in this directory asks for."""

    def later(self, work: Callable[[], object]) -> None:
        """Do this when there is nothing to do but to wait: a thing on which nothing depends.

        It is done before the campaign ends, in the order asked for; a kill may lose it.
        """

    def seed(self, *spawn_key: int | str) -> int:
        """A reproducible integer in 1..2**31-1 for this place of the campaign."""

    def rng(self, *spawn_key: int | str) -> np.random.Generator:
        """A reproducible random generator for this place of the campaign."""


class Stage(Protocol):
    """One step of a campaign."""

    @property
    def name(self) -> str:
        """Unique in the campaign: ``iter.0000/train``, ``aimd`` …."""

    @property
    def directory(self) -> Path:
        """Where it works; moved aside to ``<directory>-bk-<n>`` when the stage is redone."""

    @property
    def reads(self) -> Collection[str]:
        """Paths in `inputs` below which results of earlier stages stand (``labelled``).

        Where these differ because an earlier stage was done again, this one follows without asking;
        everything else is what the user asks for.
        """

    def inputs(self) -> Mapping[str, Any]:
        """Everything that the result depends on, as JSON; files by their hash."""

    def work(self, services: Services) -> StageOutput:
        """Do the work. Called again after a kill, it goes on where it was."""
