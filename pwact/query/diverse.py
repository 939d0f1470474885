"""Choices without features: uncertain frames that are far from others, or the most uncertain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pwact.query.duplicates import Known, distances
from pwact.query.pick import first_best, pick_stratified, pick_unknown
from pwact.query.picks import STRUCTURES, Pool

LOOKED_AT = 2000  # candidates of a system whose structures are read


class DiversePick:
    """Farthest-point sampling in a descriptor of the structure, weighted with the uncertainty.

    The first frame is the one with the largest product of its uncertainty and its distance to the
    nearest of all labelled frames and controls, the next the one with the largest product where the
    first is among these, and so on (Gonzalez, Theor. Comput. Sci. 38, 293 (1985), for distances
    alone; the descriptor: `pwact.query.descriptor`). Distance alone takes strange frames that
    the model knows well; uncertainty alone takes frames that are all alike. Where nothing has a
    label the most uncertain frame is the first. What is chosen of one system counts for those that
    follow. Of candidates whose uncertainty is no number as many are drawn as is their share.
    """

    words = "by distance and uncertainty"
    reads: tuple[str, ...] = (STRUCTURES,)
    by_system = False

    def choose(self, pools: Sequence[Pool]) -> list[np.ndarray]:
        """At most as many as the limit of each system says."""
        known = _known(pools)
        rows = [known.descriptors]
        for pool in pools:
            if pool.around is not None:
                rows.append(_described(pool.around.fresh, pool.around.taken, known))
        chosen = []
        for pool in pools:
            if pool.limit is None:
                chosen.append(np.arange(len(pool.values)))
                continue
            picked, descriptors = _farthest(pool, known, np.concatenate(rows))
            rows.append(descriptors)
            chosen.append(picked)
        return chosen


def _farthest(pool: Pool, known: Known, there: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The choice of one system and its descriptors; `there` are those that are in already."""
    limit = min(pool.limit or 0, len(pool.values))
    drawn, others = pick_unknown(pool.unknown, limit, pool.rng)
    some = others[pick_stratified(pool.values[others], LOOKED_AT, pool.rng)]
    descriptors = _described(pool, np.concatenate([drawn, some]), known)
    taken, left = descriptors[: len(drawn)], descriptors[len(drawn) :]
    places = farthest_points(
        left, np.concatenate([there, taken]), limit - len(drawn), pool.values[some]
    )
    picked, rows = np.concatenate([drawn, some[places]]), np.concatenate([taken, left[places]])
    return np.sort(picked), rows


def farthest_points(
    points: np.ndarray, there: np.ndarray, count: int, weights: np.ndarray
) -> np.ndarray:
    """Take points one after the other, each the farthest from all that are in already.

    What counts is the weight of a point times its distance to the nearest one that is in.

    Parameters
    ----------
    points
        Shape (n, m).
    there
        Points that are in, shape (k, m).
    weights
        Positive, any unit, shape (n,). Where nothing is in, the largest of these is the first.

    Returns
    -------
    numpy.ndarray
        At most `count` indices among the n, as they were taken. Of points that are equally far the
        first one is taken.
    """
    apart = np.full(len(points), np.inf)
    for one in there:
        apart = np.minimum(apart, distances(points, one))
    taken: list[int] = []
    while len(taken) < min(count, len(points)):
        free = np.setdiff1d(np.arange(len(points)), taken)
        scores = weights * apart if np.isfinite(apart).all() else weights
        best = int(free[first_best(scores[free])])
        taken.append(best)
        apart = np.minimum(apart, distances(points, points[best]))
    return np.array(taken, dtype=int)


def _known(pools: Sequence[Pool]) -> Known:
    """The labelled frames; without them an empty set of the elements of all trajectories."""
    for pool in pools:
        if pool.around is not None and pool.around.known is not None:
            return pool.around.known
    elements: set[int] = set()
    for pool in pools:
        for source in [pool] if pool.around is None else [pool, pool.around.fresh]:
            _, places = np.unique(source.trajectories.astype(str), return_index=True)
            for place in places.tolist():
                elements |= set(source.structure(place).numbers.tolist())
    return Known(elements)


def _described(pool: Pool, places: np.ndarray, known: Known) -> np.ndarray:
    rows = [known.describe(pool.structure(place)) for place in places.tolist()]
    return np.array(rows, dtype=float).reshape(-1, known.descriptors.shape[1])


class TopPick:
    """The most uncertain frames, those of one trajectory kept apart.

    Frames of a trajectory that is n steps long are at least n / (2 k) steps apart, k the number of
    frames that are chosen; if there are not enough of these, half of that, and so on. Of candidates
    whose uncertainty is no number as many are drawn as is their share.
    """

    words = "from the top"
    reads: tuple[str, ...] = ()
    by_system = True

    def choose(self, pools: Sequence[Pool]) -> list[np.ndarray]:
        """At most as many as the limit of each system says."""
        return [self._of(pool) for pool in pools]

    def _of(self, pool: Pool) -> np.ndarray:
        if pool.limit is None or len(pool.values) <= pool.limit:
            return np.arange(len(pool.values))
        chosen, others = pick_unknown(pool.unknown, pool.limit, pool.rng)
        order = others[np.argsort(-pool.values[others], kind="stable")]
        _, names = np.unique(pool.trajectories.astype(str), return_inverse=True)
        lengths = np.array([np.ptp(pool.steps[names == n]) for n in range(names.max() + 1)])
        apart = lengths[names] / (2 * max(pool.limit, 1))
        taken = _kept_apart(order, names, pool.steps, apart, pool.limit - len(chosen))
        return np.sort(np.concatenate([chosen, taken]))


def _kept_apart(
    order: np.ndarray, names: np.ndarray, steps: np.ndarray, apart: np.ndarray, count: int
) -> np.ndarray:
    """The first `count` of `order` that are `apart` in steps, or as far as there are so many."""
    while True:
        taken: list[int] = []
        for index in order.tolist():
            if len(taken) == count:
                break
            same = [one for one in taken if names[one] == names[index]]
            if all(abs(steps[one] - steps[index]) >= apart[index] for one in same):
                taken.append(index)
        if len(taken) == min(count, len(order)):
            return np.array(taken, dtype=int)
        apart = np.where(apart < 1.0, 0.0, apart / 2)
