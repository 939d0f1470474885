"""Gradients of a model's forces by its weights, as short rows.

For a vector v of +1 and -1 over the 3N force components F of a frame and the weights w, the row is
g = S(∂(v·F)/∂w): one backward pass through the graph of the forces, then the sketch S of
`pwact.query.sketch`, which adds every weight to one of m buckets and is no matrix. The mean of
g gᵀ over v is S JᵀJ Sᵀ, J = ∂F/∂w (M. F. Hutchinson, Commun. Stat. Simul. Comput. 19, 433 (1990)).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pwact.errors import TaskError
from pwact.query.sketch import MOST, sketch_of

if TYPE_CHECKING:
    from ase import Atoms

    from pwact.engines.gradients.differentiable import Differentiable

_SEED = 2024


class Rows(Protocol):
    """What makes the rows of frames."""

    @property
    def columns(self) -> int:
        """m, the length of a row."""

    @property
    def identity(self) -> str:
        """The same for the same weights, and for no others."""

    def of(self, atoms: Atoms, vectors: np.ndarray) -> np.ndarray:
        """A row for each of the vectors (k, N, 3), shape (k, m). Raises TaskError."""


class GradientRows:
    """Rows of a PyTorch model. One frame is in memory at a time. See `Rows`.

    Parameters
    ----------
    most
        Most columns; a model with fewer weights gets one a weight.
    """

    def __init__(self, model: Differentiable, most: int = MOST) -> None:
        import torch  # noqa: PLC0415

        self._model = model
        self._weights = model.parameters()
        count = sum(weight.numel() for weight in self._weights)
        if not count:
            raise TaskError("the model has no weights that are trained, so its forces are certain")
        sketch, place = sketch_of(count, most), self._weights[0].device
        sizes = [weight.numel() for weight in self._weights]
        self._buckets = torch.as_tensor(sketch.buckets).to(place).split(sizes)
        self._signs = torch.as_tensor(sketch.signs).to(place).split(sizes)
        self.columns = sketch.columns

    @property
    def identity(self) -> str:
        """SHA-256 of the weights."""
        digest = hashlib.sha256()
        for weight in self._weights:
            digest.update(weight.detach().cpu().double().numpy().tobytes())
        return digest.hexdigest()

    def of(self, atoms: Atoms, vectors: np.ndarray) -> np.ndarray:
        """See `Rows`; float64, whatever the model computes in."""
        _, forces = self._model.evaluate([atoms])
        probes = forces.new_tensor(vectors)
        made = [self._row((probe * forces).sum()).cpu().numpy() for probe in probes]
        return np.array(made)

    def _row(self, value: Any) -> Any:
        """S(∂value/∂w)."""
        import torch  # noqa: PLC0415

        parts = torch.autograd.grad(value, self._weights, retain_graph=True, allow_unused=True)
        row = self._signs[0].new_zeros(self.columns)
        for part, buckets, signs in zip(parts, self._buckets, self._signs):
            if part is not None:  # None where the value does not depend on these weights
                row.index_add_(0, buckets, part.detach().reshape(-1).double() * signs)
        return row


def training_vectors(frame: int, atoms: int, count: int) -> np.ndarray:
    """Signs of the training frame with this number, shape (count, atoms, 3).

    Every frame has others, so that what products of two components add falls away in the sum; none
    are those by which frames are judged.
    """
    rng = np.random.default_rng([_SEED, 1, frame])
    return rng.choice((-1.0, 1.0), (count, atoms, 3))


def judging_vectors(atoms: int, count: int) -> np.ndarray:
    """Signs of any frame that is judged, shape (count, atoms, 3).

    The atom with the same number has the same in all frames, so that their ratios, which alone mean
    anything, suffer least. With count 0 the vectors of single components, shape (3N, N, 3).
    """
    if not count:
        return np.eye(3 * atoms).reshape(-1, atoms, 3)
    rngs = (np.random.default_rng([_SEED, 0, number]) for number in range(count))
    return np.array([rng.choice((-1.0, 1.0), (atoms, 3)) for rng in rngs])
