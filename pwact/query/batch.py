"""The frames of a round that are labelled: controls by lot, the rest by a rule, none twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Optional

import numpy as np

from pwact.query.calibration import FEWEST
from pwact.query.controls import controls_of, draw_controls
from pwact.query.duplicates import Known
from pwact.query.picks import Around, Pick, Pool

TIMES = 20  # a rule is asked, at most, to replace frames that are nearly known ones


class Batch:
    """What is labelled of all systems.

    Parameters
    ----------
    pools
        All fresh frames of each system, and how many of them may be labelled.
    physical
        Which of them are looked at, bool.
    accepted
        Which are accepted, bool; a part of the physical ones.
    known
        The frames that have labels, if they are to be compared.
    trial
        See `room_of`.

    Attributes
    ----------
    controls, chosen
        For each system indices of its frames; no frame is in both.
    """

    def __init__(
        self,
        pools: Sequence[Pool],
        physical: Sequence[np.ndarray],
        accepted: Sequence[np.ndarray],
        known: Optional[Known],
        trial: bool = False,
    ) -> None:
        self._pools = pools
        self._physical = [mask.copy() for mask in physical]
        self._candidates = [mask & ~below for mask, below in zip(physical, accepted)]
        self._known = known
        self._rooms = [
            room_of(pool.limit, int(mask.sum()), int(free.sum()), trial)
            for pool, mask, free in zip(pools, physical, self._candidates)
        ]
        self.controls: list[np.ndarray] = [np.empty(0, dtype=int) for _ in pools]
        self.chosen: list[np.ndarray] = [np.empty(0, dtype=int) for _ in pools]

    def draw_controls(self) -> None:
        """Draw the controls of each system among all its physical frames.

        A frame that is nearly a labelled one proves nothing; another is drawn in its place.
        """
        for place, pool in enumerate(self._pools):
            limit = len(pool.values) if pool.limit is None else pool.limit
            self._draw(place, controls_of(limit))

    def draw_more(self, least: int) -> None:
        """Draw further controls until `least` frames of all systems together are labelled.

        One of each system in turn, as long as it has room and physical frames.
        """
        while self._count() < least:
            before = self._count()
            for place in range(len(self._pools)):
                if self._count() < least and self._left(place):
                    self._draw(place, 1)
            if self._count() == before:
                return

    def _count(self) -> int:
        return sum(map(len, [*self.controls, *self.chosen]))

    def _draw(self, place: int, wanted: int) -> None:
        """Add controls of one system."""
        pool, free = self._pools[place], self._physical[place].copy()
        free[self.controls[place]] = False
        free[self.chosen[place]] = False
        drawn: list[int] = []
        while len(drawn) < wanted and free.any():
            for index in draw_controls(free, wanted - len(drawn), pool.rng).tolist():
                free[index] = False
                if self._is_new(pool, index):
                    drawn.append(index)
        self.controls[place] = np.sort(np.append(self.controls[place], drawn).astype(int))
        self._candidates[place][self.controls[place]] = False

    def choose(self, pick: Pick) -> None:
        """Let a rule choose among the frames that are not accepted.

        It is asked again for as many as were nearly known.
        """
        for _ in range(TIMES):
            free = [
                np.flatnonzero(mask) if self._left(place) else np.empty(0, dtype=int)
                for place, mask in enumerate(self._candidates)
            ]
            if not any(map(len, free)):
                return
            offered = [self._offer(place, one) for place, one in enumerate(free)]
            for place, found in enumerate(pick.choose(offered)):
                self._accept(place, free[place][found])
            if self._known is None:
                return

    def _accept(self, place: int, found: np.ndarray) -> None:
        self._candidates[place][found] = False
        new = [index for index in found.tolist() if self._is_new(self._pools[place], index)]
        self.chosen[place] = np.sort(np.append(self.chosen[place], new).astype(int))

    def _is_new(self, pool: Pool, index: int) -> bool:
        """Whether a frame is not nearly a known one; it is known from now on."""
        if self._known is None:
            return True
        atoms = pool.structure(index)
        if self._known.near(atoms):
            return False
        self._known = self._known.with_one(atoms)
        return True

    def _left(self, place: int) -> int:
        """How many frames of a system may still be chosen."""
        there = len(self.controls[place]) + len(self.chosen[place])
        return max(self._rooms[place] - there, 0)

    def _offer(self, place: int, free: np.ndarray) -> Pool:
        pool = self._pools[place]
        physical = np.flatnonzero(self._physical[place])
        taken = np.concatenate([self.controls[place], self.chosen[place]])
        around = Around(pool.at(physical), np.sort(np.searchsorted(physical, taken)), self._known)
        return replace(pool.at(free), limit=self._left(place), around=around)


def room_of(limit: Optional[int], frames: int, above: int, trial: bool = False) -> int:
    """How many frames of a system are labelled at most.

    Its controls, and of the rest the part that lies above the limit: the nearer a system is to its
    end, the less there is to learn at once. But `FEWEST`, so that a round says something of its own
    model; and no more in a round of trial.

    Parameters
    ----------
    limit
        The most that the user wants; None for all.
    frames, above
        Physical frames, and those that are not accepted.
    trial
        Whether nothing is known of this condition yet. Often the model is good enough there, which
        a few labels show.
    """
    most = frames if limit is None else limit
    if trial:
        return min(most, FEWEST)
    if limit is None:
        return frames
    controls = controls_of(limit)
    wanted = controls - (-(limit - controls) * above // max(frames, 1))
    return min(limit, max(wanted, FEWEST))


def fresh_of(pool: Pool, physical: np.ndarray, known: Optional[Known]) -> np.ndarray:
    """Which physical frames of a system count: all but those without forces that have labels.

    All models agree about a perfect crystal, with which many an MD begins: its uncertainty is zero,
    so it is never accepted, and few frames would keep a condition from its end for ever.
    """
    fresh = np.array(physical, dtype=bool)
    if known is not None:
        for place in np.flatnonzero(fresh & (pool.values == 0)).tolist():
            fresh[place] = not known.near(pool.structure(place))
    return fresh
