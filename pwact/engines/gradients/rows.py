"""Gradients of a model's forces by its weights, as short rows.

For a vector v of +1 and -1 over the 3N force components F of a frame and the weights w, the row is
g = S(∂(v·F)/∂w): one backward pass through the graph of the forces, then the sketch S of
`pwact.query.sketch`, which adds every weight to one of m buckets and is no matrix. The mean of
g gᵀ over v is S JᵀJ Sᵀ, J = ∂F/∂w (M. F. Hutchinson, Commun. Stat. Simul. Comput. 19, 433 (1990)).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pwact.errors import TaskError
from pwact.query.sketch import sketch_of

if TYPE_CHECKING:
    from ase import Atoms

    from pwact.engines.gradients.differentiable import Differentiable

COLUMNS = 1024  # so many weights, those of small networks, need no sketch
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

    def along(self, frames: Sequence[Atoms], directions: np.ndarray) -> np.ndarray:
        """J Sᵀd for each direction d of the rows (k, m), shape (k, atoms of all frames, 3).

        Raises
        ------
        TaskError
            A frame cannot be evaluated.
        """


class GradientRows:
    """Rows of a PyTorch model. One frame is in memory at a time. See `Rows`.

    Parameters
    ----------
    most
        Most columns; a model with fewer weights gets one a weight.
    """

    def __init__(self, model: Differentiable, most: int = COLUMNS) -> None:
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

    def along(self, frames: Sequence[Atoms], directions: np.ndarray) -> np.ndarray:
        """See `Rows`; by differences, whose step is that part of the weights which loses least."""
        import torch  # noqa: PLC0415

        step = float(torch.finfo(self._weights[0].dtype).eps) ** 0.5
        size = float(sum(weight.detach().double().square().sum() for weight in self._weights))
        first, made = self._forces(frames), []
        for direction in directions:
            change = [
                signs.new_tensor(direction)[buckets] * signs
                for buckets, signs in zip(self._buckets, self._signs)
            ]
            length = float(sum(part.square().sum() for part in change))
            by = step * (size / length) ** 0.5
            made.append((self._moved(frames, change, by) - first) / by)
        return np.array(made)

    def _moved(self, frames: Sequence[Atoms], change: Sequence[Any], by: float) -> np.ndarray:
        """Forces with other weights, which are put back."""
        import torch  # noqa: PLC0415

        before = [weight.detach().clone() for weight in self._weights]
        try:
            with torch.no_grad():
                for weight, part in zip(self._weights, change):
                    weight.add_(part.reshape(weight.shape).to(weight.dtype), alpha=by)
            return self._forces(frames)
        finally:
            with torch.no_grad():
                for weight, kept in zip(self._weights, before):
                    weight.copy_(kept)

    def _forces(self, frames: Sequence[Atoms]) -> np.ndarray:
        made: np.ndarray = self._model.evaluate(frames)[1].detach().cpu().double().numpy()
        return made

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
