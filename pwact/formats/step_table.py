"""Tables of numbers, one row an MD step, whose first line names the columns.

Programs order the columns differently, so they are found by name.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pwact.errors import TaskError
from pwact.io import files

_HUGE = 1e300  # what a sum of squares overflows to; DeePMD prints 1.797693e+308


@dataclass(frozen=True)
class StepTable:
    """The rows of a table, by ascending step, each once.

    Attributes
    ----------
    steps
        MD steps, int, shape (n,).
    columns
        Name → numbers, shape (n,).
    finite
        Whether all numbers of a row are finite, bool, shape (n,).
    numbers
        All of them, shape (n, columns); the last name may stand for several.
    """

    steps: np.ndarray
    columns: Mapping[str, np.ndarray]
    finite: np.ndarray
    numbers: np.ndarray

    def from_column(self, name: str) -> np.ndarray:
        """The column of this name, and all that follow, shape (n, any number)."""
        return self.numbers[:, list(self.columns).index(name) :]


def read_step_table(path: Path, needed: Sequence[Sequence[str]]) -> StepTable:
    """Read a table.

    A last line that was cut off is left out; of rows with one step the last counts, as in dumps.

    Parameters
    ----------
    needed
        Columns that must be there beside ``step``; of each group of names one is enough.

    Raises
    ------
    TaskError
        The file cannot be read, has no header, or a line does not fit it.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TaskError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        names, table = _table(content[: content.rfind(b"\n") + 1], needed)
    except ValueError as error:
        raise TaskError(f"{path}: {error}") from error
    steps = table[:, names["step"]].astype(np.int64)
    if np.any(np.diff(steps) <= 0):
        last = len(steps) - 1 - np.unique(steps[::-1], return_index=True)[1]
        steps, table = steps[last], table[last]
    finite = np.abs(table).max(axis=1, initial=0) < _HUGE  # false for NaN, too
    columns = {name: table[:, place] for name, place in names.items()}
    return StepTable(steps, columns, finite, table)


def _table(content: bytes, needed: Sequence[Sequence[str]]) -> tuple[dict[str, int], np.ndarray]:
    """Place of each column by name, and the rows, shape (n, columns)."""
    head, _, body = content.partition(b"\n")
    words = head.decode("ascii", "replace").replace("#", " ").split()
    names = {name: place for place, name in enumerate(words)}
    if not all(names.keys() & set(group) for group in (("step",), *needed)):
        wanted = " and ".join(group[0] for group in (("step",), *needed))
        raise ValueError(f"line 1 does not name the columns {wanted}")
    if b"#" in body:  # runs that were joined repeat the header
        rows = [line for line in body.split(b"\n") if not line.lstrip().startswith(b"#")]
        body = b"\n".join(rows)
    width = len(body.partition(b"\n")[0].split()) or len(names)
    if width < len(names):
        raise ValueError(f"line 1 names {len(names)} columns, line 2 has {width}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # how numpy 2.0 meets a bad word
            numbers = np.fromstring(body.decode("ascii"), dtype=float, sep=" ")
        lines = body.count(b"\n")
        if numbers.size != width * lines:
            numbers = np.array(body.split(), dtype=float)  # also says what cannot be read
        return names, numbers.reshape(-1, width)
    except ValueError as error:
        raise ValueError(f"a row does not hold {width} numbers: {error}") from error


def write_step_table(path: Path, names: Sequence[str], steps: np.ndarray, rows: np.ndarray) -> None:
    """Write a table in one step.

    Parameters
    ----------
    names
        Of all columns, that of the steps first.
    steps
        MD steps, shape (n,).
    rows
        The other columns, shape (n, number of names - 1).
    """
    lines = ["#" + " ".join([f"{names[0]:>9}", *(f"{name:>15}" for name in names[1:])])]
    for step, row in zip(np.asarray(steps).tolist(), np.asarray(rows, dtype=float).tolist()):
        lines.append(f"{step:10d} " + " ".join(f"{number:15.8e}" for number in row))
    files.write_text(path, "\n".join(lines) + "\n")
