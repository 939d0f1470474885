"""Kalman prediction uncertainty of DeePMD-kit's PyTorch models (ALKPU, arXiv 2411.13850).

For a value y of the model and the matrix P of the filter that trained its weights w:

    KPU(y) = hᵀ P h,   h = ∂y/∂w

P has blocks, one behind the other, in the order in which the filter takes the weights: parameter by
parameter, tables column by column. The KPU of the energy is that of E/N with h = (1/N) ∂(E/N)/∂w.
The mean over the 3N components of the forces is tr(J P Jᵀ) / 3N, J = ∂F/∂w. With random vectors z
of +1 and -1, zᵀ J P Jᵀ z has this trace as its mean (M. F. Hutchinson, Commun. Stat. Simul. Comput.
19, 433 (1990)), and Jᵀz takes one backward pass where J takes 3N. All frames get the same z, so
that their ratios, which alone mean anything, suffer least. Probes do not tell the largest and the
smallest component; without probes all components are computed.

The features of a frame (`pwact.formats.features`) are the rows Cᵀ Jᵀz with C Cᵀ = P, sketched where
a model has more weights than columns are kept (`pwact.query.sketch`).

Run inside the jobs, in the current directory: ``python -m pwact.engines.deepmd.kpu PROBES`` writes
``kpu_model_devi.out``; 0 probes stand for all components. With ``--features`` it writes
``features.npy`` as well.
"""

from __future__ import annotations

import logging
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

import numpy as np

from pwact import layout
from pwact.engines.deepmd.features import Describer
from pwact.engines.kpu_task import WITH_FEATURES, FeaturedKpuTask
from pwact.engines.lammps.input import DUMP, TYPES
from pwact.engines.links import link_files
from pwact.engines.trainers import TrainedModel
from pwact.engines.worker import exit_status
from pwact.errors import TaskError
from pwact.fingerprint import Settings
from pwact.formats.features import writing_features
from pwact.formats.kpu_devi import write_kpu_devi
from pwact.formats.lammps_dump import DumpTrajectory

if TYPE_CHECKING:
    from ase import Atoms

logger = logging.getLogger(__name__)

MODEL = "model.pt"
KALMAN = "kalman.npz"
START = "start.pt"
PROBES = 16
_SEED = 2024
See = Callable[[np.ndarray], None]


class DeepmdKpu(FeaturedKpuTask):
    """Writes and reads evaluations of a model. See `pwact.engines.evaluator.KpuEvaluator`.

    Parameters
    ----------
    python
        Shell text that starts the Python that has DeePMD-kit, and pwact.
    probes
        Random vectors a frame; 0 computes every component of the forces.
    features
        Whether it leaves the features of every frame too.
    """

    def __init__(self, python: str, probes: int, features: bool = False) -> None:
        super().__init__(features)
        self._python = python
        self._probes = probes

    def with_features(self) -> DeepmdKpu:
        """The same, with the features of every frame."""
        return DeepmdKpu(self._python, self._probes, features=True)

    def fingerprint(self) -> dict[str, Any]:
        """The engine, and how exactly it evaluates."""
        values = {"engine": "deepmd-pytorch", "probes": self._probes, "features": self._features}
        return Settings(values, {"features": False})

    def write_input(self, directory: Path, model: TrainedModel, trajectory: Path) -> None:
        """Link to the model, its P, and the files of the MD."""
        demand_kalman(model.directory / KALMAN)
        links = {name: model.directory / name for name in (MODEL, KALMAN)}
        links.update({name: trajectory / name for name in (TYPES, DUMP)})
        link_files(directory, links)

    def command(self) -> str:
        """Evaluate all frames of the dump."""
        return self.worker("pwact.engines.deepmd.kpu", self._probes, python=self._python)


