"""The uncertainty of one PyTorch model along a trajectory, by sketched gradients of its forces.

With the rows g of a frame of N atoms, by K vectors v of +1 and -1, and P of the training data (see
`pwact.engines.gradients.rows` and `.covariance`),

    u² = (1/3N) (1/K) Σ_k gᵀ P g,

an estimate of the mean over the 3N force components of their variance, without its factor; it is
what ALKPU (arXiv 2411.13850) takes from the matrix P of a Kalman filter, without such a filter. The
features of a frame (`pwact.formats.features`) are the rows L g / √(3N K), LᵀL = P. The energy is
not judged, so that its column is NaN.

Run inside the jobs, in the current directory:
``python -m pwact.engines.gradients.evaluator ADAPTER PROBES`` writes ``kpu_model_devi.out``, with
``--features`` ``features.npy`` as well; 0 probes stand for all components. With ``--draws D`` u² is
that of `pwact.engines.gradients.draws`, and the vectors give the features alone, whose sum of
squares is then made that u².
"""

from __future__ import annotations

import copy
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import numpy as np

from pwact import layout
from pwact.engines.gradients.covariance import GRADIENT_COVARIANCE, Covariance, read_covariance
from pwact.engines.gradients.differentiable import loaded
from pwact.engines.gradients.draws import MOST_ATOMS, Draws
from pwact.engines.gradients.rows import GradientRows, Rows, judging_vectors
from pwact.engines.kpu_task import WITH_FEATURES, FeaturedKpuTask
from pwact.engines.lammps.input import DUMP, TYPES
from pwact.engines.links import link_files
from pwact.engines.trainers import TrainedModel
from pwact.engines.worker import exit_status
from pwact.errors import TaskError
from pwact.fingerprint import Settings
from pwact.formats.features import Put, writing_features
from pwact.formats.kpu_devi import write_kpu_devi
from pwact.formats.lammps_dump import DumpTrajectory

if TYPE_CHECKING:
    from ase import Atoms

logger = logging.getLogger(__name__)

MODEL = "model"
ROLE = "kpu"
_MODULE = "pwact.engines.gradients.evaluator"
_DRAWS = "--draws"
_NAN = float("nan")


class GradientKpu(FeaturedKpuTask):
    """Writes and reads evaluations of a model. See `pwact.engines.evaluator.KpuEvaluator`.

    Parameters
    ----------
    adapter
        Dotted name of a module with ``load``; see `pwact.engines.gradients.differentiable`.
    python
        Shell text that starts the Python that has the library, and pwact.
    model_role
        Role of the model's file in `TrainedModel.files`; that of P is `ROLE`.
    probes
        Random vectors a frame; 0 computes every component of the forces.
    draws
        How many drawn weights give u²; 0 where the vectors give it.
    """

    def __init__(
        self, adapter: str, python: str, model_role: str, probes: int, draws: int = 0
    ) -> None:
        super().__init__()
        self._adapter = adapter
        self._python = python
        self._role = model_role
        self._probes = probes
        self._draws = draws

    def with_features(self) -> GradientKpu:
        """The same, with the features of every frame."""
        made = copy.copy(self)
        made._features = True
        return made

    def fingerprint(self) -> dict[str, Any]:
        """The library, and how exactly it evaluates."""
        values = {"gradients": self._adapter, "probes": self._probes, "features": self._features}
        defaults = {"features": False, "draws": 0}
        return Settings({**values, "draws": self._draws}, defaults)

    def write_input(self, directory: Path, model: TrainedModel, trajectory: Path) -> None:
        """Link to the model, its P, and the files of the MD."""
        covariance = model.files.get(ROLE, model.directory / GRADIENT_COVARIANCE)
        read_covariance(covariance)
        links = {MODEL: model.files[self._role], GRADIENT_COVARIANCE: covariance}
        links.update({name: trajectory / name for name in (TYPES, DUMP)})
        link_files(directory, links)

    def command(self) -> str:
        """Evaluate all frames of the dump."""
        more = [_DRAWS, self._draws] if self._draws else []
        return self.worker(_MODULE, self._adapter, self._probes, *more, python=self._python)


