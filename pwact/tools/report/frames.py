"""The labelled frames of a campaign with their stories, for its page. Nothing is written."""

from __future__ import annotations

import csv
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Optional

import numpy as np

from pwact import layout
from pwact.engines.md_input import MdInput, md_input
from pwact.errors import InputError, PwactError
from pwact.formats.frames import format_found, iterate_frames
from pwact.formats.labels import labels_of
from pwact.formats.results import find_results
from pwact.formats.same_frame import structure_key
from pwact.io.tables import flaw
from pwact.report.html.facts import LabelledFrame, Rows, Structure
from pwact.report.label_error import COLUMNS, TARGET_COLUMNS

if TYPE_CHECKING:
    from ase import Atoms

SHOWN = 1200  # labelled frames on the page
ATOMS = 90_000  # atoms of all structures together that the page holds
OF_ONE = 4_000  # of one structure
CONTROL = "control"
SCALED = TARGET_COLUMNS[0]
_TRAJECTORY, _STEP, _UNCERTAINTY, _RMSE, _LARGEST = COLUMNS


@dataclass(frozen=True)
class Labels:
    """What one iteration labelled.

    Attributes
    ----------
    rows
        Of ``label_error.csv``; none in a campaign of PWact.
    data_sets
        Where the frames are.
    """

    iteration: int
    rows: Sequence[Mapping[str, str]]
    data_sets: Sequence[Path]


def labels_in(work_dir: Path) -> list[Labels]:
    """The labels of each iteration that has some.

    Raises
    ------
    InputError
        A table is damaged.
    """
    if not any(work_dir.glob("iter.*")):
        return []
    found: dict[int, list[Path]] = {}
    for path in find_results(work_dir):
        number = _iteration(path.relative_to(work_dir.absolute()).parts[0])
        if number is not None:
            found.setdefault(number, []).append(path)
    return [
        Labels(number, _table(paths[0].parent / layout.LABEL_ERROR), paths)
        for number, paths in sorted(found.items())
    ]


def _iteration(name: str) -> Optional[int]:
    number = name.partition(".")[2]
    return int(number) if number.isdigit() else None


def _table(path: Path) -> list[Mapping[str, str]]:
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as stream:
            rows: list[Mapping[str, str]] = list(csv.DictReader(stream))
        for row in rows:
            float(row[_RMSE]), float(row[_LARGEST]), int(float(row[_STEP]))
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise InputError(f"is no table of labels: {flaw(error)}", path) from None
    return rows


def column(path: Path, name: str) -> list[float]:
    """Finite numbers of one column of a table; none where it is not there."""
    try:
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as stream:
            values = [float(row[name]) for row in csv.DictReader(stream)]
    except (OSError, KeyError, TypeError, ValueError, csv.Error):
        return []
    return [value for value in values if np.isfinite(value)]


def errors_of(labels: Labels, control: bool) -> np.ndarray:
    """Force error of each frame that was drawn by lot, or of the others; eV/Å, shape (n,)."""
    mine = [row for row in labels.rows if (row.get("kind") == CONTROL) is control]
    return np.array([float(row[_RMSE]) for row in mine])


class _Here(NamedTuple):
    """A frame, and where it lies: ``DATA:NUMBER``, seen from the work directory."""

    atoms: Optional[Atoms] = None
    place: str = ""


