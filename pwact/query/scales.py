"""Which number the errors of a model follow best: its uncertainty, its forces, or both.

What one model says of its own doubt is known up to a factor, and multiplied by σ, its force error
on its training data, so that pairs of several models lie on one line. The deviation of a committee
is a force already; σ, which is far too small where a model has few data, would only blur it
(docs/benchmarks.md#label-efficiency). The errors of a network that was tuned for a short time are a
share of the force itself, so that the size of the predicted force says more than the uncertainty
does; sqrt(u |F|) lies between. Whichever has the steadiest ratio to the errors that are known is
the one to go by.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Union

import numpy as np

from pwact.query.calibration import FEWEST, LATEST, Pairs, starting_pairs

UNCERTAINTY, ALONE, FORCE, BOTH = "u", "u_alone", "force", "u_force"
RELATIVE = (UNCERTAINTY, FORCE, BOTH)  # what is compared for an uncertainty without a unit
ABSOLUTE = (ALONE, FORCE, BOTH)  # for one in eV/Å


def measures(
    uncertainty: np.ndarray, force: np.ndarray, sigma: Union[float, np.ndarray]
) -> dict[str, np.ndarray]:
    """All that `best_scale` may compare: `RELATIVE` or `ABSOLUTE` ones.

    Parameters
    ----------
    uncertainty
        u of each frame, eV/Å or any other unit, shape (n,).
    force
        Root mean square over the components of the predicted forces, eV/Å, shape (n,).
    sigma
        Force error of the model on its training data, eV/Å, of each frame or of all.

    Returns
    -------
    dict
        ``u``: σ u; ``u_alone``: u itself; ``force``: σ |F|; ``u_force``: σ sqrt(u |F|); each of
        shape (n,). NaN where the product is negative.
    """
    u = np.asarray(uncertainty, dtype=float)
    with np.errstate(invalid="ignore"):
        both = np.sqrt(u * force)
    return {UNCERTAINTY: sigma * u, ALONE: u, FORCE: sigma * force, BOTH: sigma * both}


def pairs_of_start(
    measure: str,
    training: tuple[np.ndarray, np.ndarray, np.ndarray],
    sigma: float,
) -> Pairs:
    """Pairs of the frames on which a model was trained: see `starting_pairs`.

    A model with more parameters than data reproduces these frames, whatever it is worth on others.
    Members of a committee that did not draw a frame deviate there as much as they err, so that the
    error counts at least as much as the deviation does, by force component.

    Parameters
    ----------
    measure
        By which frames are judged.
    training
        Uncertainty u, root mean square of the predicted force components (eV/Å), and error (eV/Å)
        of each, shape (n,).
    sigma
        As in `measures`.
    """
    uncertainty, force, error = training
    scaled = measures(uncertainty, force, sigma)[measure]
    least = scaled / np.sqrt(3.0) if measure == ALONE else 0.0
    return starting_pairs(scaled, error, least)


def spread(measure: np.ndarray, error: np.ndarray) -> float:
    """Standard deviation of log(error / measure); infinite with fewer than `FEWEST` frames.

    Frames where one of both is not positive and finite are left out.
    """
    ratio = _logarithms(measure, error)
    return float(np.std(ratio, ddof=1)) if len(ratio) >= FEWEST else float("inf")


def best_scale(measures: Mapping[str, np.ndarray], error: np.ndarray) -> str:
    """The measure with the least spread of log(error / measure).

    Parameters
    ----------
    measures
        Name → number of each labelled frame, shape (n,), in the order of preference.
    error
        RMSE of the force components of these frames, eV/Å, shape (n,).

    Returns
    -------
    str
        The first name where fewer than `FEWEST` frames have all measures and an error that are
        positive: all are compared by the same frames, the last `LATEST` of these, from which the
        limit is found too. The first one wins where two are equal.
    """
    names = list(measures)
    columns = np.array([measures[name] for name in names], dtype=float)
    with np.errstate(invalid="ignore"):
        good = np.isfinite([*columns, error]) & (np.array([*columns, error]) > 0)
    known = np.flatnonzero(np.all(good, axis=0))[-LATEST:]
    values = [round(spread(column[known], np.asarray(error)[known]), 9) for column in columns]
    return names[int(np.argmin(values))]


def _logarithms(measure: np.ndarray, error: np.ndarray) -> np.ndarray:
    both = np.array([measure, error], dtype=float)
    good = np.all(np.isfinite(both) & (both > 0), axis=0)
    logarithms: np.ndarray = np.log(both[1, good]) - np.log(both[0, good])
    return logarithms
