"""Fewer numbers for long vectors, such that lengths and angles stay about what they were.

Every component of a vector is added, with a random sign, to one of m buckets drawn at random. The
expected product of two sketches is that of the vectors, with a spread of about |x| |y| √(2 / m)
(Charikar, Chen and Farach-Colton, Theor. Comput. Sci. 312, 3 (2004)). Buckets and signs come from a
seed, so that all vectors of a campaign get the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MOST = 512  # buckets, with which choices equal those by whole vectors
_SEED = 2024


@dataclass(frozen=True)
class Sketch:
    """The buckets of a vector's components.

    Attributes
    ----------
    buckets
        Of each component, int, shape (n,).
    signs
        Of each component, +1 or -1, shape (n,).
    columns
        m.
    """

    buckets: np.ndarray
    signs: np.ndarray
    columns: int

    def of(self, rows: np.ndarray) -> np.ndarray:
        """The sketches of the rows (k, n), shape (k, m)."""
        made = [
            np.bincount(self.buckets, weights=self.signs * row, minlength=self.columns)
            for row in np.asarray(rows, dtype=float)
        ]
        return np.array(made).reshape(-1, self.columns)


def sketch_of(size: int, most: int = MOST) -> Sketch:
    """That of vectors with `size` components; up to `most` they are kept as they are."""
    if size <= most:
        return Sketch(np.arange(size), np.ones(size), size)
    rng = np.random.default_rng(_SEED)
    return Sketch(rng.integers(0, most, size), rng.choice((-1.0, 1.0), size), most)
