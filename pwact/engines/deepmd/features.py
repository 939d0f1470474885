"""Features of frames from gradients of a network and the matrix P of its Kalman filter.

See `pwact.formats.features`: of a gradient g the row is Cᵀ g with C Cᵀ = P, so that its square is
gᵀ P g. It is sketched where a model has more weights than columns are kept.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pwact.errors import TaskError
from pwact.query.sketch import sketch_of


class Describer:
    """Makes the features of frames from the gradients that an evaluation sees.

    Parameters
    ----------
    blocks
        The blocks of P.

    Raises
    ------
    TaskError
        P is no covariance.
    """

    def __init__(self, blocks: Sequence[np.ndarray]) -> None:
        self._roots = [root_of(block) for block in blocks]
        self._ends = np.cumsum([len(block) for block in blocks])
        self._sketch = sketch_of(int(self._ends[-1]))
        self._rows: list[np.ndarray] = []

    @property
    def columns(self) -> int:
        """How many the features have."""
        return self._sketch.columns

    def see(self, gradient: np.ndarray) -> None:
        """Add a gradient of the present frame, shape (weights,)."""
        parts = zip(self._roots, np.split(gradient, self._ends[:-1]))
        whole = np.concatenate([part @ root for root, part in parts])
        (row,) = self._sketch.of(whole[None])
        # as long as the whole, so that its square stays the uncertainty
        length = np.linalg.norm(row)
        self._rows.append(row * (np.linalg.norm(whole) / length if length > 0 else 0.0))

    def features(self, components: int, probes: int) -> np.ndarray:
        """Those of the present frame, and begin with the next.

        Parameters
        ----------
        components
            3N of the frame.
        probes
            How many gradients were of probes; 0 if they were of single components.

        Returns
        -------
        numpy.ndarray
            The sum of its squares is the mean uncertainty of the components, shape (rows, columns).
        """
        rows, self._rows = np.array(self._rows), []
        made: np.ndarray = rows / np.sqrt(components * (probes or 1))
        return made


def root_of(block: np.ndarray) -> np.ndarray:
    """C with C Cᵀ = P, for P that rounding may have left without quite positive eigenvalues.

    Raises
    ------
    TaskError
        It is no covariance.
    """
    even = (block + block.T) / 2.0
    try:
        return np.asarray(np.linalg.cholesky(even))
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(even)
    if values[0] < -1e-6 * abs(values[-1]):
        raise TaskError(f"the matrix P has an eigenvalue of {values[0]:g}: it is no covariance")
    return np.asarray(vectors * np.sqrt(np.clip(values, 0.0, None)))
