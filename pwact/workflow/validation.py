"""The force field beside labels that it was not trained on: frames of ``valid_data``."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pwact.config.resources import ResourceBlock
from pwact.engines.explorers import Explorer, Given
from pwact.engines.potential import Potential
from pwact.errors import TaskError
from pwact.executors.base import Task, TaskResult
from pwact.formats.frames import composition_name
from pwact.formats.labels import labels_of
from pwact.report.errors import (
    TEMPERATURE,
    error_records,
    error_words,
    largest_words,
)
from pwact.report.parity import Compared
from pwact.report.records import ErrorRecord
from pwact.workflow.tasks.given import can_be_explored, evaluations, turned

if TYPE_CHECKING:
    from ase import Atoms

logger = logging.getLogger(__name__)

MOST_FRAMES = 1000  # that are evaluated, drawn by lot


@dataclass(frozen=True)
class Validation:
    """Evaluates one model on labelled frames.

    Attributes
    ----------
    name
        Of the stage, for the log.
    place
        Where its tasks lie.
    block
        By which they run.
    """

    name: str
    place: Path
    explorer: Explorer
    potential: Potential
    block: ResourceBlock

    def tasks(self, frames: Sequence[Atoms], lots: np.random.Generator) -> list[tuple[Task, Given]]:
        """One for all frames of the same atoms; of many frames a part, drawn by lot."""
        known = set(self.potential.types)
        good = [
            frame
            for frame in frames
            if can_be_explored(frame) and known >= set(frame.get_chemical_symbols())
        ]
        drawn = np.sort(lots.permutation(len(good))[:MOST_FRAMES])
        chosen = [turned(good[number]) for number in drawn]
        if len(chosen) < len(frames):
            words = "%s: the force field is evaluated on %d of %d frames of valid_data: %s"
            why = "drawn by lot" if len(chosen) < len(good) else "the others cannot be explored"
            logger.info(words, self.name, len(chosen), len(frames), why)
        alone = replace(self.potential, deviates=False)  # one model
        by = (self.explorer, alone)
        return list(evaluations(chosen, self.place, by, self.block))

    def compared(
        self, made: Sequence[tuple[Task, Given]], results: Sequence[TaskResult]
    ) -> list[Compared]:
        """Labels beside the force field, frame by frame; what could not be evaluated is logged."""
        found: list[Compared] = []
        ends = {result.task.directory: result for result in results}
        for task, given in made:
            result = ends.get(task.directory)
            if result is not None and result.verdict.done:
                found += self._frames(task.directory, given)
            elif result is not None:
                words = "%s: %d frames of valid_data could not be evaluated: %s"
                logger.warning(words, self.name, len(given.frames), result.explanation)
        return found

    def errors(self, compared: Sequence[Compared]) -> list[ErrorRecord]:
        """In all, by structure and by element: data do not say at which temperature they are.

        What is said of them goes into the log.
        """
        records = [one for one in error_records(compared) if one.kind != TEMPERATURE]
        if records:
            words = "; ".join(filter(None, (error_words(records[0]), largest_words(records))))
            said = "%s: the force field on %d frames of valid_data: %s"
            logger.info(said, self.name, len(compared), words)
        return records

    def _frames(self, directory: Path, given: Given) -> Iterator[Compared]:
        trajectory = self.explorer.read_result(directory)
        for step, frame in enumerate(given.frames):
            try:
                forces = trajectory.frame(step).arrays["forces"]
            except TaskError:
                continue  # the program ended before
            energy, labels = trajectory.energy(step), labels_of(frame)
            yield Compared(
                directory.name,
                step,
                composition_name(frame),
                None,
                None,
                np.array(frame.get_chemical_symbols()),
                (labels.energy, float("nan") if energy is None else energy),
                labels.forces,
                forces,
            )
