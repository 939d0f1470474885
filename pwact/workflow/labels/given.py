"""Frames of anywhere on their way to a data set: what gets no label is left out and listed."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Union

from pwact import layout
from pwact.engines.labelers import Labeler
from pwact.formats.same_frame import structure_key
from pwact.workflow.labels.labelling import Spoilt
from pwact.workflow.labels.origins import Origin, write_origins
from pwact.workflow.tasks.first_principles import Calculation
from pwact.workflow.tasks.gate import Gate
from pwact.workflow.tasks.prepare import relative

if TYPE_CHECKING:
    from ase import Atoms

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class GivenFrame:
    """A frame to be labelled.

    Attributes
    ----------
    directory
        Where that is done.
    file_path, number
        Where it comes from: a file, relative to the work directory, and its number there.
    group
        What it belongs to, in words.
    """

    atoms: Atoms
    directory: Path
    file_path: str
    number: int
    group: str

    def calculation(self, labeler: Labeler) -> Calculation:
        """Its single point."""
        return Calculation(labeler, self.directory, partial(bare, self.atoms), group=self.group)


Answers = Callable[[Sequence[GivenFrame]], Sequence[Union["Atoms", str]]]


@dataclass(frozen=True)
class Way:
    """How the frames of one stage get their labels.

    Attributes
    ----------
    directory
        Of the stage: what is left out is listed there.
    answers
        Each frame labelled, or why it is not.
    once
        Whether a structure counts once.
    hint
        What the user may do where all frames are left out.
    base
        From where places of tasks are named.
    """

    stage: str
    directory: Path
    answers: Answers
    once: bool
    hint: str
    base: Path

    def labelled(self, frames: Sequence[GivenFrame], gate: Gate) -> tuple[list[Atoms], list[Path]]:
        """The labelled frames in their order, and tasks that ended well and gave no label.

        Where each comes from is listed beside what is left out.

        Raises
        ------
        QuorumError
            No frame may be calculated, or too many tasks failed.
        """
        left_out = self.directory / layout.LEFT_OUT
        sane = [one for one in frames if gate.passes(one.atoms, one.file_path, one.number)]
        gate.write(left_out, self.stage)
        gate.demand_some(len(sane), left_out, self.stage, self.hint)
        asked = self._distinct(sane) if self.once else sane
        labelled: list[Atoms] = []
        origins: list[Origin] = []
        spoilt: list[Path] = []
        for one, answer in zip(asked, self.answers(asked)):
            if isinstance(answer, str):
                gate.refuse(answer, one.file_path, one.number)
                spoilt += [one.directory] if isinstance(answer, Spoilt) else []
            else:
                labelled.append(answer)
                task = relative(one.directory, self.base)
                origins.append(Origin(one.file_path, one.number, one.group, task))
        gate.write(left_out, self.stage)
        write_origins(self.directory / layout.ORIGIN, labelled, origins)
        return labelled, spoilt

    def _distinct(self, frames: Sequence[GivenFrame]) -> list[GivenFrame]:
        """The first of the frames with one structure."""
        found: dict[str, GivenFrame] = {}
        for one in frames:
            found.setdefault(structure_key(one.atoms), one)
        if len(found) < len(frames):
            logger.info("%s: %d frames: %d distinct", self.stage, len(frames), len(found))
        return list(found.values())


def bare(atoms: Atoms) -> Atoms:
    """The frame without the labels of the program before."""
    copy = atoms.copy()
    copy.arrays.pop("forces", None)
    return copy
