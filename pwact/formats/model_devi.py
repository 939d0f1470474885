"""``model_devi.out``: how much a committee disagrees along a trajectory.

Forces in eV/Å.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pwact import layout
from pwact.formats.step_table import StepTable, read_step_table
from pwact.io import files

COLUMNS = (
    "step",
    "avg_devi_f",
    "min_devi_f",
    "max_devi_f",
    "avg_devi_e",
    "min_devi_e",
    "max_devi_e",
)
RMS = "rms_devi_f"  # a further column, where a target is set
_BY_ATOM = "atm_devi_f(N)"  # heads the columns, one an atom, that DeePMD-kit's `atomic` adds


@dataclass
class Deviations:
    """The usable rows of a trajectory, by ascending step, each once.

    Attributes
    ----------
    steps
        MD steps, int, shape (n,).
    max_f, avg_f, min_f
        Deviation of the forces over the atoms, eV/Å, shape (n,).
    rms_f
        Root mean square of it over the atoms, eV/Å, shape (n,); NaN where the file does not tell.
    failed
        Frames that no model can describe, bool, shape (n,): the row is not finite, or is zero
        after the first step (what DeePMD prints once atoms have collided).
    """

    steps: np.ndarray
    max_f: np.ndarray
    avg_f: np.ndarray
    min_f: np.ndarray
    rms_f: np.ndarray
    failed: np.ndarray


def read_model_devi(path: Path) -> Deviations:
    """Read a file of MatPL, of DeePMD-kit, or one with fewer columns.

    A last line that was cut off is left out; of rows with one step the last counts, as in dumps.
    Without a column ``max_devi_f`` the column ``avg_devi_f`` is used in its place.

    Raises
    ------
    TaskError
        The file cannot be read, has no header, or a line does not fit it.
    """
    table = read_step_table(path, [("max_devi_f", "avg_devi_f")])
    absent = np.full(len(table.steps), np.nan)
    avg_f, min_f = (table.columns.get(name, absent) for name in ("avg_devi_f", "min_devi_f"))
    max_f = table.columns.get("max_devi_f", avg_f)
    failed = ~table.finite | ((max_f == 0) & (table.steps > 0))
    return Deviations(table.steps, max_f, avg_f, min_f, _rms(table), failed)


def _rms(table: StepTable) -> np.ndarray:
    """Of the column, or of those of the single atoms."""
    if RMS in table.columns:
        return table.columns[RMS]
    if _BY_ATOM not in table.columns:
        return np.full(len(table.steps), np.nan)
    with np.errstate(over="ignore", invalid="ignore"):
        rms: np.ndarray = np.sqrt(np.mean(table.from_column(_BY_ATOM) ** 2, axis=1))
    return rms


def read_all_parts(directory: Path) -> Deviations:
    """The rows of a trajectory, also of one that was continued and has its earlier rows apart.

    Raises
    ------
    TaskError
        As `read_model_devi`.
    """
    rows = read_model_devi(directory / layout.MODEL_DEVI)
    before = directory / layout.EARLIER_MODEL_DEVI
    if not before.exists():
        return rows
    return _joined(read_model_devi(before), rows)


def _joined(before: Deviations, after: Deviations) -> Deviations:
    """Rows of an earlier part up to where the later part begins, then the later part."""
    keep = before.steps < (after.steps[0] if len(after.steps) else np.inf)
    return Deviations(
        *(
            np.concatenate([getattr(before, name)[keep], getattr(after, name)])
            for name in ("steps", "max_f", "avg_f", "min_f", "rms_f", "failed")
        )
    )


def write_model_devi(path: Path, steps: np.ndarray, rows: np.ndarray) -> None:
    """Write a file as MatPL does.

    Parameters
    ----------
    path
        The file.
    steps
        MD steps, shape (n,).
    rows
        avg, min, max of the forces' deviation (eV/Å) and of the atomic energies' (eV),
        shape (n, 6); a seventh column is the root mean square of the forces' (eV/Å).
    """
    lines = [heading(rows.shape[1] > len(COLUMNS) - 1)]
    for step, row in zip(np.asarray(steps).tolist(), np.asarray(rows, dtype=float).tolist()):
        lines.append(row_text(step, row))
    files.write_text(path, "\n".join(lines) + "\n")


def row_text(step: int, row: Iterable[float]) -> str:
    """One line, without its end; `row` as `write_model_devi` takes it."""
    return f"{step:9d} " + " ".join(f"{number:16.9f}" for number in row)


def heading(with_rms: bool = False) -> str:
    """The first line, without its end."""
    names = [*COLUMNS[1:], *([RMS] if with_rms else [])]
    return "#" + " ".join([f"{COLUMNS[0]:>8}", *(f"{name:>16}" for name in names)])
