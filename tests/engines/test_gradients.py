"""The uncertainty by sketched gradients, on a model whose gradients are known; without PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pwact.engines.evaluator import KpuEvaluator
from pwact.engines.gradients.covariance import (
    GRADIENT_COVARIANCE,
    RIDGE,
    Covariance,
    covariance_of,
    covariance_step,
    read_covariance,
    rows_a_frame,
    write_covariance,
)
from pwact.engines.gradients.draws import Draws
from pwact.engines.gradients.evaluator import GradientKpu, Judge, evaluate
from pwact.engines.gradients.rows import judging_vectors, training_vectors
from pwact.engines.trainers import TrainedModel
from pwact.errors import TaskError
from pwact.fingerprint import differences
from pwact.formats.features import Features
from pwact.formats.kpu_devi import read_kpu_devi, write_kpu_devi
from tests.engines.gradient_models import (
    WEIGHTS,
    WaveRows,
    crystal,
    jacobian,
    write_trajectory,
)

TRAINED = [crystal(seed) for seed in range(4)]
JUDGED = [crystal(10, noise=0.05), crystal(11, 2), crystal(12, noise=0.5)]


def exact() -> np.ndarray:
    """P over the training frames by all components, with the ridge of the sum by vectors."""
    total = sum(jacobian(atoms).T @ jacobian(atoms) for atoms in TRAINED)
    mean = np.trace(total) / WEIGHTS
    return np.linalg.inv(total + RIDGE * mean * np.eye(WEIGHTS))


def factor_of(matrix: np.ndarray) -> Covariance:
    return Covariance(np.linalg.cholesky(matrix).T, WaveRows.identity)


def judged(probes: int) -> list[list[float]]:
    judge = Judge(WaveRows(), factor_of(exact()), probes)
    return [judge.row(judge.features(atoms)) for atoms in JUDGED]


def test_covariance_is_the_inverse_over_all_training_frames() -> None:
    rows = [
        jacobian(atoms).T @ training_vectors(number, len(atoms), 16).reshape(16, -1).T
        for number, atoms in enumerate(TRAINED)
    ]
    total = sum(made @ made.T / 16 for made in rows)
    wanted = total + RIDGE * np.trace(total) / WEIGHTS * np.eye(WEIGHTS)
    made = covariance_of(WaveRows(), TRAINED)
    assert made.factor.T @ made.factor @ wanted == pytest.approx(np.eye(WEIGHTS), abs=1e-9)
    assert made.identity == "waves"


def test_vectors_give_the_mean_over_all_components(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the training data as of a frame, within the scatter of 4,000 vectors."""
    module = "pwact.engines.gradients.covariance"
    monkeypatch.setattr(f"{module}.MOST_ROWS", 4000)
    monkeypatch.setattr(f"{module}.ROWS_A_COLUMN", 10**6)
    made = covariance_of(WaveRows(), TRAINED)
    assert made.factor.T @ made.factor == pytest.approx(exact(), rel=0.1, abs=0.02 * exact().max())
    exactly = [row[1] for row in judged(0)]
    assert [row[1] for row in judged(4000)] == pytest.approx(exactly, rel=0.03)


def test_all_components_are_told_without_vectors() -> None:
    for atoms, row in zip(JUDGED, judged(0)):
        variances = np.diag(jacobian(atoms) @ exact() @ jacobian(atoms).T)
        assert row[1:] == pytest.approx([variances.mean(), variances.max(), variances.min()])
        assert np.isnan(row[0])  # the energy is not judged
    assert np.isnan([row[2:] for row in judged(4)]).all()


def test_drawn_weights_give_the_same_mean() -> None:
    """Within the scatter of 4,000 draws; of each frame the same, whichever others are beside it."""
    draws = Draws(WaveRows(), factor_of(exact()).factor, 4000)
    together = draws.variances(JUDGED)
    assert together == pytest.approx([row[1] for row in judged(0)], rel=0.05)
    alone = Draws(WaveRows(), factor_of(exact()).factor, 4000)
    assert [alone.variances([atoms])[0] for atoms in JUDGED] == pytest.approx(together)


def test_a_frame_that_no_draw_can_judge_spares_those_beside_it() -> None:
    strange = crystal(1)
    strange.symbols[0] = "Cu"
    draws = Draws(WaveRows(), factor_of(exact()).factor, 3)
    first, wrong, last = draws.variances([JUDGED[0], strange, JUDGED[2]])
    assert np.isnan(wrong)
    assert [first, last] == pytest.approx(draws.variances([JUDGED[0], JUDGED[2]]))


