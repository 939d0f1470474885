"""Models of TorchNEP for `pwact.engines.gradients`. Imported by the Python that has TorchNEP.

TorchNEP's calculator detaches what it computes, so its functions are called here in the same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pwact.engines.gradients.differentiable import device
from pwact.errors import TaskError

if TYPE_CHECKING:
    from ase import Atoms


class TorchNep:
    """See `pwact.engines.gradients.differentiable.Differentiable`.

    Parameters
    ----------
    model
        TorchNEP's ``NEPCalculator``.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._last: tuple[list[bytes], Any] = ([], None)  # frames, and their pairs
        angular = [model.c3] if model.l_max_3b > 0 else []
        self._weights = [*model.w0, *model.b0, *model.w1, model.c2, *angular]
        for weight in self._weights:
            weight.requires_grad_(True)

    def parameters(self) -> list[Any]:
        """Of the networks and of the radial functions; no force depends on the last bias."""
        return self._weights

    def evaluate(self, frames: Sequence[Atoms]) -> tuple[Any, Any]:
        """See `Differentiable`."""
        import torch  # noqa: PLC0415

        counts = [len(atoms) for atoms in frames]
        starts = np.cumsum([0, *counts]).tolist()
        kinds = torch.cat([self._kinds(atoms) for atoms in frames])
        first, second, vectors = self._all_pairs(frames, starts)
        moved = torch.zeros_like(vectors[:1]).repeat(len(kinds), 1).requires_grad_(True)
        vectors = vectors + moved[second] - moved[first]
        energies = self._energies(kinds, first, second, vectors)
        (slopes,) = torch.autograd.grad(energies.sum(), moved, create_graph=True)
        return torch.stack([part.sum() for part in energies.split(counts)]), -slopes

    def _kinds(self, atoms: Atoms) -> Any:
        import torch  # noqa: PLC0415

        names, symbols = self._model.type_names, atoms.get_chemical_symbols()
        if strange := sorted(set(symbols) - set(names)):
            raise TaskError(f"the model knows {', '.join(names)}, but not {', '.join(strange)}")
        return torch.tensor([names.index(one) for one in symbols], device=self._model.device)

    def _all_pairs(self, frames: Sequence[Atoms], starts: Sequence[int]) -> Any:
        """Those of all frames; not made again where the weights alone are others."""
        import torch  # noqa: PLC0415

        seen = [atoms.positions.tobytes() + atoms.cell.array.tobytes() for atoms in frames]
        if seen != self._last[0]:
            made = [self._pairs(atoms, start) for atoms, start in zip(frames, starts)]
            self._last = (seen, [torch.cat(parts) for parts in zip(*made)])
        return self._last[1]

    def _pairs(self, atoms: Atoms, start: int) -> tuple[Any, Any, Any]:
        """Numbers of both atoms of each pair, and the vector from one to the other, Å."""
        from torchnep.neighbor import build_neighbor_list  # noqa: PLC0415

        model = self._model
        cutoff = max(model.rc_radial, model.rc_angular)
        first, second, vectors = build_neighbor_list(
            atoms.positions, atoms.cell.array, cutoff, device=model.device, dtype=model.dtype
        )
        if not len(first):
            raise TaskError(f"no atom has a neighbour within {cutoff:g} Å")
        return first + start, second + start, vectors

    def _energies(self, kinds: Any, first: Any, second: Any, vectors: Any) -> Any:
        """Of each atom, eV: as ``NEPCalculator.compute`` does it."""
        from torchnep import ops  # noqa: PLC0415

        model = self._model
        lengths = vectors.detach().norm(dim=-1)
        cutoffs = model.cutoff_args()
        near, close = (lengths < ops.pair_cutoff(one, kinds, first, second) for one in cutoffs)
        angular = (first[close], second[close])
        described = ops.compute_descriptors(
            vectors[near],
            vectors[close],
            *(first[near], second[near]),
            *angular,
            *(kinds, len(kinds), model.c2, getattr(model, "c3", None), *cutoffs),
            *(model.basis_size_radial, model.basis_size_angular),
            *(model.n_max_radial, model.n_max_angular, model.l_max_3b),
            *(model.has_q_222, model.has_q_1111, model.has_q_112, model.num_lm),
            *(model._c3b, model._c4b, model._c5b, model._c4b2, model.dtype, model.device),
            **{f"has_q_{one}": getattr(model, f"has_q_{one}") for one in ("123", "233", "134")},
        )
        networks = (model.w0, model.b0, model.w1, model.b1, model.dtype, model.device)
        made = ops.apply_ann(described * model.q_scaler, kinds, model.num_types, *networks)
        if not model.has_zbl:
            return made
        return made + ops.compute_zbl(
            *(kinds, *angular, vectors[close], len(kinds), model.atomic_numbers),
            *(model.zbl_rc_inner, model.zbl_rc_outer, model.zbl_typewise_factor),
            getattr(model, "zbl_rc_inner_per_type", None),
            getattr(model, "zbl_rc_outer_per_type", None),
            *(model.dtype, model.device),
            **model._zbl_pair_tables,
        )


def load(path: Path) -> TorchNep:
    """The model in a ``nep.txt``, in float64."""
    from torchnep.nep import NEPCalculator  # noqa: PLC0415

    return TorchNep(NEPCalculator(str(path), device=device()))
