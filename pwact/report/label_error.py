"""The true error of the exploring model on the frames that were just labelled."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np

from pwact.io import files

COLUMNS = ("file_path", "config_index", "devi_force", "rmse_force", "max_force")
TARGET_COLUMNS = ("uncertainty_scaled", "kind")  # further ones with a target


@dataclass(frozen=True)
class LabelError:
    """One labelled frame.

    Attributes
    ----------
    trajectory
        Trajectory directory relative to the work directory.
    step
        MD step of the frame.
    uncertainty
        The deviation by which it was chosen (eV/Å).
    rmse_force, max_force
        Root-mean-square over all force components, and the largest error vector of an atom, of the
        exploring model against the label (eV/Å).
    aim
        With a target: U, and whether the frame was chosen or drawn by lot.
    """

    trajectory: str
    step: int
    uncertainty: float
    rmse_force: float
    max_force: float
    aim: Optional[tuple[float, str]] = None


def force_errors(predicted: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    """Errors of forces.

    Parameters
    ----------
    predicted, true
        Forces of one frame, shape (N, 3), in eV/Å, atoms in the same order.

    Returns
    -------
    tuple
        Root-mean-square over the 3N components, and the largest norm of an atom's error.
    """
    difference = np.asarray(predicted, dtype=float) - np.asarray(true, dtype=float)
    rmse = float(np.sqrt(np.mean(difference**2)))
    return rmse, float(np.max(np.linalg.norm(difference, axis=1)))


def write_label_error(path: Path, rows: Sequence[LabelError]) -> Optional[float]:
    """Write ``label_error.csv``, one line a labelled frame, errors in eV/Å.

    Returns
    -------
    float or None
        Root of the mean of the frames' squared `rmse_force`; None without frames.
    """
    with (
        files.replacing(path) as aside,
        aside.open("w", newline="", encoding="utf-8", errors="surrogateescape") as stream,
    ):
        writer = csv.writer(stream, lineterminator="\n")
        aims = any(row.aim is not None for row in rows)
        writer.writerow((*COLUMNS, *(TARGET_COLUMNS if aims else ())))
        for row in rows:
            errors = (f"{row.uncertainty:.8g}", f"{row.rmse_force:.8g}", f"{row.max_force:.8g}")
            more = () if row.aim is None else (f"{row.aim[0]:.8g}", row.aim[1])
            writer.writerow((row.trajectory, row.step, *errors, *more))
    if not rows:
        return None
    return float(np.sqrt(np.mean([row.rmse_force**2 for row in rows])))
