"""Networks of TorchNEP as learners: trained by the worker of a campaign, judged as it judges.

Networks are small, trainings short and from nothing, and pools half as large: a row of the table
takes hundreds of trainings. With `use_pre_model` TorchNEP would keep the scale of its descriptors
from the crystals of the start, and such networks were worse.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import cached_property
from pathlib import Path
from typing import Any, Callable, Optional

import numpy as np
from ase import Atoms

from pwact.config.train_keys import defaults
from pwact.engines.gradients.covariance import covariance_of
from pwact.engines.gradients.differentiable import Differentiable
from pwact.engines.gradients.draws import MOST_ATOMS
from pwact.engines.gradients.evaluator import Judge
from pwact.engines.gradients.rows import GradientRows
from pwact.engines.network import task
from pwact.engines.torchnep import worker
from pwact.engines.torchnep.gradients import load
from pwact.engines.torchnep.input import INPUT, nep_in, settings_of
from pwact.engines.torchnep.trainer import TorchnepTrainer
from pwact.formats.frames import write_frames
from pwact.formats.labels import set_labels
from pwact.query.committee import deviations, root_mean_square
from tests.benchmarks.label_efficiency.learners import Squares
from tests.benchmarks.label_efficiency.pools import START, Frames

NETWORK: dict[str, Any] = {
    "cutoff": [4.5, 3.5],
    "n_max": [4, 2],
    "basis_size": [5, 4],
    "l_max": [4],
    "neuron": 10,
    "batch": 4,
    "lambda_e": 0.01,
}
STEPS = 150  # of a training
MEMBERS, DRAWS = 3, 4  # a campaign takes 16 draws, which cost more than the training here


class _Judgement:
    """Of a network that was trained on some of the frames."""

    def __init__(
        self, frames: Frames, labelled: Sequence[int], trained: Callable[[int], Differentiable]
    ) -> None:
        self._frames = frames
        self._labelled = labelled
        self._trained = trained

    def forces(self, frames: Frames) -> np.ndarray:
        """See `learners.Judgement`."""
        return self._own if frames is self._frames else forces_of(self._network, frames)

    @cached_property
    def _network(self) -> Differentiable:
        """The one that explores."""
        return self._trained(0)

    @cached_property
    def _own(self) -> np.ndarray:
        return forces_of(self._network, self._frames)


class ByGradients(_Judgement):
    """KPU of one network; computed only where a rule looks at it, as is all that follows."""

    @cached_property
    def window(self) -> np.ndarray:
        """u², that is KPU, of each frame."""
        judged = (self._judge.judged(some, False) for some in parts(self._frames.atoms))
        return np.array([values[1] for some in judged for _, values in some])

    @property
    def uncertainty(self) -> np.ndarray:
        """See `learners.Judgement`."""
        return np.asarray(np.sqrt(self.window))

    def features(self, frames: Frames, index: int) -> np.ndarray:
        """See `learners.Judgement`."""
        if index not in self._features:
            made = self._judge.scaled(frames.atoms[index], float(self.window[index]))
            self._features[index] = made
        return self._features[index]

    @cached_property
    def _features(self) -> dict[int, np.ndarray]:
        """Of the frames that were asked for, which a choice asks for again and again."""
        return {}

    @cached_property
    def _judge(self) -> Judge:
        rows = GradientRows(self._network)
        covariance = covariance_of(rows, [self._frames.atoms[index] for index in self._labelled])
        return Judge(rows, covariance, TorchnepTrainer.vectors, DRAWS)


class ByCommittee(_Judgement):
    """How far the forces of several networks are apart."""

    @property
    def uncertainty(self) -> np.ndarray:
        """See `learners.Judgement`."""
        return root_mean_square(self._apart)

    @property
    def window(self) -> np.ndarray:
        """See `learners.Judgement`."""
        return np.asarray(self._apart.max(axis=1))

    @cached_property
    def _apart(self) -> np.ndarray:
        others = [forces_of(self._trained(one), self._frames) for one in range(1, MEMBERS)]
        shape = len(self._frames), -1, 3
        members = [one.reshape(shape) for one in (self._own, *others)]
        return np.array([deviations(np.array(frame)) for frame in zip(*members)])


class _Networks:
    """Trains. See `learners.Learner`."""

    whole, rounds, batch, part = "torchnep-kpu", 6, 8, 2
    judgement = _Judgement

    def __init__(self, frames: Frames, squares: Optional[Squares] = None) -> None:
        del squares  # of linear models
        self._frames = frames
        self._first: dict[tuple[int, ...], Differentiable] = {}

    def fit(self, labelled: Sequence[int], rng: np.random.Generator) -> _Judgement:
        """See `learners.Learner`."""
        seeds = rng.integers(1, 2**31, MEMBERS).tolist()

        def network(member: int) -> Differentiable:
            return self._trained(labelled, seeds[member])

        return self.judgement(self._frames, labelled, network)

    def _trained(self, labelled: Sequence[int], seed: int) -> Differentiable:
        """The first one is the same for all runs of a pool, which begin alike."""
        key = (seed, *labelled)
        if key in self._first:
            return self._first[key]
        made = trained(labelled_atoms(self._frames, labelled), seed)
        if len(labelled) == START:
            self._first[key] = made
        return made


class OneNetwork(_Networks):
    """One network and its KPU."""

    relative = True
    judgement = ByGradients


class NetworkCommittee(_Networks):
    """Networks that differ by their first weights, all trained on all frames."""

    relative = False
    judgement = ByCommittee


def trained(frames: Sequence[Atoms], seed: int) -> Differentiable:
    """A network that was trained as a campaign's job does it."""
    epochs = max(1, round(STEPS * NETWORK["batch"] / len(frames)))
    keys = settings_of({**defaults("torchnep"), **NETWORK, "epoch": epochs})
    types = tuple(sorted(set(frames[0].symbols)))
    settings = task.Settings(seed, types, None, {**keys, "device": "cpu"})
    with tempfile.TemporaryDirectory() as folder, _inside(Path(folder)):
        write_frames(Path(task.TRAIN), frames, "extxyz")
        Path(INPUT).write_text(nep_in(keys, types))
        with Path("log").open("w") as log, redirect_stdout(log):
            worker.train(Path(), settings)
        return load(Path(worker.BEST))


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def labelled_atoms(frames: Frames, indices: Sequence[int]) -> list[Atoms]:
    """Some of the structures, with their labels."""
    made = []
    for index in indices:
        atoms, values = frames.atoms[index].copy(), frames.truths[index]
        set_labels(atoms, float(values[0]), values[1:].reshape(-1, 3))
        made.append(atoms)
    return made


def parts(frames: Sequence[Atoms]) -> Iterator[list[Atoms]]:
    """As many frames of one size at a time as an evaluation takes."""
    size = max(1, MOST_ATOMS // len(frames[0]))
    for start in range(0, len(frames), size):
        yield list(frames[start : start + size])


def forces_of(network: Differentiable, frames: Frames) -> np.ndarray:
    """Components of each frame, eV/Å, shape (n, 3N)."""
    made = [network.evaluate(some)[1].detach().numpy() for some in parts(frames.atoms)]
    return np.concatenate(made).reshape(len(frames), -1)
