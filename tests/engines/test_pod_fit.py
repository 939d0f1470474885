from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from pwact.engines.lammps.explorer import LammpsExplorer
from pwact.engines.pod import files as pod_files
from pwact.engines.pod import fit as pod_fit
from pwact.engines.pod.fit import FACTOR, LeastSquares, Weights, fit
from pwact.engines.pod.trainer import PodTrainer
from pwact.errors import TaskError
from pwact.formats.labels import labels_of
from tests.damage import cuts
from tests.engines.pod_helpers import (
    BLOCK,
    alloy,
    config,
    data_set,
    labelled,
    shell,
    trainer,
)
from tests.engines.pod_helpers import fit as fitted

TYPES = ("Ag", "Au")
SMALL_CELLS = 3  # of the frames, lower than the cutoff: they are repeated four times


def kpu_trainer(**settings: object) -> PodTrainer:
    made = config(TYPES, **{"rcut": 4.0, **settings})
    made.strategy.uncertainty = "kpu"
    return PodTrainer(made, BLOCK, BLOCK)


@pytest.fixture(scope="module")
def frames() -> list[Atoms]:
    small = [labelled(alloy(seed, repeat=1).repeat((3, 1, 1))) for seed in range(SMALL_CELLS)]
    return [*(labelled(alloy(seed, repeat=2)) for seed in range(4)), *small]


@pytest.fixture(scope="module")
def fresh() -> list[Atoms]:
    return [labelled(alloy(seed, repeat=2)) for seed in (80, 81, 82)]


@pytest.fixture(scope="module")
def data(committee: Any, frames: list[Atoms], fresh: list[Atoms], tmp_path_factory: Any) -> Any:
    """`committee` asks for LAMMPS."""
    return data_set(tmp_path_factory.mktemp("data"), frames, fresh)


