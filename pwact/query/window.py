"""The window of deviations inside which a frame is worth labelling."""

from __future__ import annotations

import numpy as np

ACCURATE = 0
CANDIDATE = 1
FAILED = 2


def classify(values: np.ndarray, failed: np.ndarray, lower: float, upper: float) -> np.ndarray:
    """Class of each frame.

    Parameters
    ----------
    values
        Deviations, shape (n,).
    failed
        Frames that failed whatever their deviation, bool, shape (n,).
    lower, upper
        The window, in the unit of `values`.

    Returns
    -------
    numpy.ndarray
        int8, shape (n,): `ACCURATE` below lower, `CANDIDATE` for lower <= value < upper, `FAILED`
        from upper on, for NaN, and where `failed`.
    """
    values = np.asarray(values, dtype=float)
    classes = np.full(values.shape, FAILED, dtype=np.int8)
    classes[values < upper] = CANDIDATE
    classes[values < lower] = ACCURATE
    classes[np.asarray(failed, dtype=bool) | ~np.isfinite(values)] = FAILED
    return classes
