"""The window of uncertainties inside which a frame is worth labelling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ACCURATE = 0
CANDIDATE = 1
FAILED = 2


@dataclass(frozen=True)
class Limits:
    """Two limits as a user gives them; what they mean is said by the uncertainty."""

    lower: float
    upper: float


@dataclass(frozen=True)
class Window:
    """Candidates are the frames with lower <= value < upper."""

    lower: float
    upper: float


@dataclass(frozen=True)
class Scores:
    """What is compared with the window, for every frame of a trajectory.

    Attributes
    ----------
    steps
        MD steps, int, shape (n,).
    values
        Uncertainties in the unit of their kind, shape (n,).
    failed
        Frames that failed whatever their value, bool, shape (n,).
    """

    steps: np.ndarray
    values: np.ndarray
    failed: np.ndarray

    @property
    def usable(self) -> np.ndarray:
        """The values, NaN for frames that failed whatever their value: pictures show these."""
        usable: np.ndarray = np.where(self.failed, np.nan, self.values)
        return usable


def classify(values: np.ndarray, failed: np.ndarray, lower: float, upper: float) -> np.ndarray:
    """Class of each frame.

    Parameters
    ----------
    values
        Uncertainties, shape (n,).
    failed
        Frames that failed whatever their value, bool, shape (n,).
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
