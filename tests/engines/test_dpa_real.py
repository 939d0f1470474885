"""DeePMD-kit's PyTorch backend itself: what fine-tuning begins with, how it repeats, and MD."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, Optional

import numpy as np
import pytest
from ase import Atoms

from pwact.config.resources import ResourceBlock
from pwact.engines.ase.explorer import AseExplorer
from pwact.engines.explorers import Condition
from pwact.engines.trainers import TrainedModel, Trainer, TrainingData
from pwact.formats.frames import write_frames
from pwact.formats.labels import set_labels
from tests.engines import pod_helpers, test_dpa
from tests.engines.test_deepmd import killed_after_a_checkpoint
from tests.requirements import need_module

pytestmark = [pytest.mark.slow, pytest.mark.pytorch, pytest.mark.timeout(1200)]
PYTHON = shlex.quote(sys.executable)
ONE_THREAD = {
    name: "1"
    for name in (
        "OMP_NUM_THREADS",
        "DP_INTRA_OP_PARALLELISM_THREADS",
        "DP_INTER_OP_PARALLELISM_THREADS",
    )
}
NETWORK: dict[str, Any] = {
    "type_embedding": True,
    "model": {
        "descriptor": {"Rmax": 4.0, "M2": 4, "network_size": [4, 8]},
        "fitting_net": {"network_size": [8, 8]},
    },
}
SHIFT = {"Ag": -3.0, "Au": -2.0}  # eV an atom, of other labels


def alloy(seed: int, shift: float = 0.0) -> Atoms:
    frame = pod_helpers.labelled(pod_helpers.alloy(seed))
    energy = frame.get_potential_energy() + shift * sum(SHIFT[one] for one in frame.symbols)
    set_labels(frame, energy, frame.get_forces())
    return frame


def frames(folder: Path, shift: float, first: int, count: int) -> TrainingData:
    write_frames(folder / "train.xyz", [alloy(first + n, shift) for n in range(count)], "extxyz")
    write_frames(folder / "valid.xyz", [alloy(90 + n, shift) for n in range(3)], "extxyz")
    return TrainingData((folder / "train.xyz",), (folder / "valid.xyz",), "extxyz")


def trainer(types: tuple[str, ...] = ("Ag", "Au"), **changes: Any) -> Trainer:
    made = test_dpa.trainer(PYTHON, atom_type=types, **changes)
    made.validate()
    return made


def trained(
    directory: Path, made: Trainer, data: TrainingData, seed: int = 1, start: Optional[Path] = None
) -> TrainedModel:
    directory.mkdir()
    made.write_input(directory, data, seed, start)
    run(directory, made.command())
    assert made.check(directory).done
    return made.read_result(directory)


def run(directory: Path, command: str) -> None:
    env = {**os.environ, **ONE_THREAD}
    made = subprocess.run(["bash", "-c", command], cwd=directory, env=env, check=False)
    logs = sorted(directory.glob("*.log"))
    assert made.returncode == 0, logs[-1].read_text()[-3000:]


@pytest.fixture(scope="module")
def foundation(tmp_path_factory: pytest.TempPathFactory) -> str:
    """It knows Ag and Au in the other order."""
    need_module("deepmd.pt")
    folder = tmp_path_factory.mktemp("a foundation")
    steps = {"numb_steps": 200, "learning_rate": 0.01, "stop_lr": 1e-4, "decay_step": 20}
    made = trainer(("Au", "Ag"), settings={**NETWORK, "optimizer": steps})
    model = trained(folder / "of a sort", made, frames(folder, 0.0, 0, 10))
    return str(model.files["model"])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> TrainingData:
    return frames(tmp_path_factory.mktemp("other labels"), 1.0, 30, 6)


@pytest.fixture(scope="module")
def members(
    tmp_path_factory: pytest.TempPathFactory, foundation: str, data: TrainingData
) -> list[TrainedModel]:
    folder = tmp_path_factory.mktemp("a committee")
    made = trainer(foundation=foundation)
    return [trained(folder / str(seed), made, data, seed) for seed in (1, 2)]


def curve(model: TrainedModel) -> np.ndarray:
    """Its columns 3 and 5 are the validation errors of energies per atom and forces."""
    return np.loadtxt(model.directory / "lcurve.out")


def test_it_begins_with_the_weights_and_with_the_energies_of_the_labels(
    members: list[TrainedModel], data: TrainingData, tmp_path: Path
) -> None:
    nothing = trained(tmp_path / "nothing", trainer(settings={**NETWORK, **test_dpa.STEPS}), data)
    for model in members:
        assert curve(model)[0, 5] < 0.6 * curve(nothing)[0, 5]
        assert curve(model)[:, 3].max() < 0.2  # their shift is ten times as large
        assert "Change output bias" in (model.directory / "train.log").read_text()


def test_the_same_seed_gives_the_same_file(
    members: list[TrainedModel], foundation: str, data: TrainingData, tmp_path: Path
) -> None:
    same = trained(tmp_path / "same", trainer(foundation=foundation), data)
    first, second = (model.files["model"].read_bytes() for model in members)
    assert same.files["model"].read_bytes() == first != second


def test_the_next_iteration_trains_on(
    members: list[TrainedModel], foundation: str, data: TrainingData, tmp_path: Path
) -> None:
    made = trainer(foundation=foundation)
    after = trained(tmp_path / "next", made, data, 3, members[0].directory)
    log = (after.directory / "train.log").read_text()
    assert "Resuming from start.pt" in log
    assert "Change output bias" not in log
    assert curve(after)[-1, 5] < 1.1 * curve(members[0])[-1, 5]


def test_a_fine_tuning_that_was_killed_goes_on(
    foundation: str, data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the network, the learning rate and the state of Adam that the checkpoint holds."""
    for name, value in ONE_THREAD.items():
        monkeypatch.setenv(name, value)
    steps = {"optimizer": {"numb_steps": 200, "learning_rate": 0.01, "stop_lr": 1e-4}}
    made, task = trainer(foundation=foundation, settings=steps), tmp_path / "task"
    task.mkdir()
    made.write_input(task, data, 1, None)
    reached = killed_after_a_checkpoint(task, made)
    assert 0 < reached < 200
    run(task, made.command())
    assert made.check(task).done
    assert f"Resuming from model.ckpt-{reached:g}.pt" in (task / "train.log").read_text()
    rows = curve(made.read_result(task))
    assert rows[:, 0].tolist() == [1, *range(20, 201, 20)]
    assert (np.diff(rows[:, -1]) < 0).all()  # the rate falls on
    assert rows[-1, 5] < 1.1 * rows[0, 5]


