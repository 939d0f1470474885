from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from pwact.engines.md_task import MdTrajectory
from pwact.engines.pod import files as pod_files
from pwact.engines.pod.descriptors import FOLDER, described, last_error
from pwact.engines.pod.fit import FACTOR
from pwact.engines.pod.kpu import evaluate, main, read_factor, row_of
from pwact.engines.pod.trainer import PodTrainer
from pwact.errors import TaskError
from pwact.fingerprint import differences
from pwact.formats.features import Features
from pwact.formats.kpu_devi import read_kpu_devi
from pwact.formats.lammps_data import write_lammps_data
from pwact.formats.lammps_dump import frame_text
from pwact.geometry import lower_triangular
from tests.damage import cuts
from tests.engines.pod_helpers import (
    BLOCK,
    SHORT,
    alloy,
    config,
    data_set,
    explore,
    fit,
    labelled,
    shell,
    thermo,
)
from tests.engines.test_lammps_deviation import moved

TYPES = ("Ag", "Au")
P0 = 0.01
SETTINGS = {"rcut": 4.5}  # below the height of the cells: fitpod gets them as they are
FRAMES = 20


def kpu_trainer(**settings: object) -> PodTrainer:
    made = config(TYPES, **{**SETTINGS, **settings})
    made.strategy.uncertainty = "kpu"
    return PodTrainer(made, BLOCK, BLOCK)


@pytest.fixture(scope="module")
def frames() -> list[Atoms]:
    return [labelled(alloy(seed, repeat=3)) for seed in range(FRAMES)]


