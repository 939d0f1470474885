"""Picks some of many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional, Union

import numpy as np

EQUAL = 1e-9  # relative; scores that differ by less are equal, whatever the rounding of a library


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


def pick_stratified(values: np.ndarray, limit: int, rng: np.random.Generator) -> np.ndarray:
    """Choose at most `limit` things, one of each of as many strata of equal size by value.

    A mean over them is that over all with less scatter than of a random choice; NaN comes last.

    Returns
    -------
    numpy.ndarray
        The chosen indices, ascending, each once.
    """
    if len(values) <= limit:
        return np.arange(len(values))
    edges = np.arange(limit + 1) * len(values) // max(limit, 1)
    places = rng.integers(edges[:-1], edges[1:])
    return np.sort(np.argsort(values, kind="stable")[places])


def first_best(scores: Union[Sequence[float], np.ndarray]) -> int:
    """Index of the largest score; the first one of those that equal it to `EQUAL`."""
    values = np.asarray(scores, dtype=float)
    most = float(values.max())
    return int(np.argmax(values >= most - EQUAL * abs(most)))


def pick_unknown(
    unknown: np.ndarray, limit: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw of the things of which nothing is known as many as is their share, one at least.

    No rule can compare them with the others, and none of them may be left out for ever.

    Parameters
    ----------
    unknown
        Bool, shape (n,).
    limit
        The most that may be chosen of all n.

    Returns
    -------
    tuple
        Indices of those that were drawn, ascending, and of those of which something is known.
    """
    strange, others = np.flatnonzero(unknown), np.flatnonzero(~unknown)
    share = -(-len(strange) * limit // max(len(unknown), 1))  # rounded up
    share = max(share, limit - len(others))
    return strange[pick_random(len(strange), share, rng)], others
