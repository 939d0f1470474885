"""What a model must offer to tell its uncertainty by gradients, and how one is loaded.

A library has a module of ours, its adapter, with a function ``load(path)`` that returns a
`Differentiable`. It is imported by the Python that has the library, and by no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ase import Atoms


class Differentiable(Protocol):
    """A model whose forces can be differentiated by its weights."""

    def parameters(self) -> list[Any]:
        """The weights that are trained, as tensors on one device, always in the same order."""

    def evaluate(self, frames: Sequence[Atoms]) -> tuple[Any, Any]:
        """Energies and forces, with a graph that reaches the weights.

        Returns
        -------
        tuple
            Tensors: eV, shape (frames,), and eV/Å, shape (atoms of all frames, 3), in their order.

        Raises
        ------
        TaskError
            The model cannot be evaluated on a frame.
        """


def loaded(adapter: str, model: Path) -> Differentiable:
    """The model in a file, by the adapter with this dotted name."""
    made: Differentiable = import_module(adapter).load(model)
    return made


def device() -> Any:
    """The first GPU that the environment leaves visible, else the CPU."""
    import torch  # noqa: PLC0415

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
