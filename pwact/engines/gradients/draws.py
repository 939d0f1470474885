"""The variance of forces by weights that are drawn from the posterior of one model.

With P = LᵀL of the training data, the sketch S and ξ of independent normal numbers, δ = Sᵀ Lᵀ ξ are
changes of the weights with the covariance SᵀPS. Forces follow them as F(w + δ) ≈ F(w) + J δ, so

    u² = (1/3N) (1/D) Σ_d |J δ_d|²

is an estimate of the mean over the 3N force components of their variance: what
`pwact.engines.gradients.evaluator` estimates by gradients along random vectors over the components.
D directions cost D + 1 evaluations, many frames at a time, and no second derivative. Every frame is
judged by the same δ, so that ratios, which alone mean anything, suffer least.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pwact.engines.gradients.rows import Rows
from pwact.errors import TaskError

if TYPE_CHECKING:
    from ase import Atoms

MOST_ATOMS = 512  # that are evaluated at a time, where a frame is not larger
_SEED = 2024


class Draws:
    """Changes of the weights of a model, and what they do to forces.

    Parameters
    ----------
    factor
        L, shape (m, m).
    count
        D.
    """

    def __init__(self, rows: Rows, factor: np.ndarray, count: int) -> None:
        rng = np.random.default_rng([_SEED, 2])
        self._rows = rows
        self._directions = rng.normal(size=(count, len(factor))) @ factor

    def variances(self, frames: Sequence[Atoms]) -> list[float]:
        """u² of each frame; NaN for one that cannot be evaluated."""
        try:
            changes = self._rows.along(frames, self._directions)
        except TaskError:
            if len(frames) == 1:
                return [float("nan")]
            return [self.variances([atoms])[0] for atoms in frames]
        ends = np.cumsum([len(atoms) for atoms in frames])[:-1]
        return [float(np.mean(part**2)) for part in np.split(changes, ends, axis=1)]