class LabelledFrames:
    """Labelled frames with structure and story.

    Parameters
    ----------
    measure
        What their uncertainty is called, with its unit.
    """

    def __init__(self, work_dir: Path, measure: str) -> None:
        self._work_dir = work_dir
        self._measure = measure
        self._inputs: dict[str, MdInput] = {}
        self.notes: list[str] = []

    def read(self, all_labels: Sequence[Labels]) -> list[tuple[LabelledFrame, Optional[Atoms]]]:
        """At most `SHOWN` of them, evenly from all iterations, with the frames as they are."""
        total = sum(max(len(one.rows), 1) for one in all_labels)
        share = min(1.0, SHOWN / total) if total else 1.0
        found: list[tuple[LabelledFrame, Optional[Atoms]]] = []
        for one in all_labels:
            try:
                found += list(self._of_iteration(one, share))
            except PwactError as error:
                self.notes.append(f"left out: {error}")
        if share < 1:
            words = f"{len(found)} of {total} labelled frames are shown, taken evenly"
            self.notes.append(words)
        return self._bounded(found[:SHOWN])

    def _of_iteration(
        self, labels: Labels, share: float
    ) -> Iterator[tuple[LabelledFrame, Optional[Atoms]]]:
        frames = self._in_data_sets(labels)
        rows = labels.rows
        if not rows:
            for number, one in enumerate(islice(frames, SHOWN)):
                yield self._frame(labels, None, number, one), one.atoms
            return
        wanted = set(np.unique((np.arange(int(np.ceil(share * len(rows)))) / share).astype(int)))
        placed = self._placed(labels, frames)
        for number, row in enumerate(rows):
            if number in wanted:
                here = placed.get(number, _Here())
                yield self._frame(labels, row, number, here), here.atoms

    def _in_data_sets(self, labels: Labels) -> Iterator[_Here]:
        for path in labels.data_sets:
            place = os.path.relpath(path, self._work_dir)
            for number, (_, _, atoms) in enumerate(iterate_frames(path, format_found(path))):
                yield _Here(atoms, f"{place}:{number}")

    def _placed(self, labels: Labels, frames: Iterator[_Here]) -> dict[int, _Here]:
        """The frame of each row: by its place in one data set, else by its structure."""
        listed = labels.data_sets[0].parent.parent / layout.STRUCTURES
        if labels.data_sets[0].is_file():
            found = dict(enumerate(frames))
            return found if len(found) == len(labels.rows) else {}
        keys = listed.read_text().split() if listed.is_file() else []
        places = {key: number for number, key in enumerate(keys)}
        known = ((places.get(structure_key(one.atoms)), one) for one in frames if one.atoms)
        return {number: one for number, one in known if number is not None}

    def _frame(
        self, labels: Labels, row: Optional[Mapping[str, str]], number: int, here: _Here
    ) -> LabelledFrame:
        name = layout.iteration_name(labels.iteration)
        label = [*_label_rows(here.atoms), *self._why(here)]
        if row is None:
            place = labels.data_sets[0].relative_to(self._work_dir.absolute())
            story = [("frame", f"{number} of {place}"), *label]
            return LabelledFrame(f"{name}, frame {number}", story, labels.iteration)
        trajectory, step = row[_TRAJECTORY], int(float(row[_STEP]))
        asked = self._input(trajectory)
        control = row.get("kind") == CONTROL
        uncertainty = row.get(SCALED) or row[_UNCERTAINTY]
        value, rmse, largest = (float(one) for one in (uncertainty, row[_RMSE], row[_LARGEST]))
        story = [
            ("chosen", "drawn by lot, as a control" if control else "as a candidate"),
            (self._measure, f"{value:.4g}"),
            ("error of the exploring model", f"{rmse:.4g} eV/Å (RMSE of the forces)"),
            ("largest error of an atom", f"{largest:.4g} eV/Å"),
            ("trajectory", trajectory),
            ("MD step", str(step) + _time(step, asked)),
            *_condition(asked),
            *label,
        ]
        title = f"{name}, {trajectory.rpartition('/')[2]}, step {step}"
        return LabelledFrame(
            title, story, labels.iteration, value, rmse, largest, control, None, asked.temp_k
        )

    def _why(self, here: _Here) -> Rows:
        """By what command the whole story of a frame is found."""
        journal = self._work_dir / layout.STATE_DIR / layout.JOURNAL
        if not here.place or not journal.is_file():
            return ()
        return [("whole story", f"pwact why {shlex.quote(here.place)}")]

    def _input(self, trajectory: str) -> MdInput:
        if trajectory not in self._inputs:
            self._inputs[trajectory] = md_input(self._work_dir / trajectory)
        return self._inputs[trajectory]

    def _bounded(
        self, found: Sequence[tuple[LabelledFrame, Optional[Atoms]]]
    ) -> list[tuple[LabelledFrame, Optional[Atoms]]]:
        """With structures as long as the page has room for them, taken evenly."""
        sizes = [0 if atoms is None else min(len(atoms), OF_ONE) for _, atoms in found]
        share = min(1.0, ATOMS / max(sum(sizes), 1))
        bounded, taken = [], 0.0
        for (frame, atoms), size in zip(found, sizes):
            before, taken = taken, taken + share
            room = share == 1 or int(taken) > int(before)
            structure = _structure(atoms) if atoms is not None and size and room else None
            bounded.append((replace(frame, structure=structure), atoms))
        if share < 1:
            self.notes.append(f"{100 * share:.0f} % of these frames can be opened, taken evenly")
        return bounded


def _time(step: int, asked: MdInput) -> str:
    return "" if asked.dt_ps is None else f" ({step * asked.dt_ps:g} ps)"


def _condition(asked: MdInput) -> Rows:
    both = (("temperature", asked.temp_k, "K"), ("pressure", asked.press_bar, "bar"))
    return [(name, f"{value:g} {unit}") for name, value, unit in both if value is not None]


def _label_rows(atoms: Optional[Atoms]) -> Rows:
    if atoms is None:
        return ()
    labels = labels_of(atoms)
    largest = float(np.linalg.norm(labels.forces, axis=1).max()) if len(atoms) else 0.0
    return (
        ("atoms", f"{len(atoms)} ({atoms.symbols})"),
        ("energy of the label", f"{labels.energy / max(len(atoms), 1):.6g} eV per atom"),
        ("largest force of the label", f"{largest:.4g} eV/Å"),
    )


def _structure(atoms: Atoms) -> Structure:
    """The atoms that are drawn: of large frames those nearest to the middle of the cell."""
    cell: np.ndarray = np.asarray(atoms.cell.array, dtype=float)
    inside = atoms.copy()
    inside.wrap()
    positions = inside.positions
    if len(atoms) <= OF_ONE:
        return Structure(atoms.numbers, positions, cell)
    away = np.linalg.norm(positions - positions.mean(axis=0), axis=1)
    kept = np.sort(np.argsort(away, kind="stable")[:OF_ONE])
    return Structure(atoms.numbers[kept], positions[kept], cell, len(atoms) - OF_ONE)
