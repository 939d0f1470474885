"""``model_devi.out``: how much a committee disagrees along a trajectory.

MatPL and DeePMD-kit order the columns differently, so they are found by name. Forces in eV/Å.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pwact.errors import TaskError
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
_HUGE = 1e300  # what a sum of squares overflows to; DeePMD prints 1.797693e+308


@dataclass
class Deviations:
    """The usable rows of a trajectory, by ascending step, each once.

    Attributes
    ----------
    steps
        MD steps, int, shape (n,).
    max_f, avg_f, min_f
        Deviation of the forces over the atoms, eV/Å, shape (n,).
    failed
        Frames that no model can describe, bool, shape (n,): the row is not finite, or is zero
        after the first step (what DeePMD prints once atoms have collided).
    """

    steps: np.ndarray
    max_f: np.ndarray
    avg_f: np.ndarray
    min_f: np.ndarray
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
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TaskError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        names, table = _table(content[: content.rfind(b"\n") + 1])
    except ValueError as error:
        raise TaskError(f"{path}: {error}") from error
    steps = table[:, names["step"]].astype(np.int64)
    if np.any(np.diff(steps) <= 0):
        last = len(steps) - 1 - np.unique(steps[::-1], return_index=True)[1]
        steps, table = steps[last], table[last]
    absent = np.full(len(steps), np.nan)
    avg_f, min_f, max_f = (
        table[:, names[name]] if name in names else absent
        for name in ("avg_devi_f", "min_devi_f", "max_devi_f")
    )
    if "max_devi_f" not in names:
        max_f = avg_f
    finite = np.abs(table).max(axis=1, initial=0) < _HUGE  # false for NaN, too
    return Deviations(steps, max_f, avg_f, min_f, ~finite | ((max_f == 0) & (steps > 0)))


def _table(content: bytes) -> tuple[dict[str, int], np.ndarray]:
    """Place of each column by name, and the rows, shape (n, columns)."""
    head, _, body = content.partition(b"\n")
    words = head.decode("ascii", "replace").replace("#", " ").split()
    names = {name: place for place, name in enumerate(words)}
    if "step" not in names or not names.keys() & {"max_devi_f", "avg_devi_f"}:
        raise ValueError("line 1 does not name the columns step and max_devi_f")
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
        shape (n, 6).
    """
    lines = ["#" + " ".join([f"{COLUMNS[0]:>8}", *(f"{name:>16}" for name in COLUMNS[1:])])]
    for step, row in zip(np.asarray(steps).tolist(), np.asarray(rows, dtype=float).tolist()):
        lines.append(f"{step:9d} " + " ".join(f"{number:16.9f}" for number in row))
    files.write_text(path, "\n".join(lines) + "\n")
