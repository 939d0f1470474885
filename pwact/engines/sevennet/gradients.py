"""Models of SevenNet for `pwact.engines.gradients`. Imported by the Python that has SevenNet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pwact.engines.gradients.differentiable import device
from pwact.engines.sevennet.frozen import freeze_as_recorded
from pwact.errors import TaskError

if TYPE_CHECKING:
    from ase import Atoms


class SevenNet:
    """See `pwact.engines.gradients.differentiable.Differentiable`.

    Parameters
    ----------
    network
        SevenNet's ``AtomGraphSequential``.

    Raises
    ------
    TaskError
        It has several heads, of which none is chosen.
    """

    def __init__(self, network: Any) -> None:
        heads = list(network.modal_map or {})
        if len(heads) > 1:
            raise TaskError(f"the model has the heads {', '.join(heads)}; only one can be judged")
        network.train()  # else the forces could not be differentiated again
        network.set_is_batch_data(True)
        self._network = network
        self._heads = heads
        self._weights = [one for one in network.parameters() if one.requires_grad]

    def parameters(self) -> list[Any]:
        """What a training from this checkpoint would train."""
        return self._weights

    def evaluate(self, frames: Sequence[Atoms]) -> tuple[Any, Any]:
        """See `Differentiable`."""
        from sevenn import _keys as keys  # noqa: PLC0415
        from torch_geometric.data import Batch  # noqa: PLC0415

        batch = Batch.from_data_list([self._graph(atoms) for atoms in frames])
        made = self._network(batch.to(self._weights[0].device))
        return made[keys.PRED_TOTAL_ENERGY].reshape(-1), made[keys.PRED_FORCE]

    def _graph(self, atoms: Atoms) -> Any:
        from sevenn import _keys as keys  # noqa: PLC0415
        from sevenn.atom_graph_data import AtomGraphData  # noqa: PLC0415
        from sevenn.train.dataload import unlabeled_atoms_to_graph  # noqa: PLC0415

        known = self._network.type_map
        symbols = dict(zip(atoms.numbers.tolist(), atoms.get_chemical_symbols()))
        if strange := sorted(symbol for number, symbol in symbols.items() if number not in known):
            raise TaskError(f"the model does not know {', '.join(strange)}")
        cutoff = self._network.cutoff
        graph = AtomGraphData.from_numpy_dict(unlabeled_atoms_to_graph(atoms, cutoff))
        if not graph[keys.EDGE_IDX].numel():
            raise TaskError(f"no atom has a neighbour within {cutoff:g} Å")
        if self._heads:
            (graph[keys.DATA_MODALITY],) = self._heads
        return graph


def load(path: Path) -> SevenNet:
    """The model in a checkpoint, or of a name that SevenNet knows, in float32."""
    from sevenn.util import load_checkpoint  # noqa: PLC0415

    checkpoint = load_checkpoint(str(path))
    network = checkpoint.build_model()
    freeze_as_recorded(network, checkpoint.config)
    return SevenNet(network.to(device()))
