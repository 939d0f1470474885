"""DeePMD-kit's PyTorch backend for real: its Kalman filter, the uncertainty, and the example."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from pwact.config.resources import ResourceBlock
from pwact.engines import trainer_for
from pwact.engines.deepmd.kpu import Evaluator, load, read_kalman
from pwact.engines.deepmd.pytorch_restart import keep_filter
from pwact.engines.trainers import TrainedModel, TrainingData
from pwact.errors import TaskError
from pwact.formats.extxyz import read_extxyz
from pwact.formats.frames import write_frames
from pwact.formats.kpu_devi import read_kpu_devi
from pwact.formats.lammps_dump import frame_text
from tests.commands import ROOT, pwact
from tests.engines.test_deepmd import copper, killed_after_a_checkpoint
from tests.engines.test_deepmd_pytorch import config
from tests.requirements import need_module

pytestmark = [pytest.mark.slow, pytest.mark.pytorch, pytest.mark.timeout(1200)]
ENV = {"OMP_NUM_THREADS": "1", "DP_INTRA_OP_PARALLELISM_THREADS": "1"}
BLOCK = ResourceBlock(command="python")
SETTINGS: dict[str, Any] = {
    "max_neigh_num": 60,
    "model": {
        "descriptor": {"Rmax": 4.0, "M2": 2, "network_size": [2, 4]},
        "fitting_net": {"network_size": [5, 5, 1]},
    },
    # two blocks: the descriptor's tables and the fitting network's do not fit into one
    "optimizer": {"optimizer": "LKF", "numb_steps": 30, "print_freq": 10, "block_size": 60},
}


def shell(directory: Path, command: str) -> None:
    made = subprocess.run(
        ["bash", "-c", command], cwd=directory, env={**os.environ, **ENV}, check=False
    )
    assert made.returncode == 0, next(directory.glob("*.log")).read_text()[-3000:]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> TrainingData:
    need_module("deepmd.pt")
    folder = tmp_path_factory.mktemp("frames of copper")
    write_frames(folder / "train.xyz", [copper(seed) for seed in range(12)], "extxyz")
    return TrainingData((folder / "train.xyz",), (), "extxyz")


def trained(directory: Path, data: TrainingData, seed: int, start: Any = None) -> TrainedModel:
    made = trainer_for(config(SETTINGS), BLOCK, BLOCK)
    directory.mkdir()
    made.write_input(directory, data, seed, start)
    shell(directory, made.command())
    assert made.check(directory).done
    return made.read_result(directory)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, data: TrainingData) -> TrainedModel:
    return trained(tmp_path_factory.mktemp("models") / "a model", data, 1)


def curve(model: TrainedModel) -> np.ndarray:
    return np.loadtxt(model.directory / "lcurve.out")


def test_a_training_learns_and_can_be_repeated(
    model: TrainedModel, data: TrainingData, tmp_path: Path
) -> None:
    rmse_f = curve(model)[:, 3]
    assert rmse_f[-1] < 0.5 * rmse_f[0]
    same, other = (trained(tmp_path / str(seed), data, seed) for seed in (1, 2))
    np.testing.assert_array_equal(curve(same), curve(model))
    assert (curve(other) != curve(model)).any()
    blocks = read_kalman(model.directory / "kalman.npz")
    assert len(blocks) > 1
    for ours, theirs in zip(blocks, read_kalman(same.directory / "kalman.npz")):
        np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_allclose(ours, ours.T, rtol=1e-8, atol=1e-12)
        assert np.linalg.eigvalsh(ours).min() > 0
    assert not list(model.directory.glob("model.ckpt*"))


def test_a_warm_start_begins_with_the_weights(
    model: TrainedModel, data: TrainingData, tmp_path: Path
) -> None:
    warm = curve(trained(tmp_path / "warm", data, 1, model.directory))
    assert warm[0, 3] < 0.6 * curve(model)[0, 3]
    (tmp_path / "gone").mkdir()
    made = trainer_for(config(SETTINGS), BLOCK, BLOCK)
    made.write_input(tmp_path / "gone", data, 1, tmp_path / "no model.pt")
    with pytest.raises(AssertionError, match="start.pt"):
        shell(tmp_path / "gone", made.command())


def test_a_training_that_was_killed_goes_on_with_its_matrix(
    model: TrainedModel, data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P has grown, as the filter forgets, as far as in one go; begun again it would fall behind."""
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)
    long = {**SETTINGS, "optimizer": {**SETTINGS["optimizer"], "numb_steps": 60, "print_freq": 6}}
    made = trainer_for(config(long), BLOCK, BLOCK)
    cut, whole = tmp_path / "cut", tmp_path / "whole"
    for directory in (cut, whole):
        directory.mkdir()
        made.write_input(directory, data, 1, None)
    reached = killed_after_a_checkpoint(cut, made)
    assert 0 < reached < 60
    for directory in (cut, whole):
        shell(directory, made.command())
        assert made.check(directory).done
    log = (cut / "train.log").read_text()
    assert f"pwact: cut off; dp goes on from the checkpoint of step {reached:g}" in log
    rows = curve(made.read_result(cut))
    assert rows[:, 0].tolist() == [1, *range(6, 61, 6)]
    assert rows[-1, 3] < 0.7 * rows[0, 3]

    def log_size(place: Path) -> float:
        return sum(np.linalg.slogdet(block)[1] for block in read_kalman(place / "kalman.npz"))

    assert log_size(cut) == pytest.approx(log_size(whole), rel=0.05)
    assert log_size(model.directory) < 0.7 * log_size(whole)  # of half as many steps


