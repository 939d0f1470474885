"""Control labels: frames drawn by lot, which prove what the limit promises.

Frames that a rule has chosen are the uncertain ones and say nothing about the accepted rest. Only
frames that are drawn among all fresh ones, accepted or not, are an honest sample of the error.
"""

from __future__ import annotations

import numpy as np

from pwact.query.pick import pick_random

MANY = 8  # frames a system and iteration, from which there are two controls


def controls_of(count: int) -> int:
    """How many of `count` labels are controls: two of eight and more, else one, of none none."""
    if count <= 0:
        return 0
    return 2 if count >= MANY else 1


def draw_controls(physical: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """Draw at most `k` frames, all physical ones with equal chance.

    Parameters
    ----------
    physical
        Which of the fresh frames are physical, bool, shape (n,).

    Returns
    -------
    numpy.ndarray
        Indices among the n, ascending, each once.
    """
    among = np.flatnonzero(physical)
    drawn: np.ndarray = among[pick_random(len(among), k, rng)]
    return drawn
