"""Kalman prediction uncertainty of ML-POD (ALKPU, arXiv 2411.13850), exact since POD is linear.

The Kalman filter has a closed form for a linear model: with the descriptors φ of every energy per
atom and every force component that was fitted, times the weight of the fit, as measurements h,

    P⁻¹ = I / p0                    before the first measurement
    P⁻¹ ← λ P⁻¹ + h hᵀ              at each

which is the update P ← (P − K Kᵀ / S) / λ, K = P h, S = λ + hᵀ P h. The fit leaves W with P = Wᵀ W
(see `pwact.engines.pod.fit`); the uncertainty of a value with descriptors φ is φᵀ P φ = |W φ|²,
without a root and without noise.

Run inside the jobs, in the current directory: ``python -m pwact.engines.pod.kpu COMMAND`` writes
``kpu_model_devi.out``; COMMAND is the shell text that starts LAMMPS.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Optional

import numpy as np

from pwact import layout
from pwact.engines.kpu_task import WITH_FEATURES, FeaturedKpuTask
from pwact.engines.lammps.deviation import dump_steps
from pwact.engines.lammps.input import DATA, DUMP
from pwact.engines.links import link_files
from pwact.engines.pod import files as pod_files
from pwact.engines.pod.descriptors import described, last_error
from pwact.engines.pod.fit import FACTOR
from pwact.engines.trainers import TrainedModel
from pwact.engines.worker import exit_status
from pwact.errors import TaskError
from pwact.fingerprint import Settings
from pwact.formats.features import Put, writing_features
from pwact.formats.kpu_devi import write_kpu_devi
from pwact.formats.lammps_dump import DumpTrajectory

logger = logging.getLogger(__name__)

ROLE = "kpu"
_MODULE = "pwact.engines.pod.kpu"


class PodKpu(FeaturedKpuTask):
    """Writes and reads evaluations of a POD model. See `pwact.engines.evaluator.KpuEvaluator`."""

    def __init__(self, program: str, features: bool = False) -> None:
        super().__init__(features)
        self._program = program

    def with_features(self) -> PodKpu:
        """The same, with the features of every frame."""
        return PodKpu(self._program, features=True)

    def fingerprint(self) -> dict[str, Any]:
        """The engine; all else belongs to the model."""
        return Settings({"engine": "pod", "features": self._features}, {"features": False})

    def write_input(self, directory: Path, model: TrainedModel, trajectory: Path) -> None:
        """Link to the model, its factor of P, and the files of the MD."""
        factor = model.files.get(ROLE, model.directory / FACTOR)
        read_factor(factor)
        files = {pod_files.PARAMETERS: model.directory, pod_files.COEFFICIENTS: model.directory}
        links = {name: place / name for name, place in files.items()}
        links[FACTOR] = factor
        links.update({name: trajectory / name for name in (DATA, DUMP)})
        link_files(directory, links)

    def command(self) -> str:
        """Evaluate all frames of the dump."""
        return self.worker(_MODULE, self._program)

    def frames(self, directory: Path) -> np.ndarray:
        """Those of the dump."""
        return np.array(dump_steps(directory / DUMP)[0], dtype=np.int64)


def read_factor(path: Path) -> np.ndarray:
    """W (coefficients, coefficients) of a model.

    Raises
    ------
    TaskError
        It is not there or is no such matrix.
    """
    try:
        factor = np.asarray(np.load(path, allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        raise TaskError(
            f"{path}: the matrix P of this model, without which its KPU says nothing, cannot be "
            f"read; only a training with uncertainty KPU writes it: {error}"
        ) from error
    if factor.ndim != 2 or factor.shape[0] != factor.shape[1] or not np.isfinite(factor).all():
        raise TaskError(f"{path}: is no square matrix of finite numbers")
    return factor


def row_of(matrix: np.ndarray, factor: np.ndarray) -> list[float]:
    """Uncertainty of the energy, and mean, largest and smallest of the forces', of one frame.

    The energy is that per atom, with h = (1/N) ∂(E/N)/∂w as in the filter that trains a network.
    """
    values = np.square(matrix @ factor.T).sum(axis=1)
    forces = values[1:]
    return [values[0] / _atoms(matrix) ** 4, forces.mean(), forces.max(), forces.min()]


def _atoms(matrix: np.ndarray) -> int:
    return (len(matrix) - 1) // 3


def features_of(matrix: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Its sum of squares is the uncertainty of a frame; see `pwact.formats.features`."""
    forces = matrix[1:] @ factor.T
    features: np.ndarray = forces / np.sqrt(len(forces))
    return features


def evaluate(directory: Path, command: str, features: bool = False) -> None:
    """Write ``kpu_model_devi.out``: NaN for a frame that cannot be evaluated, and all later ones.

    With `features` ``features.npy`` as well.

    Raises
    ------
    TaskError
        There are no frames, or no P, or LAMMPS does not even begin.
    """
    factor = read_factor(directory / FACTOR)
    steps, _ = dump_steps(directory / DUMP)
    if not steps:
        raise TaskError(f"{DUMP} holds no frame")
    path = directory / layout.FEATURES
    writing = writing_features(path, np.array(steps), len(factor)) if features else nullcontext()
    with writing as put:
        rows = _rows(directory, command, factor, put)
    write_kpu_devi(directory / layout.KPU_MODEL_DEVI, np.array(steps), rows)


def _rows(directory: Path, command: str, factor: np.ndarray, put: Optional[Put]) -> np.ndarray:
    """A row of ``kpu_model_devi.out`` for each frame; features are put away at once."""
    steps, usable = dump_steps(directory / DUMP)
    rows = np.full((len(steps), 4), np.nan)
    types, _ = pod_files.read_parameters(directory / pod_files.PARAMETERS)
    trajectory = DumpTrajectory(directory / DUMP, types)
    frames = (trajectory.frame(step) for step in steps[:usable])
    done = 0
    for matrix in described(directory, command, frames):
        rows[done] = row_of(matrix, factor)
        if put is not None:
            put(done, features_of(matrix, factor))
        done += 1
    if usable and not done:
        raise TaskError(f"LAMMPS gave no descriptors: {last_error(directory)}")
    if done < usable:
        logger.warning("LAMMPS stopped at step %d: %s", steps[done], last_error(directory))
    return rows


def main(arguments: Sequence[str]) -> int:
    """Evaluate in the current directory."""
    command, *more = arguments
    return exit_status(lambda directory: evaluate(directory, command, WITH_FEATURES in more))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