def test_the_filter_reads_what_it_has_saved(model: TrainedModel) -> None:
    """As DeePMD-kit's own filter with the hook in it."""
    from deepmd.pt.optimizer import LKFOptimizer  # noqa: PLC0415

    network, _ = network_of(model)
    optimizer = LKFOptimizer(network.parameters(), 0.98, 0.9987, 60)
    optimizer.set_grad_prefactor(1.0)
    for weight in network.parameters():
        weight.grad = weight.detach().clone()
    optimizer.step(0.1)
    state = copy.deepcopy(optimizer.state_dict())
    hooked = type("Hooked", (LKFOptimizer,), {})
    keep_filter(hooked, state)
    again = hooked(network.parameters(), 0.98, 0.9987, 60)
    (mine,), (theirs,) = (one.state_dict()["state"].values() for one in (again, optimizer))
    assert mine["kalman_lambda"] == theirs["kalman_lambda"] != 0.98
    for ours, saved in zip(mine["P"], theirs["P"]):
        np.testing.assert_array_equal(ours.numpy(), saved.numpy())
    again.set_grad_prefactor(1.0)
    again.step(0.1)  # and it is that P which it uses
    optimizer.step(0.1)
    np.testing.assert_array_equal(mine["P"][0].numpy(), theirs["P"][0].numpy())
    with pytest.raises(TaskError, match="P of another network"):
        hooked(network.parameters(), 0.98, 0.9987, 30)


def test_a_batch_larger_than_the_data_is_all_of_them(data: TrainingData, tmp_path: Path) -> None:
    """DeePMD-kit neither leaves it out, as MatPL does, nor repeats frames to fill it."""
    curves = []
    for size in (12, 99):
        few = {"numb_steps": 4, "print_freq": 1, "batch_size": size}
        made = trainer_for(
            config({**SETTINGS, "optimizer": {**SETTINGS["optimizer"], **few}}), BLOCK, BLOCK
        )
        directory = tmp_path / str(size)
        directory.mkdir()
        made.write_input(directory, data, 1, None)
        shell(directory, made.command())
        assert made.check(directory).done
        curves.append(curve(made.read_result(directory)))
    np.testing.assert_array_equal(*curves)
    assert curves[0][-1, 3] < curves[0][0, 3]


def network_of(model: TrainedModel) -> tuple[Any, list[np.ndarray]]:
    import torch  # noqa: PLC0415
    from deepmd.pt.model.model import get_model  # noqa: PLC0415
    from deepmd.pt.train.wrapper import ModelWrapper  # noqa: PLC0415

    state = torch.load(model.directory / "model.pt", weights_only=True)
    network = ModelWrapper(get_model(state["_extra_state"]["model_params"]))
    network.load_state_dict(state)
    return network, read_kalman(model.directory / "kalman.npz")


