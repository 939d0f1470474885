"""Features of the frames of a trajectory: one numpy file, written and read frame by frame.

The features of a frame are a matrix G (rows × m, float32) in which the variance that a model tells
of it is the sum of squares: u² = Σ G². With the rows g of a linear model (descriptors of each force
component, or gradients of probed forces) and P = (λI + Σ g gᵀ)⁻¹ over what it was trained on, these
are the rows L g / √(3N) with LᵀL = P. A further label, of a frame of N atoms with features F, so
changes the variance of G to tr[G (1 + 3N FᵀF)⁻¹ Gᵀ], since it tells all 3N components; two frames
whose rows are orthogonal tell different things.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Callable

import numpy as np

from pwact.errors import TaskError
from pwact.io import files

MOST_BYTES = 2**26  # of one trajectory

Put = Callable[[int, np.ndarray], None]


def rows_within(frames: int, columns: int, most_bytes: int) -> int:
    """How many rows the features of a frame may have; never more than columns, which is enough."""
    room = most_bytes // (4 * max(frames, 1) * max(columns, 1))
    return int(min(columns, max(1, room)))


def reduced(matrix: np.ndarray, rows: int) -> np.ndarray:
    """A matrix R of at most `rows` rows with RᵀR = GᵀG, or as near to it as so few rows allow.

    Up to m rows this is exact (QR); with fewer the rows are the leading right singular vectors
    times their values (Eckart and Young, Psychometrika 1, 211 (1936)), so that nothing is drawn.

    Parameters
    ----------
    matrix
        G, shape (any number, m).
    """
    matrix = np.asarray(matrix, dtype=float)
    if len(matrix) <= rows:
        return matrix
    if rows >= matrix.shape[1]:
        return np.asarray(np.linalg.qr(matrix, mode="r"))
    _, values, vectors = np.linalg.svd(matrix, full_matrices=False)
    leading: np.ndarray = values[:rows, None] * vectors[:rows]
    return leading


@contextmanager
def writing_features(
    path: Path, steps: np.ndarray, columns: int, most_rows: int = 0
) -> Iterator[Put]:
    """Write features, a frame at a time; the file appears when all is done.

    Gives a function of the place among `steps` and the matrix of that frame. A frame that was not
    put, or is not finite, has none. No more than one frame is in memory.

    Parameters
    ----------
    steps
        MD steps of all frames, int, shape (n,).
    columns
        m.
    most_rows
        As many as any frame has; 0 if that is not known before.
    """
    rows = rows_within(len(steps), columns, MOST_BYTES)
    rows = min(rows, most_rows or rows)
    kind = np.dtype([("step", "<i8"), ("rows", "<f4", (rows, columns))])
    with files.replacing(path) as aside:
        table = np.lib.format.open_memmap(aside, mode="w+", dtype=kind, shape=(len(steps),))
        for place, step in enumerate(np.asarray(steps).tolist()):
            table[place] = (step, np.nan)

        def put(place: int, matrix: np.ndarray) -> None:
            if not np.isfinite(matrix).all():
                return
            kept = reduced(matrix, rows)
            table["rows"][place] = 0.0
            table["rows"][place, : len(kept)] = kept

        yield put
        table.flush()


class Features:
    """The features of one trajectory, which stay on the disk until they are looked at.

    Raises
    ------
    TaskError
        There is no such file, or it is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._table = np.load(path, mmap_mode="r", allow_pickle=False)
            steps = self._table["step"]
            if (np.diff(steps) <= 0).any():
                raise ValueError("its steps do not rise")
            self._place = {step: n for n, step in enumerate(steps.tolist())}
        except (OSError, ValueError, EOFError, IndexError) as error:
            raise TaskError(f"{path}: no features can be read: {error}") from error

    def of(self, step: int) -> np.ndarray:
        """Shape (rows, m), float32. Raises TaskError where the frame has none."""
        place = self._place.get(step)
        rows = None if place is None else np.asarray(self._table["rows"][place])
        if rows is None or not np.isfinite(rows).all():
            raise TaskError(f"{self._path}: step {step} has no features")
        return rows
