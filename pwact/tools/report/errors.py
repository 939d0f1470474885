"""Labels beside what the exploring models said of them, from the iterations of a campaign."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Optional

import numpy as np

from pwact import layout
from pwact.errors import InputError
from pwact.report.errors import error_cells, pooled
from pwact.report.html.facts import Parity, Table
from pwact.report.parity import Compared, read_parity
from pwact.report.records import ErrorRecord, IterationRow

COMPONENTS, ENERGIES = 2500, 1000  # that are drawn
SEED = 21


def on_labels(work_dir: Path, iterations: Sequence[int], notes: list[str]) -> Optional[Parity]:
    """New labels beside the model that explored; see `parity_of`."""
    return parity_of([layout.parity(work_dir, number) for number in iterations], notes)


def on_valid(work_dir: Path, rows: Sequence[IterationRow], notes: list[str]) -> Optional[Parity]:
    """The validation data beside the force field that the run ended with; see `parity_of`."""
    made = [number for number, row in enumerate(rows) if row.on_valid]
    places = [layout.final_work_dir(work_dir, number) / layout.PARITY for number in made[-1:]]
    return parity_of(places, notes)


def parity_of(tables: Sequence[Path], notes: list[str]) -> Optional[Parity]:
    """A sample by lot of all pairs of label and model; None where there are none.

    A table that cannot be read is left out, and named in `notes`.
    """
    frames: list[Compared] = []
    for path in tables:
        if not path.is_file():
            continue
        try:
            frames += read_parity(path)
        except InputError as error:
            notes.append(f"left out of the parity plots: {error}")
    if not frames:
        return None
    lots = np.random.default_rng(SEED)
    energies = np.array([np.array(one.energies) / len(one.symbols) for one in frames])
    energies = energies[np.isfinite(energies).all(axis=1)]
    count = sum(one.label_forces.size for one in frames)
    return Parity(_forces(frames, lots), _some(energies, ENERGIES, lots), (count, len(energies)))


def _forces(frames: Sequence[Compared], lots: np.random.Generator) -> np.ndarray:
    parts = [
        np.column_stack([one.label_forces.ravel(), one.model_forces.ravel()]) for one in frames
    ]
    return _some(np.concatenate(parts), COMPONENTS, lots)


def _some(pairs: np.ndarray, most: int, lots: np.random.Generator) -> np.ndarray:
    if len(pairs) <= most:
        return pairs
    chosen: np.ndarray = pairs[np.sort(lots.permutation(len(pairs))[:most])]
    return chosen


def error_rows(rows: Sequence[IterationRow]) -> Optional[Table]:
    """Headings and rows of the errors on all new labels; None where no iteration recorded them."""
    return _table(pooled(one for row in rows for one in row.errors), "labels")


def valid_rows(rows: Sequence[IterationRow]) -> Optional[Table]:
    """The same of the force field that the run ended with, on the validation data."""
    return _table(next((row.on_valid for row in reversed(rows) if row.on_valid), ()), "frames")


def _table(records: Sequence[ErrorRecord], counted: str) -> Optional[Table]:
    if not records:
        return None
    names, units, *lines = error_cells(records, counted)
    return [f"{name} ({unit})" if unit else name for name, unit in zip(names, units)], lines