@pytest.fixture(scope="module")
def model(data: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return fitted(kpu_trainer(), tmp_path_factory.mktemp("it's one") / "train.000", data)


def texts(frames: list[Atoms], rcut: float = 4.0) -> list[str]:
    return [pod_files.frame_text(frame, rcut) for frame in frames]


def settings_of(**changes: float) -> dict[str, float]:
    settings = kpu_trainer(**changes).fingerprint()["settings"]
    return {key: settings[key] for key in (*pod_files.FITTING, *pod_files.KALMAN)}


def described_by(directory: Path, frames: list[Atoms]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Descriptors and labels of frames, computed by fitpod."""
    directory.mkdir(parents=True)
    pod_files.write_parameters(
        directory / pod_files.PARAMETERS, TYPES, kpu_trainer().fingerprint()["settings"]
    )
    pod_files.write_frames(directory / "frames", texts(frames))
    pod_files.write_description(directory / "data.pod", "frames")
    pod_files.write_script(directory, "data.pod")
    assert shell(directory, "lmp -in in.fitpod > log") == 0
    return list(pod_fit.described(directory / "frames"))


def test_equals_the_fit_of_fitpod(
    model: Any, data: Any, frames: list[Atoms], fresh: list[Atoms], tmp_path: Path
) -> None:
    """Other coefficients where the data say nothing, but the same energies, forces and errors."""
    theirs = tmp_path / "fitpod"
    theirs.mkdir()
    settings = kpu_trainer().fingerprint()["settings"]
    pod_files.write_parameters(theirs / pod_files.PARAMETERS, TYPES, settings)
    pod_files.write_fit(theirs, settings, texts(frames), texts(fresh))
    assert shell(theirs, trainer(TYPES).command()) == 0
    coefficients = [
        pod_files.read_coefficients(folder / pod_files.COEFFICIENTS)
        for folder in (theirs, model.directory)
    ]
    for matrix, _ in described_by(tmp_path / "fresh", fresh):
        wanted, given = (matrix @ values for values in coefficients)
        np.testing.assert_allclose(given, wanted, atol=2e-5 * np.abs(wanted).max())
    their_errors = pod_files.read_errors(theirs / pod_files.ERRORS)
    assert model.valid.rmse_e == pytest.approx(their_errors.rmse_e, abs=2e-6)
    assert model.valid.rmse_f == pytest.approx(their_errors.rmse_f, abs=2e-6)
    assert 1e-3 < model.valid.rmse_f < 1.0


def test_the_coefficients_are_the_minimum(model: Any, frames: list[Atoms], tmp_path: Path) -> None:
    """Of the weighted squares, with these weights and no others."""
    coefficients = pod_files.read_coefficients(model.files["coefficients"])
    slopes = []
    for weight in (100.0, 50.0):
        slope: Any = 0.0
        for matrix, truth in described_by(tmp_path / f"{weight}", frames):
            atoms = (len(truth) - 1) // 3
            weights = np.append(weight / atoms, np.ones(3 * atoms))
            slope += (matrix * weights[:, None]).T @ (weights * (matrix @ coefficients - truth))
        slopes.append(np.linalg.norm(slope))
    assert slopes[0] < slopes[1] / 10, slopes


def test_labels_are_read_back(frames: list[Atoms], tmp_path: Path) -> None:
    pod_files.write_frames(tmp_path, texts(frames))
    read = list(pod_files.read_labels(tmp_path / pod_files.FRAMES))
    for frame, truth in zip(frames, read):
        labels = labels_of(frame)
        copies = (len(truth) - 1) // 3 // len(frame)
        assert truth[0] == pytest.approx(copies * labels.energy, abs=1e-9)
        lengths = np.linalg.norm(truth[1:].reshape(-1, 3), axis=1)
        wanted = np.tile(np.linalg.norm(labels.forces, axis=1), copies)
        np.testing.assert_allclose(lengths, wanted, atol=1e-10)  # turned with the cell
    assert [(len(truth) - 1) // 3 for truth in read] == [8] * 4 + [12] * SMALL_CELLS


def test_a_left_handed_cell_gives_the_same_descriptors(
    committee: Any, fresh: list[Atoms], tmp_path: Path
) -> None:
    del committee  # asks for LAMMPS
    left = fresh[0].copy()
    left.set_cell(left.cell.array[[1, 0, 2]])
    right, other = described_by(tmp_path / "described", [fresh[0], labelled(left)])
    np.testing.assert_allclose(other[0][0], right[0][0], rtol=1e-8, atol=1e-12)
    forces = [one[0][1:].reshape(-1, 3, one[0].shape[1]) for one in (right, other)]
    lengths = [np.linalg.norm(one, axis=1) for one in forces]
    np.testing.assert_allclose(*lengths, atol=1e-8)


@pytest.mark.parametrize("atoms", [1, 20, 10**6])
def test_batches_change_nothing(
    model: Any, frames: list[Atoms], fresh: list[Atoms], tmp_path: Path, atoms: int
) -> None:
    parameters = model.directory / pod_files.PARAMETERS
    (tmp_path / pod_files.PARAMETERS).write_bytes(parameters.read_bytes())
    pod_fit.write_input(tmp_path, texts(frames), texts(fresh), batch_atoms=atoms)
    assert len(list((tmp_path / "train").iterdir())) == {1: 7, 20: 3}.get(atoms, 1)
    fit(tmp_path, "lmp", settings_of())
    given, wanted = (np.load(folder / FACTOR) for folder in (tmp_path, model.directory))
    np.testing.assert_allclose(given.T @ given, wanted.T @ wanted, rtol=1e-6, atol=1e-12)
    errors = pod_files.read_errors(tmp_path / pod_files.ERRORS)
    assert errors.rmse_f == pytest.approx(model.valid.rmse_f, rel=1e-5)
    assert not list(tmp_path.rglob("*.bin"))


def test_several_processes_give_the_same(model: Any, data: Any, tmp_path: Path) -> None:
    made = config(TYPES, rcut=4.0)
    made.strategy.uncertainty = "kpu"
    block: Any = SimpleNamespace(command="mpiexec -n 2 lmp")
    other = fitted(PodTrainer(made, block, BLOCK), tmp_path / "train.000", data)
    assert (other.directory / FACTOR).read_bytes() == (model.directory / FACTOR).read_bytes()


def test_without_validation_frames_there_are_no_errors(
    frames: list[Atoms], committee: Any, tmp_path: Path
) -> None:
    made = fitted(kpu_trainer(), tmp_path / "train.000", data_set(tmp_path, frames, []))
    assert made.valid is None
    assert not (made.directory / pod_files.ERRORS).exists()


FAULTS = {
    "false": "LAMMPS stopped with exit status 1",
    "true": "train/000/globaldescriptors_config1.bin: No such file",
    "bash cuts": "are no descriptors of 8 atoms",
    "bash swaps": "belongs to another frame",
}
DAMAGES = {
    "cuts": 'lmp "$@"\ntruncate -s -8 train/000/globaldescriptors_config2.bin\n',
    "swaps": 'lmp "$@"\ncp train/000/globaldescriptors_config{7,1}.bin\n',
}


@pytest.mark.parametrize("program", list(FAULTS))
def test_descriptors_that_are_not_there(data: Any, tmp_path: Path, program: str) -> None:
    """Those of an earlier try are not taken for them."""
    pod = kpu_trainer()
    pod.write_input(tmp_path, data, 1, None)
    for name, text in DAMAGES.items():
        (tmp_path / name).write_text(text)
    assert shell(tmp_path, "lmp -var batch 000 -in in.fitpod > earlier") == 0
    assert list(tmp_path.rglob("*.bin"))
    command = pod.command().replace(" lmp ", f" '{program}' ", 1)
    assert shell(tmp_path, command) != 0
    assert FAULTS[program] in (tmp_path / "train.log").read_text()
    assert not pod.check(tmp_path).done
    assert not (tmp_path / FACTOR).exists()


def test_data_that_do_not_determine_the_fit(data: Any, tmp_path: Path) -> None:
    pod = kpu_trainer(fitting_regularization_parameter=0.0)
    pod.write_input(tmp_path, data, 1, None)
    assert shell(tmp_path, pod.command()) != 0
    assert "fitting_regularization_parameter above 0" in (tmp_path / "train.log").read_text()
    assert not pod.check(tmp_path).done


def test_descriptors_cut_anywhere_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "descriptors"
    whole = np.concatenate([[2, 3], np.arange(21.0)]).tobytes()
    path.write_bytes(whole)
    expected = np.vstack([np.arange(3.0), np.arange(3.0, 21.0).reshape(3, 6).T])
    np.testing.assert_array_equal(pod_files.read_descriptors(path), expected)
    for end in cuts(whole, 30):
        path.write_bytes(whole[:end])
        if end < len(whole):
            with pytest.raises(TaskError, match="are no descriptors"):
                pod_files.read_descriptors(path)


@pytest.mark.parametrize("memory", [1.0, 0.98])
def test_closed_form_is_the_filter(memory: float) -> None:
    """P ← (P − K Kᵀ / S) / λ and c ← c + K (y − hᵀ c) / S at each measurement."""
    rng = np.random.default_rng(1)
    blocks = [rng.normal(size=(7, 5)), rng.normal(size=(4, 5))]
    values = [rng.normal(size=len(rows)) for rows in blocks]
    sums = LeastSquares(5, 1e6, memory)
    for rows, wanted in zip(blocks, values):
        sums.add(rows, wanted)
    p_matrix, coefficients = np.eye(5) * 1e6, np.zeros(5)
    for row, value in zip(np.concatenate(blocks), np.concatenate(values)):
        gain = p_matrix @ row
        scale = memory + row @ gain
        coefficients += gain * (value - row @ coefficients) / scale
        p_matrix = (p_matrix - np.outer(gain, gain) / scale) / memory
    factor = sums.factor()
    np.testing.assert_allclose(factor.T @ factor, p_matrix, rtol=1e-6, atol=1e-9)
    if memory == 1.0:  # the fit itself forgets nothing
        np.testing.assert_allclose(sums.coefficients(0.0), coefficients, rtol=1e-5)
    rows, wanted = np.concatenate(blocks), np.concatenate(values)
    expected = np.linalg.lstsq(rows, wanted, rcond=None)[0]
    np.testing.assert_allclose(sums.coefficients(0.0), expected, rtol=1e-9)


def test_regularization_is_that_of_fitpod() -> None:
    """A part of the diagonal, and never less than itself: a basis function without data gets 0."""
    sums = LeastSquares(2, 1.0, 1.0)
    sums.add(np.array([[2.0, 0.0]]), np.array([6.0]))
    np.testing.assert_allclose(sums.coefficients(0.5), [12.0 / 6.0, 0.0])
    with pytest.raises(TaskError, match="fewer basis functions"):
        sums.coefficients(0.0)


def test_memory_that_forgets_all_is_named() -> None:
    rows = np.zeros((60, 3))
    rows[:, 0] = 1.0
    sums = LeastSquares(3, 1.0, 0.5)
    for _ in range(40):
        sums.add(rows, rows[:, 0])
    with pytest.raises(TaskError, match="kalman_lambda"):
        sums.factor()


def test_weights_count_the_atoms_of_a_frame() -> None:
    np.testing.assert_allclose(Weights(100.0, 2.0).of(1 + 3 * 4)[:, 0], [25.0, *[2.0] * 12])


def test_training_differs_from_that_of_a_committee(model: Any) -> None:
    alone, together = kpu_trainer(), trainer(TYPES, rcut=4.0)
    assert "p0_weight" not in (model.directory / "param.pod").read_text()
    assert alone.fingerprint()["settings"]["p0_weight"] == 0.01
    assert "p0_weight" not in together.fingerprint()["settings"]
    assert " && lmp -in in.fitpod > train.log && " in together.command()
    potential = alone.potential([model])
    assert not potential.deviates
    assert "deviation" not in LammpsExplorer(BLOCK).command(potential)
    damaged = replace(model, directory=model.directory.parent)
    assert not alone.check(damaged.directory).done
