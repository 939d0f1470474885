"""Models of MACE for `pwact.engines.gradients`. Imported by the Python that has MACE."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pwact.engines.gradients.differentiable import device
from pwact.errors import TaskError

if TYPE_CHECKING:
    from ase import Atoms


class Mace:
    """See `pwact.engines.gradients.differentiable.Differentiable`.

    Parameters
    ----------
    network
        MACE's module.

    Raises
    ------
    TaskError
        It has several heads, and none of them is called default.
    """

    def __init__(self, network: Any) -> None:
        heads = list(getattr(network, "heads", None) or ["Default"])
        chosen = heads if len(heads) == 1 else [one for one in heads if one.lower() == "default"]
        if len(chosen) != 1:
            raise TaskError(f"the model has the heads {', '.join(heads)}; only one can be judged")
        self._network = network
        self._heads, self._head = heads, chosen[0]
        self._numbers = [int(number) for number in network.atomic_numbers]
        self._weights = [one for one in network.parameters() if one.requires_grad]

    def parameters(self) -> list[Any]:
        """What a training from this model would train."""
        return self._weights

    def evaluate(self, frames: Sequence[Atoms]) -> tuple[Any, Any]:
        """See `Differentiable`; in the precision of the weights."""
        from mace.tools.torch_geometric import Batch  # noqa: PLC0415
        from mace.tools.torch_tools import default_dtype  # noqa: PLC0415

        weight = self._weights[0]
        with default_dtype(str(weight.dtype).rpartition(".")[2]):
            batch = Batch.from_data_list([self._graph(atoms) for atoms in frames])
        made = self._network(batch.to(weight.device).to_dict(), training=True)
        return made["energy"], made["forces"]

    def _graph(self, atoms: Atoms) -> Any:
        from mace import data  # noqa: PLC0415
        from mace.tools.utils import AtomicNumberTable  # noqa: PLC0415

        symbols = dict(zip(atoms.numbers.tolist(), atoms.get_chemical_symbols()))
        if strange := sorted(one for number, one in symbols.items() if number not in self._numbers):
            raise TaskError(f"the model does not know {', '.join(strange)}")
        keys = data.KeySpecification(info_keys={}, arrays_keys={})
        wanted = data.config_from_atoms(atoms, key_specification=keys, head_name=self._head)
        cutoff = float(self._network.r_max)
        table = AtomicNumberTable(self._numbers)
        graph = data.AtomicData.from_config(wanted, z_table=table, cutoff=cutoff, heads=self._heads)
        if not graph["edge_index"].numel():
            raise TaskError(f"no atom has a neighbour within {cutoff:g} Å")
        return graph


def load(path: Path) -> Mace:
    """The model in a file that ``mace_run_train`` wrote."""
    import torch  # noqa: PLC0415

    # MACE stores whole modules, which torch reads only where it is asked to
    return Mace(torch.load(path, map_location=device(), weights_only=False))
