"""Frames that are there and labelled, evaluated by models as if they were those of an MD."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pwact.config.resources import ResourceBlock
from pwact.engines.explorers import Explorer, Given
from pwact.engines.potential import Potential
from pwact.executors.base import Task
from pwact.formats.labels import labels_of, set_labels
from pwact.geometry import lower_triangular, right_handed, shortest_distance
from pwact.workflow.tasks.prepare import prepare
from pwact.workflow.tasks.starts import started_once

if TYPE_CHECKING:
    from ase import Atoms


def evaluations(
    frames: Sequence[Atoms],
    place: Path,
    by: tuple[Explorer, Potential],
    block: ResourceBlock,
) -> Iterator[tuple[Task, Given]]:
    """One task for all frames of the same atoms in the same order, prepared in `place`.

    Parameters
    ----------
    frames
        As `turned` returns them.
    block
        By which the tasks will run.
    """
    explorer, potential = by
    sets: dict[tuple[str, ...], list[Atoms]] = {}
    for frame in frames:
        sets.setdefault(tuple(frame.get_chemical_symbols()), []).append(frame)
    for number, mine in enumerate(sets.values()):
        name = f"set.{number:03d}"
        directory, given = place / name / f"{name}.given", Given(tuple(mine))
        prepare(directory, partial(_write, explorer, potential, given))
        check = partial(explorer.check, tolerance=True, motion=given, potential=potential)
        yield (
            Task(
                directory,
                explorer.command(potential),
                started_once(check, explorer.heading, block),
                explorer.log,
                explorer.shell_check,
                explorer.reached,
            ),
            given,
        )


def _write(explorer: Explorer, potential: Potential, given: Given, directory: Path) -> None:
    explorer.write_input(directory, given.frames[0], potential, given, 1)


def can_be_explored(frame: Atoms) -> bool:
    """Whether an explorer can be given a frame: periodic, with room, and with forces."""
    if not frame.pbc.all() or not abs(np.linalg.det(frame.cell.array)) > 0:
        return False
    return bool(np.isfinite(labels_of(frame).forces).all()) and shortest_distance(frame) > 0


def turned(frame: Atoms) -> Atoms:
    """A frame with a lower-triangular cell, its labelled forces turned too."""
    labels = labels_of(frame)
    cell, rotation = lower_triangular(right_handed(frame.cell.array))
    turned = frame.copy()
    turned.calc = None
    turned.set_constraint()
    turned.set_cell(cell)
    turned.positions = frame.positions @ rotation
    set_labels(turned, labels.energy, labels.forces @ rotation)
    return turned
