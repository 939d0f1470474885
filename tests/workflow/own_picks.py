"""Two rules of ones own, as somebody adds them: by structures, and by features."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pwact.query.picks import FEATURES, STRUCTURES, Pool


class FarthestPick:
    """Of each system the frames that are farthest from each other, the first one first."""

    words = "by distance"
    reads: tuple[str, ...] = (STRUCTURES,)
    by_system = True

    def choose(self, pools: Sequence[Pool]) -> list[np.ndarray]:
        return [self._of(pool) for pool in pools]

    def _of(self, pool: Pool) -> np.ndarray:
        places = np.array([pool.structure(n).positions.ravel() for n in range(len(pool.values))])
        chosen: list[int] = [0] if len(places) else []
        while len(chosen) < min(pool.limit or len(places), len(places)):
            apart = np.linalg.norm(places[:, None] - places[chosen], axis=2).min(axis=1)
            chosen.append(int(apart.argmax()))
        return np.array(sorted(chosen), dtype=int)


class VariancePick:
    """Over all systems the frames that leave the least variance, one after the other."""

    words = "by variance"
    reads: tuple[str, ...] = (FEATURES,)
    by_system = False

    def choose(self, pools: Sequence[Pool]) -> list[np.ndarray]:
        chosen: list[list[int]] = [[] for _ in pools]
        known = np.eye(2)  # P, in which the features are white
        for _ in range(sum(pool.limit or len(pool.values) for pool in pools)):
            gains = [
                (float(np.trace(rows @ known @ rows.T)), where, n, rows)
                for where, pool in enumerate(pools)
                for n in range(len(pool.values))
                if n not in chosen[where] and len(chosen[where]) < (pool.limit or len(pool.values))
                for rows in (pool.features(n),)
            ]
            if not gains:
                break
            _, where, n, rows = max(gains, key=lambda gain: gain[0])
            chosen[where].append(n)
            known = np.linalg.inv(np.linalg.inv(known) + rows.T @ rows)
        return [np.array(sorted(mine), dtype=int) for mine in chosen]