def demand_kalman(path: Path) -> None:
    """Raise TaskError unless the file holds blocks of P, which may be large and are not read."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            names = archive.files
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise TaskError(
            f"{path}: the matrix P of this model, without which its KPU says nothing, "
            f"cannot be read: {error}"
        ) from error
    if names != [f"block_{number}" for number in range(len(names) or 1)]:
        raise TaskError(f"{path}: holds no blocks of P")


def read_kalman(path: Path) -> list[np.ndarray]:
    """The blocks of P, each square.

    Raises
    ------
    TaskError
        They are not there.
    """
    demand_kalman(path)
    with np.load(path, allow_pickle=False) as archive:
        blocks = [archive[name] for name in archive.files]
    if any(block.ndim != 2 or block.shape[0] != block.shape[1] for block in blocks):
        raise TaskError(f"{path}: holds no square matrices")
    return blocks


class Evaluator:
    """A model with its P.

    Parameters
    ----------
    network
        DeePMD-kit's ``ModelWrapper``.
    blocks
        The blocks of P.

    Raises
    ------
    TaskError
        P does not belong to the model.
    """

    def __init__(self, network: Any, blocks: Sequence[np.ndarray]) -> None:
        import torch  # noqa: PLC0415

        network.train()  # else the forces could not be differentiated again
        self._model = network.model["Default"]
        self._weights = list(network.parameters())
        self._types = self._model.get_type_map()
        self._device = self._weights[0].device
        self._blocks = [torch.as_tensor(block).to(self._device) for block in blocks]
        count = sum(weight.numel() for weight in self._weights)
        if count != sum(len(block) for block in blocks):
            raise TaskError(f"P does not belong to this model with {count} weights")

    def row(self, atoms: Atoms, probes: int, see: See = lambda _: None) -> list[float]:
        """Uncertainty of the energy, and mean, largest and smallest of the forces', of one frame.

        With `probes` the mean is estimated, and the other two are NaN. `see` is called with the
        gradient of each probe, or of each component, shape (weights,).
        """
        energy, forces = self._values(atoms)
        of_energy = self._quadratic(self._gradient(energy)) / len(atoms) ** 4

        def seen(value: Any) -> float:
            gradient = self._gradient(value)
            see(gradient.cpu().numpy())
            return self._quadratic(gradient)

        if not probes:
            exact = [seen(one) for one in forces]
            return [of_energy, float(np.mean(exact)), max(exact), min(exact)]
        signs = np.random.default_rng(_SEED).choice((-1.0, 1.0), (probes, len(forces)))
        vectors = forces.new_tensor(signs)
        total = sum(seen((one * forces).sum()) for one in vectors)
        return [of_energy, total / probes / len(forces), float("nan"), float("nan")]

    def _values(self, atoms: Atoms) -> tuple[Any, Any]:
        """Energy, and the 3N components of the forces."""
        import torch  # noqa: PLC0415

        kinds = [self._types.index(symbol) for symbol in atoms.get_chemical_symbols()]
        made = self._model(
            torch.tensor(atoms.positions[None], dtype=torch.float64, device=self._device),
            torch.tensor([kinds], device=self._device),
            box=torch.tensor(atoms.cell.array.reshape(1, 9), device=self._device),
        )
        return made["energy"].sum(), made["force"].reshape(-1)

    def _gradient(self, value: Any) -> Any:
        """∂value/∂w in the order of the filter."""
        import torch  # noqa: PLC0415

        parts = torch.autograd.grad(value, self._weights, retain_graph=True, allow_unused=True)
        made = []
        for part, weight in zip(parts, self._weights):
            whole = torch.zeros_like(weight) if part is None else part
            made.append((whole.T if whole.ndim > 1 else whole).reshape(-1))
        return torch.cat(made)

    def _quadratic(self, h: Any) -> float:
        pieces = h.split([len(block) for block in self._blocks])
        return float(sum(piece @ (block @ piece) for piece, block in zip(pieces, self._blocks)))


def load(directory: Path) -> Evaluator:
    """The model in `directory` with its P."""
    import torch  # noqa: PLC0415
    from deepmd.pt.model.model import get_model  # noqa: PLC0415
    from deepmd.pt.train.wrapper import ModelWrapper  # noqa: PLC0415
    from deepmd.pt.utils.env import DEVICE  # noqa: PLC0415

    state = torch.load(directory / MODEL, map_location=DEVICE, weights_only=True)
    network = ModelWrapper(get_model(state["_extra_state"]["model_params"]).to(DEVICE))
    network.load_state_dict(state)
    return Evaluator(network, read_kalman(directory / KALMAN))


def rows_of(evaluator: Evaluator, trajectory: DumpTrajectory, probes: int) -> Iterator[list[float]]:
    """A row a frame; NaN where a frame cannot be evaluated."""
    for step in trajectory.steps().tolist():
        try:
            yield evaluator.row(trajectory.frame(step), probes)
        except TaskError as error:
            logger.warning("%s", error)
            yield [float("nan")] * 4


def described(
    evaluator: Evaluator, trajectory: DumpTrajectory, probes: int, directory: Path
) -> Iterator[list[float]]:
    """The same rows, and ``features.npy`` when all have been asked for."""
    describer = Describer(read_kalman(directory / KALMAN))
    steps = trajectory.steps()
    path = directory / layout.FEATURES
    with writing_features(path, steps, describer.columns) as put:
        for place, step in enumerate(steps.tolist()):
            try:
                atoms = trajectory.frame(step)
            except TaskError as error:
                logger.warning("%s", error)
                yield [float("nan")] * 4
                continue
            yield evaluator.row(atoms, probes, describer.see)
            put(place, describer.features(3 * len(atoms), probes))


def evaluate(directory: Path, probes: int, features: bool = False) -> None:
    """Write ``kpu_model_devi.out``, and ``features.npy`` where it is wanted.

    Raises
    ------
    TaskError
        There are no frames, or no P.
    """
    types = (directory / TYPES).read_text(encoding="utf-8").split()
    trajectory = DumpTrajectory(directory / DUMP, types)
    steps = trajectory.steps()
    if not len(steps):
        raise TaskError(f"{DUMP} holds no frame")
    evaluator = load(directory)
    made = rows_of(evaluator, trajectory, probes)
    if features:
        made = described(evaluator, trajectory, probes, directory)
    rows = np.array(list(made))
    write_kpu_devi(directory / layout.KPU_MODEL_DEVI, steps, rows)


def main(arguments: Sequence[str]) -> int:
    """Evaluate the current directory."""
    probes, *more = arguments
    return exit_status(lambda directory: evaluate(directory, int(probes), WITH_FEATURES in more))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
