"""The window of Kalman prediction uncertainty, which each group of trajectories has of its own.

The uncertainty of a model is known up to a factor only, so the limits are multiples of a base: what
the model says of frames near the start of the MD, which it knows well. After ALKPU,
arXiv 2411.13850.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pwact.query.window import Scores, Window

FEWEST = 5
ONE_OF = 100


def base_of(trajectories: Sequence[Scores]) -> float:
    """Mean over the first rows of all trajectories, which are pooled.

    Of a trajectory with n rows these are the first ``max(5, floor(0.01 n))``. Rows that failed are
    left out.

    Returns
    -------
    float
        NaN when no row is left.
    """
    first = []
    for one in trajectories:
        rows = slice(max(FEWEST, len(one.values) // ONE_OF))
        usable = ~one.failed[rows] & np.isfinite(one.values[rows])
        first.append(one.values[rows][usable])
    pooled = np.concatenate(first or [np.empty(0)])
    return float(pooled.mean()) if pooled.size else float("nan")


def kpu_window(base: float, kpu_lower: float, kpu_upper: float) -> Window:
    """The limits of a group: ``base · kpu_lower``, and ``kpu_upper`` times that."""
    lower = base * kpu_lower
    return Window(lower, lower * kpu_upper)
