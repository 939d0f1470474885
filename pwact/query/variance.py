"""The choice that lowers the variance of a model over all fresh frames the most.

Features G of a frame (rows × m, `pwact.formats.features`) hold the variance that a model tells of
it, as a mean over its 3N force components: tr[G P Gᵀ] with P = 1 before any further label. A label
tells all components, F = √(3N) G, and turns P into

    P − P Fᵀ (1 + F P Fᵀ)⁻¹ F P

(Sherman, Morrison, Woodbury), so that the mean variance of the fresh frames, tr[C P] with C the
mean of GᵀG over them, falls by

    gain = tr[(1 + F P Fᵀ)⁻¹ F P C P Fᵀ].

The frame of the largest gain is taken, P changed, and so on: A-optimal design for the frames at
hand, made greedily (Chaloner and Verdinelli, Statist. Sci. 10, 273 (1995)). With G in place of F a
label would hardly change P, and the frames of a batch would be alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

import numpy as np

from pwact.errors import TaskError
from pwact.query.pick import first_best, pick_random, pick_stratified, pick_unknown
from pwact.query.picks import FEATURES, STRUCTURES, Pool

TRIED = 80  # candidates that are compared for each pick, drawn at random
BACKGROUND = 2000  # fresh frames of a system whose variance is looked at


def gain(covariance: np.ndarray, mean: np.ndarray, features: np.ndarray) -> float:
    """By how much a label of a frame lowers tr[C P].

    Parameters
    ----------
    covariance
        P, shape (m, m), symmetric.
    mean
        C, shape (m, m), symmetric.
    features
        F of the frame, shape (rows, m).
    """
    seen = features @ covariance
    own = np.eye(len(features)) + seen @ features.T
    return float(np.trace(np.linalg.solve(own, seen @ mean @ seen.T)))


def labelled(covariance: np.ndarray, features: np.ndarray) -> np.ndarray:
    """P after a label of a frame with these features, shape (m, m)."""
    seen = features @ covariance
    own = np.eye(len(features)) + seen @ features.T
    after = covariance - seen.T @ np.linalg.solve(own, seen)
    symmetric: np.ndarray = (after + after.T) / 2.0
    return symmetric


class VariancePick:
    """Of each system, one after the other, the frames that lower its variance the most.

    Controls of all systems, and what is chosen of one, count for those that follow: all have one
    model. Of candidates whose uncertainty is no number as many are drawn as is their share.
    """

    words = "by variance"
    reads: tuple[str, ...] = (FEATURES, STRUCTURES)  # of these the number of atoms
    by_system = False

    def choose(self, pools: Sequence[Pool]) -> list[np.ndarray]:
        """At most as many as the limit of each system says.

        Raises
        ------
        TaskError
            A choice is needed, and no candidate of those that were looked at has features.
        """
        seen = _Model()
        for pool in pools:
            if pool.around is not None:
                for index in pool.around.taken.tolist():
                    seen.learn(seen.label(pool.around.fresh, index))
        return [self._of(pool, seen) for pool in pools]

    def _of(self, pool: Pool, seen: _Model) -> np.ndarray:
        if pool.limit is None or len(pool.values) <= pool.limit:
            return np.arange(len(pool.values))
        drawn, left = pick_unknown(pool.unknown, pool.limit, pool.rng)
        for index in drawn.tolist():
            seen.learn(seen.label(pool, index))
        chosen = drawn.tolist()
        mean = _mean(pool) if len(chosen) < pool.limit else None
        while len(left) and len(chosen) < pool.limit:
            tried = left[pick_random(len(left), TRIED, pool.rng)].tolist()
            found = [seen.label(pool, index) for index in tried]
            best = first_best([seen.gain(mean, features) for features in found])
            seen.learn(found[best])
            chosen.append(tried[best])
            left = left[left != tried[best]]
        return np.array(sorted(chosen), dtype=int)


class _Model:
    """P, which changes with each label; not known before the first features are seen."""

    def __init__(self) -> None:
        self._covariance: Optional[np.ndarray] = None
        self._components: dict[str, int] = {}  # of each trajectory; its atoms do not change

    def label(self, pool: Pool, index: int) -> Optional[np.ndarray]:
        """F of a frame; None where it has none, as where the model could not be evaluated."""
        try:
            features = np.asarray(pool.features(index), dtype=float)
        except TaskError:
            return None
        name = str(pool.trajectories[index])
        if name not in self._components:
            self._components[name] = 3 * len(pool.structure(index))
        return features * float(np.sqrt(self._components[name]))

    def learn(self, features: Optional[np.ndarray]) -> None:
        """A frame will have a label; one without features changes nothing."""
        if features is not None:
            self._covariance = labelled(self._of(features), features)

    def gain(self, mean: Optional[np.ndarray], features: Optional[np.ndarray]) -> float:
        """What a label of this frame brings; nothing where it is not known."""
        if mean is None or features is None:
            return 0.0
        return gain(self._of(features), mean, features)

    def _of(self, features: np.ndarray) -> np.ndarray:
        if self._covariance is None:
            self._covariance = np.eye(features.shape[1])
        return self._covariance


def _mean(pool: Pool) -> np.ndarray:
    """C of the fresh frames of a system, or of its candidates if these are not known."""
    fresh = pool if pool.around is None else pool.around.fresh
    total, count, problem = None, 0, None
    for index in pick_stratified(fresh.values, BACKGROUND, pool.rng).tolist():
        try:
            features = np.asarray(fresh.features(index), dtype=float)
        except TaskError as error:
            problem = error
            continue
        total = features.T @ features if total is None else total + features.T @ features
        count += 1
    if total is None:
        raise problem or TaskError("no frame has features, so none can be chosen by variance")
    mean: np.ndarray = total / count
    return mean
