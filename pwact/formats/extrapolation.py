"""``extrapolation_grade.out``: how far a model extrapolates along a trajectory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pwact.formats.step_table import read_step_table, write_step_table

COLUMNS = ("step", "gamma", "gamma_res", "grade")


@dataclass(frozen=True)
class Grades:
    """The rows of a trajectory, by ascending step, each once.

    Attributes
    ----------
    steps
        MD steps, int, shape (n,).
    grade
        The largest of an atom, shape (n,), without unit: at most about 1 where the training data
        span the environment of every atom.
    failed
        Rows whose grade is not finite, bool, shape (n,).
    """

    steps: np.ndarray
    grade: np.ndarray
    failed: np.ndarray


def read_grades(path: Path) -> Grades:
    """Read a file of `write_grades`.

    A last line that was cut off is left out.

    Raises
    ------
    TaskError
        The file cannot be read, has no header, or a line does not fit it.
    """
    table = read_step_table(path, [(name,) for name in COLUMNS[1:]])
    grade = table.columns["grade"]
    return Grades(table.steps, grade, ~np.isfinite(grade))


def write_grades(path: Path, steps: np.ndarray, rows: np.ndarray) -> None:
    """Write a file in one step.

    Parameters
    ----------
    steps
        MD steps, shape (n,).
    rows
        gamma, gamma_res and the larger of the two, shape (n, 3).
    """
    write_step_table(path, COLUMNS, steps, rows)
