"""What a rule gets that chooses which candidates are labelled, and the rule that draws lots.

A rule is a function of frames: of how uncertain they are, and if it asks for more, of their
structures, read when they are looked at, and of their features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional, Protocol

import numpy as np

from pwact.query.pick import pick_random

if TYPE_CHECKING:
    from ase import Atoms

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
    """

    values: np.ndarray
    steps: np.ndarray
    trajectories: np.ndarray
    limit: Optional[int]
    rng: np.random.Generator
    frames: Optional[Frames] = None

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
