"""TorchNEP itself: what is trained, how it repeats, and how its models move atoms."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Optional

import numpy as np
import pytest

from pwact.config.nep_in import OF_TORCHNEP, WORDS
from pwact.config.resources import ResourceBlock
from pwact.config.strategy import StrategyConfig
from pwact.engines.ase.explorer import AseExplorer
from pwact.engines.explorers import Condition
from pwact.engines.network.training import TRAINED
from pwact.engines.torchnep.grades import GPUMD, GRADES
from pwact.engines.torchnep.results import read_curve
from pwact.engines.trainers import Trainer, TrainingData
from pwact.formats.extrapolation import read_grades
from pwact.formats.extxyz import read_extxyz
from pwact.formats.frames import write_frames
from pwact.formats.kpu_devi import read_kpu_devi
from pwact.formats.labels import labels_of
from pwact.formats.lammps_dump import frame_text
from tests.engines.pod_helpers import shell
from tests.engines.test_deepmd import copper
from tests.engines.torchnep_helpers import GRADED, TINY, trainer
from tests.requirements import need_module

pytestmark = pytest.mark.torch
PYTHON = shlex.quote(sys.executable)
SMALL = {
    **TINY,
    "n_max": [3, 3],
    "basis_size": [4, 4],
    "l_max": [3, 1],
    "neuron": 8,
    "epoch": 20,
    "batch": 1,
}


@pytest.fixture(scope="module", autouse=True)
def _one_core() -> None:
    need_module("torchnep")
    os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> TrainingData:
    folder = tmp_path_factory.mktemp("frames of copper")
    train, valid = folder / "train.xyz", folder / "valid.xyz"
    write_frames(train, [copper(seed) for seed in range(6)], "extxyz")
    write_frames(valid, [copper(10), copper(11, (2, 1, 1))], "extxyz")
    return TrainingData((train,), (valid,), "extxyz")


def prepared(
    folder: Path,
    data: TrainingData,
    start: Optional[Path] = None,
    settings: Mapping[str, Any] = SMALL,
    seed: int = 3,
) -> tuple[Trainer, Path]:
    made = trainer(dict(settings), PYTHON)
    folder.mkdir()
    made.write_input(folder, data, seed, start)
    return made, folder


def trained(folder: Path, data: TrainingData, *more: Any, **others: Any) -> tuple[Trainer, Path]:
    made, folder = prepared(folder, data, *more, **others)
    assert shell(folder, made.command()) == 0, (folder / "train.log").read_text()[-2000:]
    assert made.check(folder).done
    return made, folder


@pytest.fixture(scope="module")
def first(data: TrainingData, tmp_path_factory: pytest.TempPathFactory) -> tuple[Trainer, Path]:
    return trained(tmp_path_factory.mktemp("first") / "it's 1", data)


def test_our_words_are_those_of_torchnep(tmp_path: Path) -> None:
    from torchnep import data as own  # noqa: PLC0415

    assert set(WORDS) == set(own.NEP_IN_KEYWORDS)
    file = tmp_path / "nep.in"
    file.write_text("type 1 Cu\n")
    plain = own.parse_nep_in(str(file))
    file.write_text(
        "type 1 Cu\n"
        + "".join(
            f"{word} {' '.join(map(str, value)) if isinstance(value, list) else value}\n"
            for word, value in OF_TORCHNEP.items()
        )
    )
    written = own.parse_nep_in(str(file))
    del plain["_explicit"], written["_explicit"]
    assert plain == written


def test_the_errors_are_those_of_the_model_in_ase(
    first: tuple[Trainer, Path], data: TrainingData
) -> None:
    """So energies, forces and virials went in with their units and signs."""
    from torchnep.ase_calculator import NEP  # noqa: PLC0415

    made, directory = first
    model = NEP(str(made.read_result(directory).files["model"]))
    energies, forces, virials, labelled = [], [], [], []
    for frame in read_extxyz(data.valid[0]):
        labels, bare = labels_of(frame), frame.copy()
        bare.calc = model
        energies.append((bare.get_potential_energy() - labels.energy) / len(frame))
        forces.append((bare.get_forces() - labels.forces).ravel())
        virials.append(-bare.get_volume() * bare.get_stress(voigt=False) / len(frame))
        assert labels.virial is not None
        labelled.append(labels.virial / len(frame))
    told = made.read_result(directory).valid
    assert told is not None
    found = rms(np.array(energies)), rms(np.concatenate(forces))
    assert (told.rmse_e, told.rmse_f) == pytest.approx(found, abs=2e-6)
    table = (directory / "train.log").read_text().rpartition("Validation set")[2]
    error = float(table.partition("Virial (eV/atom)")[2].split()[0])
    difference = np.array(virials) - np.array(labelled)
    six = difference[:, [0, 1, 2, 0, 1, 2], [0, 1, 2, 1, 2, 0]]
    assert error == pytest.approx(rms(six), abs=2e-6)


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def test_it_learned(first: tuple[Trainer, Path]) -> None:
    epochs = read_curve(first[1] / "loss.out")
    assert len(epochs) == 20
    assert epochs[-1].train.rmse_f < 0.5 * epochs[0].train.rmse_f
    assert {path.name for path in first[1].iterdir()} == {
        *("nep.in", "settings.json", "train.xyz", "valid.xyz"),
        *("nep.txt", "result.json", "loss.out", "train.log", TRAINED, "train.ended"),
    }


def test_a_seed_gives_the_same_bytes_also_after_a_kill(
    first: tuple[Trainer, Path], data: TrainingData, tmp_path: Path
) -> None:
    made, directory = prepared(tmp_path / "killed", data)
    job = subprocess.Popen(["bash", "-c", made.command()], cwd=directory, start_new_session=True)
    curve = directory / "loss.out"
    while job.poll() is None and not (curve.exists() and curve.read_text().count("\n") > 9):
        time.sleep(0.02)
    os.killpg(job.pid, signal.SIGKILL)
    job.wait()
    assert made.reached(directory) >= 8
    assert not made.check(directory).done
    assert shell(directory, made.command()) == 0
    log = (directory / "train.log").read_text()
    assert "Resumed from resumed.pt" in log
    for name in ("nep.txt", "loss.out", "result.json"):
        assert (directory / name).read_bytes() == (first[1] / name).read_bytes()


def test_a_batch_larger_than_the_data_is_all_of_them(data: TrainingData, tmp_path: Path) -> None:
    found = []
    for size in (6, 99):
        few = {**SMALL, "batch": size, "epoch": 5}
        _, directory = trained(tmp_path / f"{size}", data, settings=few)
        found.append((directory / "nep.txt").read_bytes())
        rows = read_curve(directory / "loss.out")
        assert rows[-1].train.rmse_f < rows[0].train.rmse_f
    assert found[0] == found[1]


def test_a_training_goes_on_from_a_model(
    first: tuple[Trainer, Path], data: TrainingData, tmp_path: Path
) -> None:
    """Its weights and scales are taken over: at a rate near zero the errors stay those of it."""
    slow = {**SMALL, "lr": 1e-9, "stop_lr": 1e-9, "epoch": 1}
    made, directory = trained(tmp_path / "second", replace(data, valid=()), first[1], slow)
    assert made.read_result(directory).valid is None
    table = (first[1] / "train.log").read_text().rpartition("Training set")[2]
    told = [float(table.partition(word)[2].split()[0]) for word in ("(eV/atom)", "(eV/A)")]
    found = read_curve(directory / "loss.out")[0].train
    assert [found.rmse_e, found.rmse_f] == pytest.approx(told, rel=1e-3)


def test_a_committee_moves_atoms_and_differs(
    first: tuple[Trainer, Path], data: TrainingData, tmp_path: Path
) -> None:
    made, one = first
    _, other = trained(tmp_path / "other", data, seed=5)
    assert (other / "nep.txt").read_bytes() != (one / "nep.txt").read_bytes()
    models = [made.read_result(place) for place in (one, other)]
    potential, directory = made.potential(models), tmp_path / "an md"
    explorer = AseExplorer(ResourceBlock(command=PYTHON))
    motion = Condition("nvt", nsteps=20, trj_freq=5, temp_k=300.0)
    directory.mkdir()
    explorer.write_input(directory, copper(20), potential, motion, 7)
    assert shell(directory, explorer.command(potential)) == 0
    assert explorer.check(directory, False, motion, potential).done
    rows = explorer.read_result(directory).deviations()
    assert rows.steps.tolist() == [0, 5, 10, 15, 20]
    assert (rows.max_f > 0.01).all()


def explored(folder: Path, data: TrainingData) -> Path:
    """A trajectory of a training frame, and of one far from the data."""
    known = read_extxyz(data.train[0])[0]
    far = known.copy()
    far.positions[0] += [0.5, 0.3, 0.2]
    (folder / "md").mkdir()
    (folder / "md/atom_type.txt").write_text("Cu\n")
    none = np.zeros((len(known), 3))
    frames = [frame_text(step, frame, none, ["Cu"]) for step, frame in ((0, known), (10, far))]
    (folder / "md/traj.lammpstrj").write_text("".join(frames))
    return folder / "md"


def test_one_model_knows_how_sure_it_is(
    first: tuple[Trainer, Path], data: TrainingData, tmp_path: Path
) -> None:
    """Its training makes P, and a frame far from the data is less sure than one of them."""
    strategy = replace(StrategyConfig(), uncertainty="kpu", model_num=1)
    made, directory = trainer(SMALL, PYTHON, strategy=strategy), tmp_path / "alone"
    directory.mkdir()
    made.write_input(directory, data, 3, None)
    assert shell(directory, made.command()) == 0
    assert made.check(directory).done
    model = made.read_result(directory)
    assert model.files["model"].read_bytes() == (first[1] / "nep.txt").read_bytes()
    md, task = explored(tmp_path, data), tmp_path / "kpu"
    task.mkdir()
    evaluator = made.kpu()
    evaluator.write_input(task, model, md)
    assert shell(task, evaluator.command()) == 0
    assert evaluator.check(task).done
    sure, unsure = read_kpu_devi(task / "kpu_model_devi.out").f_mean
    assert 0 < 2 * sure < unsure


def test_the_library_grades_how_far_a_model_extrapolates(
    first: tuple[Trainer, Path], data: TrainingData, tmp_path: Path
) -> None:
    """Training frames are inside; equal models have equal active sets."""
    made: Any = trainer(SMALL, PYTHON, strategy=GRADED)
    models = []
    for name in ("one", "an other"):
        directory = tmp_path / name
        shutil.copytree(first[1], directory)  # a training that has ended is not done again
        assert not made.check(directory).done
        assert shell(directory, made.command()) == 0
        assert made.check(directory).done
        models.append(made.read_result(directory).files)
    for role in (GRADES, GPUMD):
        assert models[0][role].read_bytes() == models[1][role].read_bytes()
    element, rows, columns, *numbers = models[0][GPUMD].read_text().split()
    assert (element, rows) == ("Cu", columns)
    assert len(numbers) == int(rows) * int(columns)
    task, evaluator = tmp_path / "grades", made.grades()
    task.mkdir()
    evaluator.write_input(task, made.read_result(tmp_path / "one"), explored(tmp_path, data))
    assert shell(task, evaluator.command()) == 0, (task / "kpu.log").read_text()
    assert evaluator.check(task).done
    rows = read_grades(task / "extrapolation_grade.out")
    assert rows.steps.tolist() == [0, 10]
    assert 0.1 < rows.grade[0] <= 1.01  # TorchNEP's own bound of training atoms
    assert rows.grade[1] > 2
    assert not (task / "frames.xyz").exists()
    *lines, last = models[0]["model"].read_text().splitlines()
    (task / "nep.txt").unlink()
    (task / "nep.txt").write_text("\n".join([*lines, str(2 * float(last))]) + "\n")
    assert shell(task, evaluator.command()) == 1
    assert "different model" in (task / "kpu.log").read_text()