def test_a_batch_larger_than_the_data_is_all_of_them(data: TrainingData, tmp_path: Path) -> None:
    """Of one composition, at each step."""
    found = []
    for size in (6, 99):
        few = {"optimizer": {"numb_steps": 20, "learning_rate": 0.01, "batch_size": size}}
        made = trainer(settings={**NETWORK, **few})
        found.append(curve(trained(tmp_path / f"{size}", made, data)))
    np.testing.assert_array_equal(*found)
    assert found[0][-1, 5] < found[0][0, 5]


@pytest.mark.parametrize(
    ("types", "changes", "words"),
    [
        (("Ag", "Au", "Ni"), {}, "does not know Ni; it knows Au Ag"),
        (("Ag", "Au"), {"model_branch": "b"}, "has no branches"),
    ],
)
def test_what_cannot_be_fine_tuned_is_said(
    foundation: str,
    data: TrainingData,
    tmp_path: Path,
    types: tuple[str, ...],
    changes: dict[str, Any],
    words: str,
) -> None:
    made = trainer(types, foundation=foundation, settings={**test_dpa.STEPS, **changes})
    with pytest.raises(AssertionError, match=words):
        trained(tmp_path / "task", made, data)
    assert not made.check(tmp_path / "task").done


def test_a_file_of_something_else_is_said(data: TrainingData, tmp_path: Path) -> None:
    made = trainer(foundation=str(data.train[0]))
    with pytest.raises(AssertionError, match="train.xyz is no checkpoint"):
        trained(tmp_path / "task", made, data)


def test_a_committee_moves_atoms(members: list[TrainedModel], tmp_path: Path) -> None:
    explorer = AseExplorer(ResourceBlock(command=PYTHON))
    motion = Condition("nve", nsteps=20, trj_freq=5, dt_ps=0.002, temp_k=300.0)
    potential = trainer().potential(members)
    explorer.write_input(tmp_path, pod_helpers.alloy(9, rattle=0.02), potential, motion, 7)
    run(tmp_path, explorer.command(potential))
    assert explorer.check(tmp_path, False, motion, potential).done
    values = explorer.read_result(tmp_path).deviations()
    assert len(values.max_f) == 5
    assert (values.max_f > 1e-4).all()
