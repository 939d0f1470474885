"""What a rule gets that chooses which candidates are labelled, and the rule that draws lots.

A rule is a function of frames: of how uncertain they are, and if it asks for more, of their
structures, read when they are looked at, and of their features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Optional, Protocol

import numpy as np

from pwact.query.pick import pick_random

if TYPE_CHECKING:
    from ase import Atoms

    from pwact.query.duplicates import Known

STRUCTURES = "frames"
FEATURES = "features"


class Frames(Protocol):
    """Where a rule gets more of a frame than its uncertainty."""

    def structure(self, trajectory: str, step: int) -> Atoms:
        """The structure of a frame, with the forces of the exploring model as ``forces``."""

    def features(self, trajectory: str, step: int) -> np.ndarray:
        """Shape (rows, m), float32; see `pwact.formats.features`.

        Raises
        ------
        TaskError
            This frame has none.
        """


@dataclass(frozen=True)
class Around:
    """What a rule may know beside the candidates of a system, where the loop has a target.

    Attributes
    ----------
    fresh
        All fresh physical frames of the system, candidates and accepted ones.
    taken
        Indices into `fresh` of those that are labelled in any case, ascending.
    known
        The frames that have labels; None where they were not given.
    """

    fresh: Pool
    taken: np.ndarray
    known: Optional[Known] = None


@dataclass(frozen=True)
class Pool:
    """The candidates of one system.

    Attributes
    ----------
    values
        How uncertain each is, shape (n,).
    steps
        MD steps, int, shape (n,).
    trajectories
        Directory of the trajectory, str objects, shape (n,).
    limit
        The most that may be chosen; None for all.
    rng
        Belongs to the system, wherever and whenever the choice is made.
    frames
        None where the rule asks for nothing more.
    around
        None where the loop has no target.
    """

    values: np.ndarray
    steps: np.ndarray
    trajectories: np.ndarray
    limit: Optional[int]
    rng: np.random.Generator
    frames: Optional[Frames] = None
    around: Optional[Around] = None

    @property
    def unknown(self) -> np.ndarray:
        """Which candidates have an uncertainty that says nothing: 0, negative, not a number."""
        says: np.ndarray = np.isfinite(self.values) & (self.values > 0)
        return ~says

    def at(self, which: np.ndarray) -> Pool:
        """The candidates at these places, in this order, or of this mask."""
        values, steps, names = self.values[which], self.steps[which], self.trajectories[which]
        return replace(self, values=values, steps=steps, trajectories=names)

    def structure(self, index: int) -> Atoms:
        """The structure of a candidate."""
        assert self.frames is not None
        return self.frames.structure(str(self.trajectories[index]), int(self.steps[index]))

    def features(self, index: int) -> np.ndarray:
        """The features of a candidate, shape (rows, m)."""
        assert self.frames is not None
        return self.frames.features(str(self.trajectories[index]), int(self.steps[index]))


class Pick(Protocol):
    """A rule.

    Attributes
    ----------
    words
        How it chooses, in ``select_summary.txt``: ``randomly``.
    reads
        `STRUCTURES`, `FEATURES`, or nothing: what it looks at besides the uncertainties. The choice
        then depends on these too.
    by_system
        Whether what it chooses of a system does not depend on other systems.
    """

    words: str
    reads: tuple[str, ...]
    by_system: bool

    def choose(self, pools: Sequence[Pool]) -> list[np.ndarray]:
        """For each pool which candidates are labelled: indices, ascending, each once."""


class RandomPick:
    """Each candidate has the same chance."""

    words = "randomly"
    reads: tuple[str, ...] = ()
    by_system = True

    def choose(self, pools: Sequence[Pool]) -> list[np.ndarray]:
        """At most as many as the limit of each system says."""
        return [pick_random(len(pool.values), pool.limit, pool.rng) for pool in pools]


RANDOM = RandomPick()
