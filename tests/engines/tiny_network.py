"""A small network in PyTorch, for tests of sketched gradients in another process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from ase import Atoms
from ase.neighborlist import neighbor_list

from pwact.errors import TaskError

CUTOFF = 4.0
NEURONS, CENTRES = 12, torch.linspace(1.5, CUTOFF, 8)
NUMBERS = (47, 79)


class Tiny:
    """Energies by a network of two layers on sums of Gaussians of distances, in float64.

    Its last layer is linear, so that `weights` with a factor are those of another model.
    """

    def __init__(self, weights: Sequence[Any]) -> None:
        self.weights = [weight.clone().requires_grad_(True) for weight in weights]

    def parameters(self) -> list[Any]:
        return self.weights

    def evaluate(self, frames: Sequence[Atoms]) -> tuple[Any, Any]:
        made = [self._one(atoms) for atoms in frames]
        return torch.stack([energy for energy, _ in made]), torch.cat(
            [forces for _, forces in made]
        )

    def _one(self, atoms: Atoms) -> tuple[Any, Any]:
        if strange := set(atoms.numbers.tolist()) - set(NUMBERS):
            raise TaskError(f"the model does not know {strange}")
        first, second, vectors = (
            torch.tensor(part) for part in neighbor_list("ijD", atoms, CUTOFF)
        )
        moved = torch.zeros(len(atoms), 3, dtype=torch.float64, requires_grad=True)
        lengths = (vectors + moved[second] - moved[first]).norm(dim=1)
        near = torch.cos(lengths * torch.pi / 2 / CUTOFF) ** 2
        sizes = near[:, None] * torch.exp(-4.0 * (lengths[:, None] - CENTRES) ** 2)
        kinds = torch.tensor([NUMBERS.index(number) for number in atoms.numbers])
        sums = torch.zeros(len(atoms), 2, len(CENTRES), dtype=torch.float64)
        sums = sums.index_put((first, kinds[second]), sizes, accumulate=True)
        described = torch.cat([sums.flatten(1), kinds[:, None].double()], dim=1)
        hidden = torch.tanh(described @ self.weights[0] + self.weights[1])
        hidden = torch.tanh(hidden @ self.weights[2] + self.weights[3])
        energy = (hidden @ self.weights[4]).sum()
        (slopes,) = torch.autograd.grad(energy, moved, create_graph=True)
        return energy, -slopes


def drawn(seed: int, neurons: int = NEURONS) -> list[Any]:
    """Weights at random."""
    rng = torch.Generator().manual_seed(seed)
    shapes = [(2 * len(CENTRES) + 1, neurons), (neurons,), (neurons, neurons), (neurons,)]
    shapes.append((neurons,))
    return [
        torch.randn(shape, generator=rng, dtype=torch.float64) / shape[0] ** 0.5 for shape in shapes
    ]


def load(path: Path) -> Tiny:
    return Tiny(torch.load(path, weights_only=True))