@pytest.fixture(scope="module")
def model(frames: list[Atoms], committee: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One model of all frames; `committee` asks for LAMMPS."""
    folder: Path = tmp_path_factory.mktemp("one model's $HOME")
    data = data_set(folder, frames, [labelled(alloy(90, repeat=3))])
    return fit(kpu_trainer(), folder / "train.000", data)


@pytest.fixture(scope="module")
def matrices(
    model: Any, frames: list[Atoms], tmp_path_factory: pytest.TempPathFactory
) -> list[np.ndarray]:
    """Descriptors of the frames, each by a LAMMPS run of its own."""
    folder = tmp_path_factory.mktemp("descriptors")
    return [descriptors(folder, model, frame) for frame in frames]


@pytest.fixture(scope="module")
def run(model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MD whose cell changes."""
    directory: Path = tmp_path_factory.mktemp("md") / "a run"
    condition = replace(SHORT, ensemble="npt-tri", press_bar=20000.0)
    start = alloy(70, repeat=3)
    assert explore(directory, start, kpu_trainer().potential([model]), condition) == 0
    return directory


def evaluated(directory: Path, model: Any, run: Path, evaluator: Any = None) -> np.ndarray:
    """Table of a task that ran as a job would run it."""
    directory.mkdir(parents=True)
    evaluator = evaluator or kpu_trainer().kpu()
    evaluator.write_input(directory, model, run)
    assert not evaluator.check(directory).done
    assert shell(directory, evaluator.command()) == 0, (directory / "kpu.log").read_text()
    assert evaluator.check(directory).done
    return np.loadtxt(directory / "kpu_model_devi.out")


def descriptors(folder: Path, model: Any, atoms: Atoms) -> np.ndarray:
    """Of one frame, by a LAMMPS run of its own, printed in decimals."""
    folder.mkdir(parents=True, exist_ok=True)
    write_lammps_data(folder / "data", atoms, TYPES)
    files = [str(model.files[role]) for role in ("param", "coefficients")]
    for name, target in zip(("param", "coefficients"), files):
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(target)
    lines = [
        *["units metal", "boundary p p p", "atom_style atomic", "box tilt large", "read_data data"],
        *["pair_style zero 7.0", "pair_coeff * *"],
        "compute d all pod/global param coefficients Ag Au",
        'fix d all ave/time 1 1 1 c_d[*] file out mode vector format " %.17g"',
        "run 0",
    ]
    (folder / "in").write_text("\n".join(lines) + "\n")
    subprocess.run(["lmp", "-in", "in"], cwd=folder, check=True, capture_output=True)
    return np.loadtxt(folder / "out", skiprows=4)[:, 1:]


def test_equals_dense_algebra(
    model: Any, run: Path, matrices: list[np.ndarray], tmp_path: Path
) -> None:
    """Normal equations and their inverse, from descriptors that were made frame by frame."""
    inverse = np.eye(matrices[0].shape[1]) / P0
    for rows in matrices:
        energy, forces = rows[0] * 100.0 / 27, rows[1:]
        inverse += np.outer(energy, energy) + forces.T @ forces
    p_matrix = np.linalg.inv(inverse)
    table = evaluated(tmp_path / "it's a task", model, run)
    trajectory = MdTrajectory(run)
    assert table[:, 0].tolist() == [0, 10, 20, 30, 40]
    cells = []
    for row in table:
        frame = trajectory.frame(int(row[0]))
        rows = descriptors(tmp_path / "one", model, frame)
        values = np.einsum("ij,jk,ik->i", rows, p_matrix, rows)
        forces = values[1:]
        expected = [values[0] / len(frame) ** 4, forces.mean(), forces.max(), forces.min()]
        np.testing.assert_allclose(row[1:], expected, rtol=2e-8)  # the file has nine digits
        cells.append(frame.cell.volume)
    assert np.ptp(cells) > 1.0


def test_the_squares_of_the_features_are_the_uncertainty(
    model: Any, run: Path, tmp_path: Path
) -> None:
    evaluator = kpu_trainer().kpu().with_features()
    place = tmp_path / "task"
    table = evaluated(place, model, run, evaluator)
    features = Features(place / "features.npy")
    for row in table:
        of_frame = features.of(int(row[0]))
        assert of_frame.dtype == np.float32
        assert np.square(of_frame, dtype=float).sum() == pytest.approx(row[2], rel=1e-5)
    np.testing.assert_allclose(table, evaluated(tmp_path / "plain", model, run), rtol=1e-8)
    assert not (tmp_path / "plain" / "features.npy").exists()
    assert place / "features.npy" in evaluator.transient_files(place)
    assert not any(differences({"engine": "pod"}, kpu_trainer().kpu().fingerprint()))
    assert any(differences({"engine": "pod"}, evaluator.fingerprint()))
    (place / "features.npy").unlink()
    assert not evaluator.check(place).done


def test_descriptors_times_coefficients_are_energy_and_forces(
    model: Any, run: Path, tmp_path: Path
) -> None:
    coefficients = pod_files.read_coefficients(model.files["coefficients"])
    for step in (0, 40):
        frame = MdTrajectory(run).frame(step)
        values = descriptors(tmp_path, model, frame) @ coefficients
        np.testing.assert_allclose(values[1:].reshape(-1, 3), frame.arrays["forces"], atol=1e-9)
        if step == 0:
            assert values[0] == pytest.approx(thermo(run)["PotEng"], abs=1e-5)


def test_grows_with_distortion(model: Any, run: Path, tmp_path: Path) -> None:
    start = MdTrajectory(run).frame(0)
    kicks = np.random.default_rng(5).normal(size=(len(start), 3))
    place = tmp_path / "md"
    place.mkdir()
    (place / "lmp.config").symlink_to(run / "lmp.config")
    text = ""
    for step, size in enumerate((0.05, 0.1, 0.15, 0.2, 0.3, 0.4)):
        frame = start.copy()
        frame.positions += size * kicks
        text += frame_text(step, frame, np.zeros((len(frame), 3)), TYPES)
    (place / "traj.lammpstrj").write_text(text)
    mean = evaluated(tmp_path / "task", model, place)[:, 2]
    assert (np.diff(mean) > 0).all()
    assert mean[-1] > 20 * mean[0]


def test_p0_and_lambda_count(model: Any, run: Path, frames: list[Atoms], tmp_path: Path) -> None:
    usual = evaluated(tmp_path / "0", model, run)[:, 2]
    data = data_set(tmp_path, frames[:4], [])
    for name, settings in (("p0", {"p0_weight": 1.0}), ("lambda", {"kalman_lambda": 0.999})):
        other = fit(kpu_trainer(**settings), tmp_path / name, data)
        assert (evaluated(tmp_path / f"{name}.task", other, run)[:, 2] > 1.5 * usual).all()


@pytest.mark.parametrize("damage", ["missing", "cut", "nan", "shape"])
def test_model_without_p_is_refused(model: Any, run: Path, tmp_path: Path, damage: str) -> None:
    directory = tmp_path / "model"
    directory.mkdir()
    for path in model.directory.iterdir():
        if not path.is_dir():
            (directory / path.name).write_bytes(path.read_bytes())
    (directory / "valid").mkdir()
    factor = directory / FACTOR
    matrix = np.load(factor)
    if damage == "missing":
        factor.unlink()
    elif damage == "cut":
        factor.write_bytes(factor.read_bytes()[:-8])
    else:
        np.save(factor, matrix[:-1] if damage == "shape" else matrix * np.nan)
    bad = replace(model, directory=directory, files={**model.files, "kpu": factor})
    assert FACTOR in kpu_trainer().check(directory).reason
    with pytest.raises(TaskError, match=FACTOR):
        kpu_trainer().kpu().write_input(tmp_path, bad, run)
    of_committee = replace(bad, files={k: v for k, v in bad.files.items() if k != "kpu"})
    with pytest.raises(TaskError, match=FACTOR):
        kpu_trainer().kpu().write_input(tmp_path, of_committee, run)


@pytest.mark.parametrize(
    ("damage", "failed"),
    [
        (lambda text: moved(text, 20, "nan"), [0, 0, 1, 1, 1]),
        (lambda text: moved(text, 0, "inf"), [1, 1, 1, 1, 1]),
        (lambda text: text[:-50], [0, 0, 0, 0]),
    ],
)
def test_broken_frames_are_failed_rows(
    model: Any, run: Path, tmp_path: Path, damage: Any, failed: list[int]
) -> None:
    place = tmp_path / "md"
    place.mkdir()
    (place / "lmp.config").symlink_to(run / "lmp.config")
    (place / "traj.lammpstrj").write_text(damage((run / "traj.lammpstrj").read_text()))
    evaluated(tmp_path / "task", model, place)
    rows = read_kpu_devi(tmp_path / "task" / "kpu_model_devi.out")
    assert rows.failed.tolist() == [bool(row) for row in failed]


def test_table_that_is_cut_off_is_incomplete(model: Any, run: Path, tmp_path: Path) -> None:
    evaluated(tmp_path / "task", model, run)
    table = tmp_path / "task" / "kpu_model_devi.out"
    content = table.read_bytes()
    for end in cuts(content, 40):
        table.write_bytes(content[:end])
        assert end == len(content) or not kpu_trainer().kpu().check(tmp_path / "task").done


def tilted(seed: int) -> Atoms:
    """A small cell far from LAMMPS's axes, by long vectors, with atoms outside it."""
    atoms = alloy(seed, repeat=2)
    atoms.set_cell(np.array([[1, 2, 1], [0, 1, 0], [0, -2, 1]]) @ atoms.cell.array)
    atoms.rotate(40.0, (1, 2, 3), rotate_cell=True)
    atoms.positions += 7.0
    return atoms


def low(seed: int) -> Atoms:
    """Three atoms in a cell that is lower than the cutoff."""
    atoms = alloy(seed, repeat=1).repeat((3, 1, 1))
    atoms.symbols[1] = "Au"
    atoms.positions += np.random.default_rng(seed).normal(0, 0.1, (3, 3))
    return atoms


@pytest.mark.parametrize("batch_atoms", [1, 100, 10**6])
def test_equals_what_lammps_prints(model: Any, run: Path, tmp_path: Path, batch_atoms: int) -> None:
    """Also in cells that fitpod gets turned and repeated, and whatever goes together."""
    dumped = [MdTrajectory(run).frame(step) for step in (0, 20, 40)]
    frames = [dumped[0], tilted(60), dumped[1], low(61), dumped[2]]
    folder = tmp_path / "it's fitpod"
    folder.mkdir()
    (folder / "param.pod").symlink_to(model.files["param"])
    given = list(described(folder, "lmp", frames, batch_atoms))
    assert len(given) == len(frames)
    factor = read_factor(model.files["kpu"])
    for frame, matrix in zip(frames, given):
        printed = descriptors(tmp_path / "printed", model, frame)
        rotation = lower_triangular(frame.cell.array)[1]  # what LAMMPS got
        forces = printed[1:].reshape(len(frame), 3, -1)
        printed[1:] = np.einsum("lk,nkm->nlm", rotation, forces).reshape(3 * len(frame), -1)
        np.testing.assert_allclose(matrix, printed, atol=1e-10 * np.abs(printed).max())
        np.testing.assert_allclose(row_of(matrix, factor), row_of(printed, factor), rtol=1e-10)
    assert not (folder / FOLDER).exists()


STOPS = """\
#!/bin/bash
# like LAMMPS that stops in the middle
lmp "$@"
rm -f described/globaldescriptors_config{4,5}.bin
truncate -s -8 described/globaldescriptors_config3.bin
exit 1
"""
READS_ALL_FIRST = """\
#!/bin/bash
# like LAMMPS that cannot read a frame of 26 atoms, and so begins with none
if grep -qx 26 described/frames.xyz; then echo "ERROR: no such frame" > descriptors.log; exit 1; fi
exec lmp "$@"
"""


def test_lammps_that_stops(model: Any, run: Path, tmp_path: Path) -> None:
    kpu_trainer().kpu().write_input(tmp_path, model, run)
    (tmp_path / "stops").write_text(STOPS)
    evaluate(tmp_path, "bash stops")
    rows = read_kpu_devi(tmp_path / "kpu_model_devi.out")
    assert rows.failed.tolist() == [False, False, True, True, True]


@pytest.mark.parametrize("bad", [0, 1, 4, 6])
def test_a_frame_that_cannot_be_read_spoils_none_before_it(
    model: Any, run: Path, tmp_path: Path, bad: int
) -> None:
    (tmp_path / "param.pod").symlink_to(model.files["param"])
    (tmp_path / "reads").write_text(READS_ALL_FIRST)
    frames = [MdTrajectory(run).frame(0) for _ in range(7)]
    whole = list(described(tmp_path, "lmp", frames))
    del frames[bad][5]
    given = list(described(tmp_path, "bash reads", frames))
    assert len(given) == bad
    for one, other in zip(given, whole):
        np.testing.assert_array_equal(one, other)
    assert last_error(tmp_path) == "ERROR: no such frame"


def test_what_an_earlier_try_left_is_not_taken(model: Any, run: Path, tmp_path: Path) -> None:
    (tmp_path / "param.pod").symlink_to(model.files["param"])
    frames = [MdTrajectory(run).frame(0)]
    trying = described(tmp_path, "lmp", frames)
    next(trying)
    left = tmp_path / "left"
    (tmp_path / FOLDER).rename(left)
    trying.close()
    left.rename(tmp_path / FOLDER)
    assert not list(described(tmp_path, "true", frames))


def test_a_program_that_fails_is_told(
    model: Any, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["false"]) == 1
    assert FACTOR in caplog.text
    kpu_trainer().kpu().write_input(tmp_path, model, run)
    assert main(["false"]) == 1
    assert "LAMMPS gave no descriptors: it did not start" in caplog.text


def test_several_processes_give_the_same(model: Any, run: Path, tmp_path: Path) -> None:
    block: Any = SimpleNamespace(command="mpiexec -n 2 lmp")
    made = config(TYPES, **SETTINGS)
    made.strategy.uncertainty = "kpu"
    together = evaluated(tmp_path / "two", model, run, PodTrainer(made, block, BLOCK).kpu())
    np.testing.assert_array_equal(together, evaluated(tmp_path / "one", model, run))
