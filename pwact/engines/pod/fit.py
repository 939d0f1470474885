"""Fit of one ML-POD model together with the covariance P of its coefficients, in one pass.

POD is linear, so both follow from the same sums over the descriptors φ of all energies per atom and
force components, times the weights of the fit, as measurements h with values y:

    (Σ h hᵀ + regularization) c = Σ h y          the coefficients, as fitpod defines them
    P⁻¹ ← λ P⁻¹ + h hᵀ,  P⁻¹ = I / p0 at first   the Kalman filter (see `pwact.engines.pod.kpu`)

fitpod computes the descriptors of a batch of frames and leaves them on the disk until they are
added. Frames come in their order, the energy of a frame before its forces. A file keeps W with
P = Wᵀ W.

Run inside the jobs, in the current directory: ``python -m pwact.engines.pod.fit COMMAND
WEIGHT_ENERGY WEIGHT_FORCE REGULARIZATION P0 LAMBDA``; COMMAND is the shell text that starts LAMMPS.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import numpy as np

from pwact.engines.pod import files as pod_files
from pwact.engines.worker import exit_status, python_module
from pwact.errors import TaskError
from pwact.io.files import remove, replacing

FACTOR = "pod_kpu.npy"
_BATCH_ATOMS = 20_000  # their descriptors with 500 coefficients take 240 MB
_BATCH_DATA = "data.{}.pod"
_KEYS = (*pod_files.FITTING, *pod_files.KALMAN)


@dataclass(frozen=True)
class Weights:
    """Of an energy per atom (1/eV) and of a force component (Å/eV) in the fit."""

    energy: float
    force: float

    def of(self, rows: int) -> np.ndarray:
        """Factors of a frame's energy and force components, shape (1 + 3N, 1)."""
        factors = np.full((rows, 1), self.force)
        factors[0] = 3.0 * self.energy / (rows - 1)
        return factors


class LeastSquares:
    """Sums over measurements, and what follows from them.

    Parameters
    ----------
    size
        Number of coefficients.
    p0
        Variance of a coefficient before the first measurement.
    memory
        λ, from 0 (exclusive) to 1: how much an older measurement counts for P.
    """

    def __init__(self, size: int, p0: float, memory: float) -> None:
        self._memory = memory
        self._normal = np.zeros((size, size))
        self._vector = np.zeros(size)
        self._inverse = np.eye(size) / p0

    def add(self, rows: np.ndarray, values: np.ndarray) -> None:
        """Add measurements h (m, size) in their order, with their values (m,)."""
        squares = rows.T @ rows
        self._normal += squares
        self._vector += rows.T @ values
        if self._memory < 1.0:
            ages = np.arange(len(rows) - 1, -1, -1)
            faded = rows * self._memory ** (ages / 2.0)[:, None]
            squares = faded.T @ faded
            self._inverse *= self._memory ** len(rows)
        self._inverse += squares

    def coefficients(self, regularization: float) -> np.ndarray:
        """Least squares with the diagonal raised, as fitpod does, by this part of itself.

        Raises
        ------
        TaskError
            The measurements do not determine them.
        """
        matrix = self._normal.copy()
        diagonal = np.diagonal(matrix) * (1.0 + regularization)
        np.fill_diagonal(matrix, np.maximum(diagonal, regularization))
        try:
            lower = np.linalg.cholesky(matrix)
        except np.linalg.LinAlgError as error:
            raise TaskError(
                "the data do not determine all coefficients: use fewer basis functions, or a "
                f"fitting_regularization_parameter above {regularization:g}"
            ) from error
        return np.asarray(np.linalg.solve(lower.T, np.linalg.solve(lower, self._vector)))

    def factor(self) -> np.ndarray:
        """W with Wᵀ W = P.

        Raises
        ------
        TaskError
            What was forgotten leaves P without bounds.
        """
        try:
            return np.asarray(np.linalg.inv(np.linalg.cholesky(self._inverse)))
        except np.linalg.LinAlgError as error:
            raise TaskError(
                "P has no bounds: kalman_lambda forgets more than the data bring in"
            ) from error


