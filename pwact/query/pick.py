"""Picks some of many."""

from __future__ import annotations

from typing import Optional

import numpy as np


def pick_random(count: int, limit: Optional[int], rng: np.random.Generator) -> np.ndarray:
    """Choose at most `limit` of `count` things, all with equal chance.

    Returns
    -------
    numpy.ndarray
        The chosen indices, ascending, each once; all of them if there is no limit.
    """
    if limit is None or count <= limit:
        return np.arange(count)
    return np.sort(rng.choice(count, size=max(limit, 0), replace=False))