def test_the_ridge_goes_with_the_gradients() -> None:
    """A model in other units tells the same, up to one factor."""

    class Larger(WaveRows):
        def of(self, atoms, vectors):  # type: ignore[no-untyped-def]
            return 1e3 * super().of(atoms, vectors)

    plain, larger = covariance_of(WaveRows(), TRAINED), covariance_of(Larger(), TRAINED)
    assert larger.factor == pytest.approx(1e-3 * plain.factor)


def test_signs_of_atoms_are_the_same_in_all_judged_frames_and_others_in_training() -> None:
    few, many = judging_vectors(4, 3), judging_vectors(32, 5)
    assert (few == many[:3, :4]).all()
    assert set(np.unique(many)) == {-1.0, 1.0}
    assert abs(np.mean(many[0] * many[1])) < 0.3  # each vector has its own
    trained = [training_vectors(number, 32, 5) for number in range(2)]
    for one, other in ((trained[0], trained[1]), (trained[0], many)):
        assert abs(np.mean(one * other)) < 0.2
    assert (training_vectors(1, 32, 5) == trained[1]).all()


@pytest.mark.parametrize(
    ("frames", "count"), [(1, 16), (256, 16), (257, 15), (4096, 1), (4097, 1), (10**6, 1)]
)
def test_many_frames_give_fewer_rows_each(frames: int, count: int) -> None:
    assert rows_a_frame(frames, 512) == count


@pytest.mark.parametrize("most", [4, 512])
def test_features_have_the_size_that_drawn_weights_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """Batches of one frame and of several leave the same; vectors give the directions alone."""
    monkeypatch.setattr("pwact.engines.gradients.evaluator.MOST_ATOMS", most)
    strange = crystal(1)
    strange.symbols[0] = "Cu"
    monkeypatch.setattr("tests.engines.gradient_models.TYPES", ("Ag", "Au", "Cu"))
    place = task(tmp_path, frames=[*JUDGED, strange], draws=5)
    rows, features = read_kpu_devi(place / "kpu_model_devi.out"), Features(place / "features.npy")
    assert rows.failed.tolist() == [False, False, False, True]
    covariance = covariance_of(WaveRows(), TRAINED)
    wanted = Draws(WaveRows(), covariance.factor, 5).variances(JUDGED)
    assert rows.f_mean[:3] == pytest.approx(wanted, rel=1e-6)
    judge = Judge(WaveRows(), covariance, 4)
    for step, value, atoms in zip((0, 10, 20), wanted, JUDGED):
        found, plain = features.of(step), judge.features(atoms)
        assert np.square(found).sum() == pytest.approx(value, rel=1e-5)
        assert found / np.linalg.norm(found) == pytest.approx(
            plain / np.linalg.norm(plain), abs=1e-6
        )
    with pytest.raises(TaskError, match="step 30 has no features"):
        features.of(30)


def evaluator(draws: int = 0) -> GradientKpu:
    return GradientKpu("some.adapter", "'/opt/a b/python' -u", "net", 4, draws)


def task(
    folder: Path,
    features: bool = True,
    frames: list = JUDGED,  # type: ignore[type-arg]
    draws: int = 0,
) -> Path:
    """An evaluation that has ended."""
    model, place = folder / "train.000", folder / "a task"
    model.mkdir()
    place.mkdir()
    covariance = covariance_of(WaveRows(), TRAINED)
    write_covariance(model / GRADIENT_COVARIANCE, covariance)
    (model / "best.net").write_text("weights")
    write_trajectory(folder / "md", frames)
    made = evaluator().with_features() if features else evaluator()
    made.write_input(place, TrainedModel(model, {"net": model / "best.net"}), folder / "md")
    assert (place / "model").read_text() == "weights"
    assert not made.check(place).done
    covariance = read_covariance(place / GRADIENT_COVARIANCE)
    evaluate(place, Judge(WaveRows(), covariance, 4, draws), features)
    return place


def test_an_evaluation_leaves_scores_and_features(tmp_path: Path) -> None:
    place = task(tmp_path)
    made: KpuEvaluator = evaluator().with_features()
    assert made.check(place).done
    rows, features = read_kpu_devi(place / "kpu_model_devi.out"), Features(place / "features.npy")
    assert rows.steps.tolist() == [0, 10, 20]
    assert not rows.failed.any()
    for step, value, atoms in zip(rows.steps.tolist(), rows.f_mean, JUDGED):
        assert np.square(features.of(step)).sum() == pytest.approx(value, rel=1e-5)
        assert features.of(step).shape == (4, WEIGHTS)
        vectors = judging_vectors(len(atoms), 4).reshape(4, -1)
        squares = np.square(vectors @ jacobian(atoms) @ covariance_of(WaveRows(), TRAINED).factor.T)
        assert value == pytest.approx(squares.sum() / 4 / 3 / len(atoms), rel=1e-6)
    assert {path.name for path in made.transient_files(place)} == {"traj.lammpstrj", "features.npy"}
    (place / "features.npy").unlink()
    assert not made.check(place).done


