"""What the trainers of pretrained networks have in common, and their words to the user."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read

from pwact.engines.gradients.covariance import Covariance, write_covariance
from pwact.engines.network import task
from pwact.engines.potential import Calculators
from pwact.engines.trainers import TrainedModel, Trainer, TrainingData
from pwact.errors import InputError, TaskError
from pwact.formats.frames import write_frames
from tests.engines.network_helpers import trainer
from tests.engines.test_deepmd import copper

ENGINES = ("sevennet", "mace")


@pytest.fixture
def data(tmp_path: Path) -> TrainingData:
    write_frames(tmp_path / "train.xyz", [copper(seed) for seed in range(6)], "extxyz")
    write_frames(tmp_path / "valid.xyz", [copper(10)], "extxyz")
    return TrainingData((tmp_path / "train.xyz",), (tmp_path / "valid.xyz",), "extxyz")


def written(
    made: Trainer, folder: Path, data: TrainingData, seed: int = 1, start: Any = None
) -> Any:
    folder.mkdir()
    made.write_input(folder, data, seed, start)
    return json.loads((folder / "settings.json").read_text())


@pytest.mark.parametrize("engine", ENGINES)
def test_a_model_to_begin_with_changes_the_defaults(
    engine: str, data: TrainingData, tmp_path: Path
) -> None:
    old = tmp_path / "old"
    old.mkdir()
    made = trainer(engine, settings={"epochs": None})
    (old / made.model).write_text("weights")  # type: ignore[attr-defined]
    nothing = written(made, tmp_path / "nothing", data)
    begun = written(made, tmp_path / "begun", data, start=old)
    assert nothing["begin"] is None
    assert begun["begin"] == "start.model"
    assert (tmp_path / "begun" / "start.model").read_text() == "weights"
    assert begun["keys"]["epochs"] < nothing["keys"]["epochs"]
    assert begun["keys"]["learning_rate"] < nothing["keys"]["learning_rate"]
    assert not nothing["keys"]["bootstrap"]
    assert begun["keys"]["bootstrap"]
    own = trainer(engine, settings={"epochs": 3, "learning_rate": 0.1, "bootstrap": False})
    kept = written(own, tmp_path / "own", data, start=old)["keys"]
    assert (kept["epochs"], kept["learning_rate"], kept["bootstrap"]) == (3, 0.1, False)


def energies(folder: Path) -> list[float]:
    return [frame.get_potential_energy() for frame in read(folder / "train.xyz", ":")]


def handed_on(engine: str, drawn: bool, **changes: Any) -> Any:
    """What trains the model that is handed on."""
    settings = {"bootstrap": True} if drawn else {}
    return trainer(engine, settings=settings, **changes).whole()


@pytest.mark.parametrize("engine", ENGINES)
def test_an_input_of_the_program_goes_to_the_worker(
    engine: str, data: TrainingData, tmp_path: Path
) -> None:
    (file := tmp_path / "my input.yaml").write_text("epoch: 3\n")
    made, plain = trainer(engine, input_file=file), trainer(engine)
    told = written(made, tmp_path / "task", data)
    assert (tmp_path / "task" / "native.yaml").read_text() == "epoch: 3\n"
    assert told["keys"]["epochs"] is None  # as that file says
    task.write_result(tmp_path / "task", 3, None)
    assert task.read_result(tmp_path / "task") is None
    before = dict(made.fingerprint())
    assert before["native"] != plain.fingerprint()["native"]
    file.write_text("epoch: 4\n")
    assert made.fingerprint() != before
    (file := tmp_path / "keys.json").write_text("{}")
    written(trainer(engine, input_file=file), tmp_path / "keys", data)
    assert not (tmp_path / "keys" / "native.yaml").exists()


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_handed_on_has_seen_every_frame(
    engine: str, data: TrainingData, tmp_path: Path
) -> None:
    """Also where the members draw their frames by default, for having begun as one."""
    (tmp_path / "old.model").write_text("weights")
    begun: dict[str, Any] = {"foundation": str(tmp_path / "old.model")}
    for number, made in enumerate((handed_on(engine, True), handed_on(engine, False, **begun))):
        written(made, tmp_path / f"{number}", data)
        assert len(set(energies(tmp_path / f"{number}"))) == 6
    alone = {"model_num": 1, "uncertainty": "kpu"}
    assert handed_on(engine, False, strategy=alone, **begun) is None
    assert handed_on(engine, False, use_pre_model=False) is None


@pytest.mark.parametrize("engine", ENGINES)
def test_members_of_a_committee_see_other_frames(
    engine: str, data: TrainingData, tmp_path: Path
) -> None:
    made = trainer(engine, settings={"bootstrap": True})
    for name, seed in (("a", 1), ("b", 2), ("again", 1)):
        written(made, tmp_path / name, data, seed)
    whole = trainer(engine, settings={"bootstrap": False})
    written(whole, tmp_path / "all", data)
    assert len(set(energies(tmp_path / "all"))) == 6
    assert energies(tmp_path / "a") == energies(tmp_path / "again")
    assert energies(tmp_path / "a") != energies(tmp_path / "b")
    assert set(energies(tmp_path / "a")) < set(energies(tmp_path / "all"))
    assert len(energies(tmp_path / "a")) == 6


@pytest.mark.parametrize("engine", ENGINES)
def test_frames_are_written_for_ase(engine: str, data: TrainingData, tmp_path: Path) -> None:
    written(trainer(engine), tmp_path / "task", data)
    ours = read(tmp_path / "task" / "train.xyz", ":")
    for frame, expected in zip(ours, (copper(seed) for seed in range(6))):
        np.testing.assert_array_equal(frame.get_forces(), expected.get_forces())
        np.testing.assert_allclose(frame.get_stress(), expected.get_stress(), atol=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"strategy": {"compress": True}}, "strategy.compress"),
        ({"foundation": "/a/file", "init_model_list": (Path("a"),)}, "init_model_list"),
    ],
)
def test_what_is_not_possible_is_refused(engine: str, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        trainer(engine, **changes).validate()


@pytest.mark.parametrize("engine", ENGINES)
def test_the_content_of_a_foundation_counts(engine: str, tmp_path: Path) -> None:
    file = tmp_path / "a model"
    prints = []
    for text in ("one", "two", "one"):
        file.write_text(text)
        prints.append(trainer(engine, foundation=str(file)).fingerprint())
    assert prints[0] == prints[2] != prints[1]
    assert trainer(engine).fingerprint()["foundation"] is None


def test_strange_elements_are_named(data: TrainingData, tmp_path: Path) -> None:
    made = trainer("sevennet", atom_type=("Ag",))
    with pytest.raises(InputError, match="the data hold Cu"):
        written(made, tmp_path / "task", data)


@pytest.mark.parametrize("engine", ENGINES)
def test_one_model_drives_and_all_judge(engine: str, tmp_path: Path) -> None:
    made = trainer(engine)
    models = [TrainedModel(tmp_path, {"model": tmp_path / f"{number}"}) for number in range(2)]
    potential = made.potential(models)
    assert isinstance(potential, Calculators)
    assert potential.deviates
    assert [*potential.links.values()] == [tmp_path / "0", tmp_path / "1"]
    assert len(potential.calculators) == 2
    for one, name in zip(potential.calculators, potential.links):
        assert one["arguments"]["model"] == name
    assert not made.potential(models[:1]).deviates


def labelled(symbols: str, energy: float) -> Atoms:
    atoms = Atoms(symbols, np.arange(3 * len(Atoms(symbols))).reshape(-1, 3))
    forces = np.zeros((len(atoms), 3))
    atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
    return atoms


def test_reference_energies_are_fitted_by_least_squares() -> None:
    frames = [labelled("CuAg", 11.0), labelled("Cu2Ag", 14.0), labelled("CuAg2", 19.0)]
    shifts = task.energy_shifts(frames, [1.0, 1.0, 1.0])
    residual = [10 - sum(shifts.values()), 13 - 2 * shifts["Cu"] - shifts["Ag"]]
    gradient = np.array([[1, 1], [1, 2], [2, 1]]).T @ np.array(
        [*residual, 18 - 2 * shifts["Ag"] - shifts["Cu"]]
    )
    np.testing.assert_allclose(gradient, 0, atol=1e-9)


def test_of_one_composition_the_elements_share_the_shift() -> None:
    frames = [labelled("CuAg", 3.0), labelled("CuAg", 5.0)]
    assert task.energy_shifts(frames, [0.0, 0.0]) == pytest.approx({"Ag": 2.0, "Cu": 2.0})


def test_errors_are_root_mean_squares_of_components() -> None:
    atoms = Atoms("Ar2", [[0, 0, 0], [0, 0, 1.1]])
    calculator = LennardJones()
    atoms.calc = calculator
    energy, forces = atoms.get_potential_energy(), atoms.get_forces()
    frame = atoms.copy()
    wrong = forces + np.array([[0.3, 0.0, 0.0], [0.0, 0.0, 0.0]])
    frame.calc = SinglePointCalculator(frame, energy=energy + 0.4, forces=wrong)
    found = task.valid_error([frame], calculator)
    assert found.rmse_e == pytest.approx(0.2)
    assert found.rmse_f == pytest.approx(0.3 / np.sqrt(6))


def test_elements_that_the_model_lacks_are_named() -> None:
    settings = task.Settings(1, ("Cu", "Po", "At"), "7net-0", {})
    with pytest.raises(TaskError, match=r"7net-0\) does not know Po, At; it knows Ag Cu"):
        task.demand_elements(["Ag", "Cu"], settings)
    task.demand_elements(["At", "Cu", "Po"], settings)


@pytest.mark.parametrize("engine", ENGINES)
def test_fewer_epochs_than_asked_for_are_no_training(
    engine: str, data: TrainingData, tmp_path: Path
) -> None:
    made = trainer(engine)
    told = written(made, tmp_path / "task", data)
    (tmp_path / "task" / made.model).write_text("weights")  # type: ignore[attr-defined]
    task.write_result(tmp_path / "task", told["keys"]["epochs"] - 1, None)
    with pytest.raises(TaskError, match=r"trained for (3 of 4|2 of 3) epochs"):
        made.read_result(tmp_path / "task")
    task.write_result(tmp_path / "task", told["keys"]["epochs"], None)
    assert made.read_result(tmp_path / "task").valid is None


@pytest.mark.parametrize("engine", ENGINES)
def test_one_model_has_its_covariance(engine: str, data: TrainingData, tmp_path: Path) -> None:
    alone = {"uncertainty": "kpu", "model_num": 1}
    made = trainer(engine, strategy=alone)
    made.validate()
    command = made.command()
    trained, described = command.index(f"{engine}.worker"), command.index(f"{engine}.gradients")
    assert trained < described < command.index("cksum")
    assert "kpu.npz" in command[command.index("cksum") :]
    assert "gradients" not in trainer(engine).command()
    assert made.fingerprint() != trainer(engine).fingerprint()
    told = written(made, tmp_path / "task", data)
    assert not told["keys"]["bootstrap"]
    (tmp_path / "task" / made.model).write_text("weights")  # type: ignore[attr-defined]
    task.write_result(tmp_path / "task", told["keys"]["epochs"], None)
    with pytest.raises(TaskError, match="only a training with uncertainty KPU writes it"):
        made.read_result(tmp_path / "task")
    write_covariance(tmp_path / "task" / "kpu.npz", Covariance(np.eye(2), "weights"))
    model = made.read_result(tmp_path / "task")
    assert model.files["kpu"] == tmp_path / "task" / "kpu.npz"
    assert made.kpu().fingerprint()["gradients"] == f"pwact.engines.{engine}.gradients"


@pytest.mark.parametrize(("engine", "vectors"), [("sevennet", 1), ("mace", 2)])
def test_kpu_costs_less_than_four_evaluations(engine: str, vectors: int) -> None:
    """By measurement: docs/benchmarks.md, Gradient uncertainty."""
    alone = {"uncertainty": "kpu", "model_num": 1}
    assert trainer(engine, strategy=alone).kpu().fingerprint()["probes"] == vectors
    asked = {**alone, "kpu_probes": 0}
    assert trainer(engine, strategy=asked).kpu().fingerprint()["probes"] == 0
