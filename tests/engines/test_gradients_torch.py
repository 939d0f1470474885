"""Sketched gradients of networks in PyTorch, against finite differences and all weights."""

from __future__ import annotations

import shlex
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from pwact.engines.gradients.covariance import (
    GRADIENT_COVARIANCE,
    covariance_of,
    covariance_step,
    read_covariance,
)
from pwact.engines.gradients.evaluator import GradientKpu, Judge
from pwact.engines.gradients.rows import GradientRows, judging_vectors
from pwact.engines.trainers import TrainedModel
from pwact.errors import TaskError
from pwact.formats.features import Features
from pwact.formats.frames import write_frames
from pwact.formats.kpu_devi import read_kpu_devi
from tests.engines.gradient_models import crystal, write_trajectory
from tests.engines.pod_helpers import shell
from tests.requirements import need_module

pytestmark = pytest.mark.torch
ADAPTER = "tests.engines.tiny_network"
PYTHON = shlex.quote(sys.executable)


@pytest.fixture(autouse=True)
def _torch() -> None:
    need_module("torch")


def tiny(seed: int = 1, neurons: int = 12) -> Any:
    module = import_module(ADAPTER)
    return module.Tiny(module.drawn(seed, neurons))


def spearman(one: np.ndarray, other: np.ndarray) -> float:
    ranks = [np.argsort(np.argsort(values)) for values in (one, other)]
    return float(np.corrcoef(*ranks)[0, 1])


def finite_differences(
    model: Any, atoms: Atoms, places: list[tuple[int, int]], size: float
) -> np.ndarray:
    """∂F/∂w of single weights, central, shape (3N, weights)."""
    made = []
    for number, place in places:
        flat = model.parameters()[number].detach().view(-1)
        step, kept = size * max(1.0, abs(float(flat[place]))), float(flat[place])
        ends = []
        for sign in (1.0, -1.0):
            flat[place] = kept + sign * step
            ends.append(model.evaluate([atoms])[1].detach().double().cpu().numpy().ravel())
        flat[place] = kept
        made.append((ends[0] - ends[1]) / (2.0 * step))
    return np.array(made).T


def drawn_places(model: Any, count: int) -> list[tuple[int, int]]:
    """Of weights of every tensor."""
    rng = np.random.default_rng(0)
    sizes = [weight.numel() for weight in model.parameters()]
    return [
        (number, int(place))
        for number, size in enumerate(sizes)
        for place in rng.permutation(size)[:count]
    ]


def agrees(
    model: Any, atoms: Atoms, places: list[tuple[int, int]], size: float = 1e-4, off: float = 1e-4
) -> None:
    """Rows without a sketch are v·∂F/∂w, to a part `off` of the largest."""
    rows = GradientRows(model, most=10**9)
    vectors = judging_vectors(len(atoms), 3)
    found = rows.of(atoms, vectors)
    starts = np.cumsum([0, *(weight.numel() for weight in model.parameters())])
    columns = [starts[number] + place for number, place in places]
    wanted = vectors.reshape(3, -1) @ finite_differences(model, atoms, places, size)
    largest = np.abs(wanted).max(axis=1, keepdims=True)
    assert (largest > 0).all()
    assert found[:, columns] / largest == pytest.approx(wanted / largest, abs=off)


def test_rows_are_finite_differences_of_the_forces() -> None:
    model = tiny()
    agrees(model, crystal(1), drawn_places(model, 10**9))  # every weight


def test_frames_in_a_batch_are_as_alone() -> None:
    model, frames = tiny(), [crystal(1), crystal(2, 2)]
    energies, forces = model.evaluate(frames)
    for number, (atoms, part) in enumerate(zip(frames, forces.split([4, 32]))):
        energy, alone = model.evaluate([atoms])
        assert energies[number].item() == pytest.approx(energy.item())
        assert part.detach().numpy() == pytest.approx(alone.detach().numpy())


def test_a_sketch_judges_as_all_weights_do() -> None:
    """Of a network with 1,393 weights, trained on frames of which some are nearer than others."""
    model = tiny(neurons=28)
    assert 512 < sum(weight.numel() for weight in model.parameters()) < 2000
    trained = [crystal(seed, 2, noise=0.1) for seed in range(12)]
    judged = [crystal(100 + n, 2, noise=0.02 + 0.012 * n) for n in range(25)]
    values = []
    for most in (512, 2000):
        rows = GradientRows(model, most)
        judge = Judge(rows, covariance_of(rows, trained), 4)
        values.append(np.sqrt([judge.row(judge.features(atoms))[1] for atoms in judged]))
    short, whole = values
    assert spearman(short, whole) >= 0.98
    assert short / whole == pytest.approx(np.ones(len(judged)), abs=0.1)


def test_a_training_and_an_evaluation_by_their_commands(tmp_path: Path) -> None:
    import torch  # noqa: PLC0415

    training, task = tmp_path / "train.000", tmp_path / "a task"
    for place in (training, task):
        place.mkdir()
    trained = [crystal(seed) for seed in range(4)]
    write_frames(training / "train.xyz", trained, "extxyz")
    torch.save(tiny().parameters(), training / "net.pt")
    step = covariance_step(ADAPTER, PYTHON, "net.pt", ["train.xyz"])
    assert shell(training, step) == 0, (training / "kpu.log").read_text()
    rows = GradientRows(tiny())
    made = read_covariance(training / GRADIENT_COVARIANCE)
    here = covariance_of(rows, trained)
    assert made.identity == here.identity
    assert made.factor == pytest.approx(here.factor)

    frames = [crystal(10), crystal(11, 2)]
    write_trajectory(tmp_path / "md", frames)
    evaluator = GradientKpu(ADAPTER, PYTHON, "net", 2).with_features()
    model = TrainedModel(training, {"net": training / "net.pt"})
    evaluator.write_input(task, model, tmp_path / "md")
    assert shell(task, evaluator.command()) == 0, (task / "kpu.log").read_text()
    assert evaluator.check(task).done
    judge = Judge(rows, here, 2)
    wanted = [judge.features(atoms) for atoms in frames]
    found = read_kpu_devi(task / "kpu_model_devi.out")
    assert found.f_mean == pytest.approx([np.square(one).sum() for one in wanted], rel=1e-6)
    for step, one in zip((0, 10), wanted):
        assert Features(task / "features.npy").of(step) == pytest.approx(one, rel=1e-4, abs=1e-6)

    torch.save(tiny(seed=2).parameters(), training / "net.pt")  # trained again, P is the old one
    assert shell(task, evaluator.command()) == 1
    assert "made for other weights" in (task / "kpu.log").read_text()


def test_frozen_weights_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny()
    monkeypatch.setattr(model, "parameters", list)
    with pytest.raises(TaskError, match="no weights that are trained"):
        GradientRows(model)


def test_float32_is_summed_in_float64() -> None:
    """A weight whose gradient is small beside others in its bucket is not lost."""
    import torch  # noqa: PLC0415

    class Linear:
        weights = torch.ones(3, dtype=torch.float32, requires_grad=True)

        def parameters(self) -> list[Any]:
            return [self.weights]

        def evaluate(self, frames: list[Atoms]) -> tuple[Any, Any]:
            sizes = torch.tensor([1e8, 1.0, 1.0])
            forces = (self.weights * sizes).sum() * torch.ones(len(frames[0]), 3)
            return forces.sum(), forces

    rows = GradientRows(Linear(), most=1)
    signs = rows._signs[0].tolist()
    (row,) = rows.of(crystal(1), judging_vectors(4, 0)[:1])
    assert row[0] == signs[0] * 1e8 + signs[1] + signs[2]