class Judge:
    """A model with its P.

    Parameters
    ----------
    probes
        Random vectors a frame; 0 for all components.
    draws
        Drawn weights that tell u²; 0 where the vectors do.

    Raises
    ------
    TaskError
        P is not of this model.
    """

    def __init__(self, rows: Rows, covariance: Covariance, probes: int, draws: int = 0) -> None:
        if rows.identity != covariance.identity:
            raise TaskError(f"{GRADIENT_COVARIANCE} was made for other weights than the model has")
        self._rows = rows
        self._factor = covariance.factor
        self._probes = probes
        self._draws = Draws(rows, covariance.factor, draws) if draws else None

    @property
    def columns(self) -> int:
        """How many numbers a row of the features has."""
        return self._rows.columns

    @property
    def most_rows(self) -> int:
        """How many the features of any frame have; 0 if each has others."""
        return self._probes

    def features(self, atoms: Atoms) -> np.ndarray:
        """Those of a frame; the sum of their squares is u², shape (rows, m). Raises TaskError."""
        made = self._rows.of(atoms, judging_vectors(len(atoms), self._probes))
        drawn = self._probes or 1
        features: np.ndarray = made @ self._factor.T / np.sqrt(3 * len(atoms) * drawn)
        return features

    def scaled(self, atoms: Atoms, variance: float) -> np.ndarray:
        """Features with the sum of squares of the draws, shape (rows, m). Raises TaskError."""
        made = self.features(atoms)
        made *= np.sqrt(variance / np.square(made).sum())
        return made

    def row(self, features: np.ndarray) -> list[float]:
        """The values of ``kpu_model_devi.out``; largest and smallest where no vectors are drawn."""
        squares = np.square(features).sum(axis=1)
        ends = [squares.max(), squares.min()] if not self._probes else [_NAN, _NAN]
        return [_NAN, float(squares.sum()), *(float(end) * len(squares) for end in ends)]

    def judged(
        self, frames: Sequence[Atoms], features: bool
    ) -> Iterator[tuple[Optional[np.ndarray], list[float]]]:
        """Features, where they are wanted and can be had, and values of each frame."""
        if self._draws is None:
            yield from map(self._by_vectors, frames)
            return
        for atoms, variance in zip(frames, self._draws.variances(frames)):
            if not features or not np.isfinite(variance):
                yield None, [_NAN, variance, _NAN, _NAN]
                continue
            yield self.scaled(atoms, variance), [_NAN, variance, _NAN, _NAN]

    def _by_vectors(self, atoms: Atoms) -> tuple[Optional[np.ndarray], list[float]]:
        try:
            made = self.features(atoms)
        except TaskError as error:
            logger.warning("%s", error)
            return None, [_NAN] * 4
        return made, self.row(made)


def evaluate(directory: Path, judge: Judge, features: bool = False) -> None:
    """Write ``kpu_model_devi.out``, and ``features.npy`` where it is wanted.

    A frame that cannot be evaluated has NaN.

    Raises
    ------
    TaskError
        There are no frames.
    """
    types = (directory / TYPES).read_text(encoding="utf-8").split()
    trajectory = DumpTrajectory(directory / DUMP, types)
    steps = trajectory.steps()
    if not len(steps):
        raise TaskError(f"{DUMP} holds no frame")
    path = directory / layout.FEATURES
    writing = writing_features(path, steps, judge.columns, judge.most_rows)
    with writing if features else nullcontext() as put:
        rows = list(_rows(trajectory, judge, put))
    write_kpu_devi(directory / layout.KPU_MODEL_DEVI, steps, np.array(rows))


def _rows(trajectory: DumpTrajectory, judge: Judge, put: Optional[Put]) -> Iterator[list[float]]:
    place = 0
    for frames in _batches(trajectory):
        for features, values in judge.judged(frames, put is not None):
            if put is not None and features is not None:
                put(place, features)
            yield values
            place += 1


def _batches(trajectory: DumpTrajectory) -> Iterator[list[Atoms]]:
    """All frames, several of small ones at a time."""
    frames = (trajectory.frame(step) for step in trajectory.steps().tolist())
    first = next(frames)
    several = chain([first], frames)
    count = max(1, MOST_ATOMS // len(first))
    while batch := list(islice(several, count)):
        yield batch


def main(arguments: Sequence[str]) -> int:
    """Evaluate the current directory."""
    adapter, probes, *more = arguments
    draws = int(more[more.index(_DRAWS) + 1]) if _DRAWS in more else 0

    def work(directory: Path) -> None:
        covariance = read_covariance(directory / GRADIENT_COVARIANCE)
        rows = GradientRows(loaded(adapter, directory / MODEL))
        evaluate(directory, Judge(rows, covariance, int(probes), draws), WITH_FEATURES in more)

    return exit_status(work)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
