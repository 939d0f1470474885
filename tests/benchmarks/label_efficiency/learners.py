"""Models that are fitted to labelled frames, and what they say of others.

ML-POD is linear, so a fit is a small system of equations over sums that are made once a pool: the
same equations as in `pwact.engines.pod.fit`, and for a committee the same bootstrap of the frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional, Protocol

import numpy as np

from pwact.engines.pod.fit import LeastSquares, Weights
from pwact.engines.pod.kpu import features_of
from pwact.formats.features import reduced
from tests.benchmarks.label_efficiency.pools import Frames
from tests.benchmarks.label_efficiency.rounds import BATCH, ROUNDS

MEMBERS = 4


@dataclass(frozen=True)
class Fit:
    """A model and its judgement of all frames.

    Attributes
    ----------
    coefficients
        Of the model that explores.
    uncertainty
        u of each frame, shape (n,).
    window
        What PWact's rule looks at, shape (n,): largest deviation in eV/Å, or the KPU.
    factor
        W with WᵀW = P, where there are features.
    """

    coefficients: np.ndarray
    uncertainty: np.ndarray
    window: np.ndarray
    factor: Optional[np.ndarray] = None

    def forces(self, frames: Frames) -> np.ndarray:
        """See `Judgement`."""
        return np.asarray(frames.matrices[:, 1:] @ self.coefficients)

    def features(self, frames: Frames, index: int) -> np.ndarray:
        """See `Judgement`."""
        assert self.factor is not None
        made = features_of(frames.matrices[index], self.factor)
        return np.asarray(reduced(made, made.shape[1]), dtype=np.float32)


class Judgement(Protocol):
    """What rules see of a model; `Fit` tells of the first two."""

    @property
    def uncertainty(self) -> np.ndarray:
        """Of each frame that can be labelled or is, shape (n,)."""

    @property
    def window(self) -> np.ndarray:
        """Likewise."""

    def forces(self, frames: Frames) -> np.ndarray:
        """Of the model that explores, components in eV/Å, shape (n, 3N)."""

    def features(self, frames: Frames, index: int) -> np.ndarray:
        """Of one frame, as an evaluation leaves them: `pwact.formats.features`."""


class Learner(Protocol):
    """A way to fit and to judge."""

    relative: bool  # whether PWact's rule has multiples of a base as limits
    whole: str  # name of the learner whose model of all frames tells what can be reached
    rounds: int
    batch: int  # labels of a round
    part: int  # every frame of a pool is there, every second one, …

    def fit(self, labelled: Sequence[int], rng: np.random.Generator) -> Judgement:
        """Fit to these of the frames."""


class Sums(LeastSquares):
    """The sums of a fit, from those of its frames."""

    def __init__(self, squares: np.ndarray, vector: np.ndarray, p0: float) -> None:
        super().__init__(len(vector), p0, 1.0)
        self._normal += squares
        self._vector += vector
        self._inverse += squares


class Squares:
    """Of each frame hhᵀ and h y, summed over its rows; `forces` without energy and weights."""

    def __init__(self, frames: Frames, settings: dict[str, float]) -> None:
        self.p0 = settings["p0_weight"]
        self.regularization = settings["fitting_regularization_parameter"]
        weights = Weights(settings["fitting_weight_energy"], settings["fitting_weight_force"])
        rows = frames.truths.shape[1]
        factors = weights.of(rows)
        energies, values = frames.matrices[:, 0], frames.truths
        self.forces = np.array([one[1:].T @ one[1:] for one in frames.matrices])
        self._energy = float(factors[0, 0] ** 2)
        self._force = float(factors[1, 0] ** 2)
        self._rows = energies
        self._vectors = self._energy * energies * values[:, :1] + self._force * np.array(
            [one[1:].T @ value[1:] for one, value in zip(frames.matrices, values)]
        )
        self.components = rows - 1

    def sums(self, labelled: Sequence[int]) -> Sums:
        """Of a fit to these frames, which may come several times."""
        places, counts = np.unique(np.asarray(labelled), return_counts=True)
        squares = self._force * np.einsum("n,nij->ij", counts, self.forces[places])
        rows = self._rows[places]
        squares += self._energy * (rows * counts[:, None]).T @ rows
        return Sums(squares, counts @ self._vectors[places], self.p0)

    def mean_square(self, matrix: np.ndarray) -> np.ndarray:
        """Mean over the force components φ of each frame of φᵀ matrix φ, shape (n,)."""
        flat = self.forces.reshape(len(self.forces), -1)
        return np.asarray(flat @ matrix.ravel()) / self.components


class Linear:
    """ML-POD, which can pay for all frames and rounds."""

    whole, rounds, batch, part = "kpu", ROUNDS, BATCH, 1


class Kpu(Linear):
    """One model and its Kalman prediction uncertainty; u is its root."""

    relative = True

    def __init__(self, frames: Frames, squares: Squares) -> None:
        self._squares = squares

    def fit(self, labelled: Sequence[int], rng: np.random.Generator) -> Fit:
        sums = self._squares.sums(labelled)
        factor = sums.factor()
        kpu = np.maximum(self._squares.mean_square(factor.T @ factor), 0.0)
        coefficients = sums.coefficients(self._squares.regularization)
        return Fit(coefficients, np.sqrt(kpu), kpu, factor)


class Committee(Linear):
    """Four models; the first one, which explores, is fitted to all frames, the others to draws."""

    relative = False

    def __init__(self, frames: Frames, squares: Squares) -> None:
        self._squares = squares
        self._frames = frames

    def fit(self, labelled: Sequence[int], rng: np.random.Generator) -> Fit:
        known = np.asarray(labelled)
        draws = [known[rng.integers(0, len(known), len(known))] for _ in range(1, MEMBERS)]
        sums = [self._squares.sums(some) for some in (known, *draws)]
        members = np.array([one.coefficients(self._squares.regularization) for one in sums])
        off = members - members.mean(axis=0)
        forces = self._frames.matrices[:, 1:] @ off.T
        apart = (forces**2).mean(axis=2).reshape(len(forces), -1, 3).sum(axis=2)
        return Fit(members[0], np.sqrt(apart.mean(axis=1)), np.sqrt(apart.max(axis=1)))