def values(network: Any, atoms: Atoms) -> np.ndarray:
    """Energy and forces, shape (1 + 3N,)."""
    import torch  # noqa: PLC0415

    made = network.model["Default"](
        torch.tensor(atoms.positions[None]),
        torch.zeros((1, len(atoms)), dtype=torch.long),
        box=torch.tensor(atoms.cell.array.reshape(1, 9)),
    )
    return np.concatenate([made["energy"].detach().ravel(), made["force"].detach().ravel()])


def jacobian(network: Any, atoms: Atoms, step: float = 2e-4) -> np.ndarray:
    """∂(energy, forces)/∂w, (1 + 3N, weights), by central differences of fourth order.

    Column by column of each table, as the filter takes the weights.
    """
    columns = []
    for weight in network.parameters():
        order = np.arange(weight.numel()).reshape(weight.shape).T.ravel()
        flat = weight.data.view(-1)
        for place in order:
            kept, moved = float(flat[place]), []
            for factor in (-2, -1, 1, 2):
                flat[place] = kept + factor * step
                moved.append(values(network, atoms))
            flat[place] = kept
            far, near = moved[3] - moved[0], moved[2] - moved[1]
            columns.append((8 * near - far) / (12 * step))
    return np.array(columns).T


def dense(blocks: list[np.ndarray]) -> np.ndarray:
    whole = np.zeros((sum(map(len, blocks)),) * 2)
    start = 0
    for block in blocks:
        end = start + len(block)
        whole[start:end, start:end] = block
        start = end
    return whole


def test_the_exact_uncertainty_equals_finite_differences(model: TrainedModel) -> None:
    atoms = copper(30, (2, 1, 1))
    network, blocks = network_of(model)
    rows = jacobian(network, atoms)
    expected = np.einsum("ij,jk,ik->i", rows, dense(blocks), rows)
    energy, mean, largest, smallest = load(model.directory).row(atoms, 0)
    assert energy == pytest.approx(expected[0] / len(atoms) ** 4, rel=1e-6)
    forces = expected[1:]
    assert [mean, largest, smallest] == pytest.approx(
        [forces.mean(), forces.max(), forces.min()], rel=1e-6
    )
    without = np.einsum("ij,ij->i", rows, rows)[1:]  # P = 1, as if P had been lost
    assert mean != pytest.approx(without.mean(), rel=0.1)


def test_the_weights_are_taken_in_the_order_of_the_filter(model: TrainedModel) -> None:
    """One update by DeePMD-kit's own filter, from P = 1, has a closed form."""
    from deepmd.pt.optimizer import LKFOptimizer  # noqa: PLC0415

    atoms = copper(31, (2, 1, 1))
    network, _ = network_of(model)
    optimizer = LKFOptimizer(network.parameters(), 0.98, 0.9987, 60)
    optimizer.set_grad_prefactor(len(atoms))
    ones = [block.numpy().copy() for block in optimizer.state[next(iter(optimizer.state))]["P"]]
    sizes = [len(one) for one in ones]
    before = Evaluator(network, ones).row(atoms, 0)[0] * len(atoms) ** 2  # Σ h², h = ∂E/∂w / N
    evaluator = Evaluator(network, ones)
    energy, _ = evaluator._values(atoms)
    h = (evaluator._gradient(energy) / len(atoms)).numpy()
    assert h @ h == pytest.approx(before)
    network.zero_grad()
    energy.backward()
    optimizer.step(0.0)  # no error: the weights stay
    after = [block.numpy() for block in optimizer.state[next(iter(optimizer.state))]["P"]]
    scale = 1 / (len(sizes) * 0.98 + h @ h)
    pieces = np.split(h, np.cumsum(sizes)[:-1])
    for block, piece in zip(after, pieces):
        expected = (np.eye(len(piece)) - scale * np.outer(piece, piece)) / 0.98
        np.testing.assert_allclose(block, expected, rtol=1e-9, atol=1e-12)


