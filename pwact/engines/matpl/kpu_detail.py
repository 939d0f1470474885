"""Means of the Kalman prediction uncertainty by MatPL's details; run inside the job.

``MatPL kpu -d`` leaves ``force_kpu_detail.npy``, shape (frames, atoms, 4): the number of an atom,
and the uncertainties of its three force components. Mean, largest and smallest value of MatPL's own
table take in the numbers of the atoms, so that all frames look alike.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import numpy as np

from pwact import layout
from pwact.engines.worker import exit_status
from pwact.errors import InputError, TaskError
from pwact.formats.kpu_devi import read_kpu_devi, write_kpu_devi
from pwact.io.arrays import load_numbers

DETAIL = "force_kpu_detail.npy"
OWN_TABLE = "matpl_kpu.out"  # of MatPL
_COLUMNS = 4


def main() -> int:
    """Write the table of the current directory."""
    return exit_status(average, logging.INFO)


def average(directory: Path) -> None:
    """Write ``kpu_model_devi.out`` by MatPL's table and its details, in full precision.

    Raises
    ------
    TaskError
        A file is missing, or the details are not what MatPL 2025.3 writes.
    """
    table = read_kpu_devi(directory / OWN_TABLE)
    of_forces = read_detail(directory / DETAIL, len(table.steps))
    columns = [table.etot_kpu, of_forces.mean(1), of_forces.max(1), of_forces.min(1)]
    write_kpu_devi(directory / layout.KPU_MODEL_DEVI, table.steps, np.stack(columns, 1))


def read_detail(path: Path, frames: int) -> np.ndarray:
    """The uncertainties of all force components, shape (frames, components).

    Raises
    ------
    TaskError
        The file cannot be read, has another shape, or its first column holds no numbers of atoms:
        then these may stand where uncertainties are looked for.
    """
    try:
        found = np.array(load_numbers(path), dtype=float)
    except InputError as error:
        raise TaskError(f"{path}: {error.message}") from error
    if found.ndim != 3 or found.shape[::2] != (frames, _COLUMNS) or not found.shape[1]:
        raise TaskError(f"{path}: found shape {found.shape}, not ({frames}, atoms, {_COLUMNS})")
    atoms, values = found[:, :, 0], found[:, :, 1:]
    if not _are_atoms(atoms):
        raise TaskError(f"{path}: the first of its four columns holds no numbers of atoms")
    if frames and any((values[:, :, axis] == atoms).all() for axis in range(_COLUMNS - 1)):
        raise TaskError(f"{path}: more than its first column holds numbers of atoms")
    return values.reshape(frames, -1)


def _are_atoms(numbers: np.ndarray) -> bool:
    """Whether each frame has whole numbers from 0 on, each once."""
    whole = np.isfinite(numbers).all() and (numbers == np.round(numbers)).all()
    once = np.diff(np.sort(numbers, axis=1), axis=1) > 0
    return bool(whole and (numbers >= 0).all() and once.all())


if __name__ == "__main__":
    sys.exit(main())