def write_input(
    directory: Path, train: Sequence[str], valid: Sequence[str], batch_atoms: int = _BATCH_ATOMS
) -> None:
    """Write the frames, in batches, and the inputs of fitpod for each.

    Parameters
    ----------
    train, valid
        Frames by `pod_files.frame_text`. The errors of `valid` need the fit, hence all its
        descriptors at once.
    """
    if valid:
        pod_files.write_frames(directory / pod_files.VALID_FOLDER, valid)
    for number, texts in enumerate(pod_files.in_batches(train, batch_atoms)):
        batch = f"{number:03d}"
        folder = f"{pod_files.TRAIN_FOLDER}/{batch}"
        pod_files.write_frames(directory / folder, texts)
        pod_files.write_description(
            directory / _BATCH_DATA.format(batch),
            folder,
            pod_files.VALID_FOLDER if valid and number == 0 else "",
        )
    pod_files.write_script(directory, _BATCH_DATA.format("${batch}"))


def command(program: str, settings: Mapping[str, Any]) -> str:
    """Shell text that fits the model."""
    numbers = [repr(settings[key]) for key in _KEYS]
    return python_module("pwact.engines.pod.fit", program, *numbers)


def fit(directory: Path, program: str, settings: Mapping[str, float]) -> None:
    """Write the coefficients, their errors on the validation frames, and W."""
    weights = Weights(settings["fitting_weight_energy"], settings["fitting_weight_force"])
    valid = directory / pod_files.VALID_FOLDER
    _forget(valid)
    sums: Optional[LeastSquares] = None
    for batch in sorted((directory / pod_files.TRAIN_FOLDER).iterdir()):
        _forget(batch)
        _describe(directory, program, batch.name)
        for matrix, truth in described(batch):
            if sums is None:
                sums = LeastSquares(
                    matrix.shape[1], settings["p0_weight"], settings["kalman_lambda"]
                )
            factors = weights.of(len(matrix))
            sums.add(matrix * factors, truth * factors[:, 0])
        _forget(batch)
    if sums is None:
        raise TaskError(f"{directory / pod_files.TRAIN_FOLDER} holds no frame")
    coefficients = sums.coefficients(settings["fitting_regularization_parameter"])
    if valid.is_dir():
        _write_errors(directory / pod_files.ERRORS, valid, coefficients)
        _forget(valid)
    pod_files.write_coefficients(directory / pod_files.COEFFICIENTS, coefficients)
    with replacing(directory / FACTOR) as aside, aside.open("wb") as stream:
        np.save(stream, sums.factor())


def described(folder: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Descriptors (1 + 3N, coefficients), and energy (eV) and force components (eV/Å), by frame."""
    labels = pod_files.read_labels(folder / pod_files.FRAMES)
    for number, truth in enumerate(labels, 1):
        path = folder / pod_files.DESCRIPTORS.format(number)
        matrix = pod_files.read_descriptors(path)
        if len(matrix) != len(truth):
            raise TaskError(f"{path} belongs to another frame than that in {pod_files.FRAMES}")
        yield matrix, truth


def _describe(directory: Path, program: str, batch: str) -> None:
    shell = f"{program} -log none -var batch {batch} -in {pod_files.INPUT}"
    done = subprocess.run(["bash", "-c", shell], cwd=directory, check=False)
    if done.returncode != 0:
        raise TaskError(f"LAMMPS stopped with exit status {done.returncode}")


def _write_errors(path: Path, folder: Path, coefficients: np.ndarray) -> None:
    energies, forces = [], []
    for matrix, truth in described(folder):
        wrong = matrix @ coefficients - truth
        energies.append(3.0 * wrong[0] / (len(wrong) - 1))
        forces.append(wrong[1:])
    parts = np.array(energies), np.concatenate(forces)
    errors = [value for part in parts for value in (abs(part).mean(), np.sqrt((part**2).mean()))]
    pod_files.write_errors(path, len(energies), len(parts[1]) // 3, errors)


def _forget(folder: Path) -> None:
    """Remove descriptors: they are many, and those of a fit that was stopped may be cut off."""
    for path in folder.glob("*.bin"):
        remove(path)


def main(arguments: Sequence[str]) -> int:
    """Fit in the current directory."""
    program, *numbers = arguments
    settings = dict(zip(_KEYS, map(float, numbers)))
    return exit_status(lambda directory: fit(directory, program, settings))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
