"""Pools of made frames: features and structures come from arrays, and reads are counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Optional

import numpy as np
from ase import Atoms

from pwact.errors import TaskError
from pwact.query.picks import Pool


@dataclass
class MadeFrames:
    """Features and structures by step, of any trajectory."""

    matrices: dict[int, np.ndarray] = field(default_factory=dict)
    structures: dict[int, Atoms] = field(default_factory=dict)
    read: list[int] = field(default_factory=list)

    def structure(self, trajectory: str, step: int) -> Atoms:
        del trajectory
        self.read.append(step)
        return self.structures[step]

    def features(self, trajectory: str, step: int) -> np.ndarray:
        self.read.append(step)
        if step not in self.matrices:
            raise TaskError(f"{trajectory}: step {step} has no features")
        return self.matrices[step]


def pool_of(
    values: Sequence[float],
    limit: Optional[int] = 10,
    frames: Optional[MadeFrames] = None,
    seed: int = 0,
    trajectories: int = 3,
) -> Pool:
    """A pool whose n-th frame is step n of one of some trajectories."""
    count = len(values)
    names = np.array([f"{n % trajectories}" for n in range(count)], dtype=object)
    rng = np.random.default_rng(seed)
    return Pool(np.asarray(values, dtype=float), np.arange(count), names, limit, rng, frames)


def permuted(pool: Pool, order: np.ndarray, seed: int = 0) -> Pool:
    """The same frames in another order, with a fresh generator."""
    rng = np.random.default_rng(seed)
    rows = (pool.values[order], pool.steps[order], pool.trajectories[order])
    return Pool(*rows, pool.limit, rng, pool.frames)
