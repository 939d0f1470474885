"""``kpu_model_devi.out``: the Kalman prediction uncertainty along a trajectory.

The uncertainty is a variance up to a factor that differs from model to model, so it has no unit
that means anything: only ratios within one file, or several of one model, do.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pwact.formats.step_table import read_step_table, write_step_table

COLUMNS = ("step", "etot_kpu", "f_kpu_mean", "f_kpu_max", "f_kpu_min")


@dataclass(frozen=True)
class KpuRows:
    """The rows of a trajectory, by ascending step, each once.

    Attributes
    ----------
    steps
        MD steps, int, shape (n,).
    etot_kpu
        Of the energy per atom, shape (n,). NaN in all rows where an engine does not tell it.
    f_mean, f_max, f_min
        Of the components of the forces, over a frame, shape (n,). Largest and smallest are NaN
        where an engine estimates the mean alone.
    failed
        Rows whose etot_kpu, if the file has it, or f_mean is not finite, bool, shape (n,).
    """

    steps: np.ndarray
    etot_kpu: np.ndarray
    f_mean: np.ndarray
    f_max: np.ndarray
    f_min: np.ndarray
    failed: np.ndarray


def read_kpu_devi(path: Path) -> KpuRows:
    """Read a file of MatPL, which prints two decimals, or one of `write_kpu_devi`.

    A last line that was cut off is left out; of rows with one step the last counts.

    Raises
    ------
    TaskError
        The file cannot be read, has no header, or a line does not fit it.
    """
    table = read_step_table(path, [(name,) for name in COLUMNS[1:]])
    energy, mean, largest, smallest = (table.columns[name] for name in COLUMNS[1:])
    untold = np.isnan(energy).all()
    failed = ~((np.isfinite(energy) | untold) & np.isfinite(mean))
    return KpuRows(table.steps, energy, mean, largest, smallest, failed)


def write_kpu_devi(path: Path, steps: np.ndarray, rows: np.ndarray) -> None:
    """Write a file in one step, with enough digits for small values.

    Parameters
    ----------
    steps
        MD steps, shape (n,).
    rows
        etot_kpu and mean, max, min of the forces', shape (n, 4).
    """
    write_step_table(path, COLUMNS, steps, rows)
