"""How uncertainties are spread, and a window that would find candidates among them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Optional

import numpy as np

PERCENT = (0, 5, 25, 50, 75, 95, 100)


def quantiles(values: np.ndarray) -> tuple[float, ...]:
    """The values at `PERCENT`, each one of the given ones; NaN is left out, () without any."""
    finite = np.sort(values[np.isfinite(values)])
    if not finite.size:
        return ()
    places = np.round(np.array(PERCENT) / 100 * (finite.size - 1)).astype(int)
    return tuple(float(value) for value in finite[places])


def window_to_try(
    spread: Sequence[float], below: bool, above: bool, ratio: float
) -> Optional[tuple[float, float]]:
    """A window of two digits that holds some of the values.

    Parameters
    ----------
    spread
        What `quantiles` gives.
    below, above
        Whether there are values below the present window, and above it. Where all are below, the
        upper quarter becomes candidates, and there is room for larger ones; where all are above,
        the lower three quarters; where both, the middle.
    ratio
        Upper by lower limit of the present window.

    Returns
    -------
    tuple
        Lower and upper limit; None where all values are zero, or there are none.
    """
    if not spread or not spread[-1] > 0:
        return None
    low = dict(zip(PERCENT, spread))
    if below and above:
        lower, upper = low[25], low[95]
    elif above:
        lower, upper = low[5], low[75]
    else:
        lower = low[75]
        upper = max(2.0 * low[100], min(ratio, 10.0) * lower)
    lower = _rounded(lower or low[100] / 2, math.floor)
    return lower, _rounded(max(upper, lower) * 1.001, math.ceil)


def _rounded(value: float, direction: object) -> float:
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    steps = math.ceil(value / unit) if direction is math.ceil else math.floor(value / unit + 1e-9)
    return float(f"{steps * unit:.2g}")