def test_a_frame_that_cannot_be_judged_has_failed(tmp_path: Path) -> None:
    strange = crystal(1)
    strange.symbols[0] = "Cu"
    types = ("Ag", "Au", "Cu")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.engines.gradient_models.TYPES", types)
        place = task(tmp_path, frames=[JUDGED[0], strange, JUDGED[2]])
    rows, features = read_kpu_devi(place / "kpu_model_devi.out"), Features(place / "features.npy")
    assert rows.failed.tolist() == [False, True, False]
    with pytest.raises(TaskError, match="step 10 has no features"):
        features.of(10)
    assert evaluator().with_features().check(place).done


def test_zeros_were_not_computed(tmp_path: Path) -> None:
    place = task(tmp_path, features=False)
    rows = np.zeros((3, 4))
    rows[:, 0] = np.nan
    write_kpu_devi(place / "kpu_model_devi.out", np.array([0, 10, 20]), rows)
    assert "nothing but zeros" in evaluator().check(place).reason


def test_an_energy_that_is_told_of_some_frames_must_be_told_of_all(tmp_path: Path) -> None:
    path = tmp_path / "kpu_model_devi.out"
    rows = np.array([[np.nan, 1.0, 2.0, 0.5], [3.0, 1.0, 2.0, 0.5]])
    write_kpu_devi(path, np.array([0, 1]), rows)
    assert read_kpu_devi(path).failed.tolist() == [True, False]
    write_kpu_devi(path, np.array([0]), rows[:1])
    assert read_kpu_devi(path).failed.tolist() == [False]


def test_p_of_other_weights_is_refused() -> None:
    with pytest.raises(TaskError, match="made for other weights"):
        Judge(WaveRows(), Covariance(np.eye(WEIGHTS), "others"), 4)


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        (None, "only a training with uncertainty KPU writes it"),
        ({"factor": np.eye(3)}, "weights"),
        ({"factor": np.ones((2, 3)), "weights": np.array("x")}, "no square matrix"),
        ({"factor": np.full((2, 2), np.nan), "weights": np.array("x")}, "finite numbers"),
    ],
)
def test_a_damaged_p_is_refused(tmp_path: Path, arrays: object, match: str) -> None:
    path = tmp_path / GRADIENT_COVARIANCE
    if isinstance(arrays, dict):
        np.savez(path, **arrays)
    with pytest.raises(TaskError, match=match):
        read_covariance(path)


def test_training_data_that_say_nothing_are_refused() -> None:
    class Still(WaveRows):
        def of(self, atoms, vectors):  # type: ignore[no-untyped-def]
            return self.factor * super().of(atoms, vectors)

        factor = 0.0

    still = Still()
    with pytest.raises(TaskError, match="no force on 4 training frames"):
        covariance_of(still, TRAINED)
    still.factor = np.nan
    with pytest.raises(TaskError, match="training frame 0: gradients of its forces are not finite"):
        covariance_of(still, TRAINED)


def test_commands_run_the_python_of_the_library() -> None:
    step = covariance_step("some.adapter", "/opt/py", "a b.txt", ["train.xyz"], log="train.log")
    words = "-m pwact.engines.gradients.covariance some.adapter 'a b.txt' train.xyz"
    assert f"/opt/py {words} >> train.log 2>&1" in step
    command = evaluator().with_features().command()
    words = "-m pwact.engines.gradients.evaluator some.adapter 4 --features > kpu.log 2>&1"
    assert command.endswith(f"'/opt/a b/python' -u {words}")
    assert "some.adapter 4 --draws 9 > kpu.log" in evaluator(9).command()


def test_fingerprints_differ_where_results_do() -> None:
    plain = evaluator().fingerprint()
    assert not list(differences({"gradients": "some.adapter", "probes": 4}, plain))
    others = [
        GradientKpu("some.adapter", "python", "net", 0),
        GradientKpu("other.adapter", "python", "net", 4),
        evaluator().with_features(),
        evaluator(16),
    ]
    assert all(list(differences(plain, other.fingerprint())) for other in others)