def test_probes_have_the_exact_mean(model: TrainedModel) -> None:
    evaluator = load(model.directory)
    frames = [copper(40 + k, (2, 1, 1)) for k in range(3)]
    for atoms in frames:
        exact = evaluator.row(atoms, 0)
        few, many = (evaluator.row(atoms, probes) for probes in (16, 4000))
        assert many[1] == pytest.approx(exact[1], rel=0.05)
        assert few[1] == pytest.approx(exact[1], rel=0.6)
        assert few[0] == many[0] == exact[0]
        assert np.isnan(few[2:]).all()


def test_uncertainty_rises_with_distortion(model: TrainedModel, tmp_path: Path) -> None:
    """Through the files of a task; a frame that cannot be read is a failed one."""
    md, place = tmp_path / "a md", tmp_path / "a kpu"
    md.mkdir()
    place.mkdir()
    (md / "atom_type.txt").write_text("Cu\n")
    text, rng = "", np.random.default_rng(3)
    shifts = rng.standard_normal((16, 3))
    for number, size in enumerate((0.05, 0.1, 0.2, 0.3, 0.4)):
        atoms = bulk("Cu", cubic=True, a=3.65).repeat((2, 2, 1))
        atoms.positions += size * shifts / np.sqrt(3)
        text += frame_text(10 * number, atoms, np.zeros((16, 3)), ["Cu"])
    bad = frame_text(50, atoms, np.zeros((16, 3)), ["Cu"])
    text += re.sub(r"(?m)^3 1 \S+", "3 1 nan", bad)
    (md / "traj.lammpstrj").write_text(text)
    results = {}
    for probes in (0, 16):
        evaluator = trainer_for(
            config(SETTINGS, strategy={"kpu_probes": probes}), BLOCK, BLOCK
        ).kpu()
        evaluator.write_input(place, model, md)
        shell(place, evaluator.command())
        assert evaluator.check(place).done
        results[probes] = rows = read_kpu_devi(place / "kpu_model_devi.out")
        assert rows.steps.tolist() == [0, 10, 20, 30, 40, 50]
        assert rows.failed.tolist() == [False] * 5 + [True]
        assert (np.diff(rows.f_mean[:5]) > 0).all()
    np.testing.assert_allclose(results[16].f_mean[:5], results[0].f_mean[:5], rtol=0.6)
    np.testing.assert_array_equal(results[16].etot_kpu[:5], results[0].etot_kpu[:5])


def test_p_of_another_model_is_refused(model: TrainedModel, tmp_path: Path) -> None:
    network, blocks = network_of(model)
    with pytest.raises(Exception, match="does not belong"):
        Evaluator(network, blocks[:-1])


def test_the_example_closes_the_loop(tmp_path: Path) -> None:
    need_module("deepmd.pt")
    work_dir = tmp_path / "my copper"
    shutil.copytree(ROOT / "examples" / "cu_deepmd_kpu", work_dir)
    pwact(work_dir, "init_bulk", "init_param.json", "resource.json")
    shown = pwact(work_dir, "run", "run_param.json", "resource.json")
    rows = [line.split() for line in shown.splitlines() if re.match(r"iter\.\d{4} ", line)]
    assert len(rows) == 3
    errors = [float(row[-1]) for row in rows]
    assert errors[-1] < 0.7 * errors[0]
    for iteration in ("iter.0000", "iter.0001"):
        new = read_extxyz(work_dir / iteration / "02.label/result/train.xyz")
        assert 1 <= len(new) <= 10
        summary = (work_dir / iteration / "01.explore/select/select_summary.txt").read_text()
        assert "base" in summary
    journal = (work_dir / ".pwact" / "journal.jsonl").read_text().splitlines()
    asked = [event for event in map(json.loads, journal) if event["event"] == "job_asked"]
    kinds = [event["kind"] for event in asked if event["directory"].startswith("iter.")]
    assert kinds.count("train") == 3
    assert kinds.count("kpu") == kinds.count("md")
    again = pwact(work_dir, "run", "run_param.json", "resource.json")
    assert again == shown
