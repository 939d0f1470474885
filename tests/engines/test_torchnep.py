"""TorchNEP: input, commands and verdicts, with a pretended Python; and how its worker begins."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pwact.config.resources import ResourceBlock
from pwact.config.strategy import StrategyConfig
from pwact.config.train_keys import defaults
from pwact.engines import explorer_for
from pwact.engines.ase.explorer import AseExplorer
from pwact.engines.network.task import read_settings
from pwact.engines.torchnep.input import settings_of
from pwact.engines.torchnep.results import last_epoch, read_curve, read_valid_error
from pwact.engines.torchnep.trainer import TorchnepTrainer
from pwact.engines.torchnep.worker import begin
from pwact.engines.trainers import TrainedModel, Trainer, TrainingData, ValidError
from pwact.errors import InputError, TaskError
from pwact.fingerprint import differences
from pwact.formats.frames import write_frames
from pwact.verdict import Outcome
from tests.engines.pod_helpers import alloy, labelled, shell
from tests.engines.test_deepmd import copper
from tests.engines.torchnep_helpers import FILE, RECORDED, TINY, config, pretended, trainer


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> TrainingData:
    folder = tmp_path_factory.mktemp("frames of copper")
    train, valid = folder / "train.xyz", folder / "valid.xyz"
    write_frames(train, [copper(seed) for seed in range(4)], "extxyz")
    write_frames(valid, [copper(10), copper(11, (2, 1, 1))], "extxyz")
    return TrainingData((train,), (valid,), "extxyz")


def trained(folder: Path, data: TrainingData, name: str = "it's 1") -> tuple[Trainer, Path]:
    made: Trainer = trainer(command=pretended(folder))
    directory = folder / name
    directory.mkdir()
    made.write_input(directory, data, 3, None)
    assert made.check(directory).outcome is Outcome.INCOMPLETE
    assert shell(directory, made.command()) == 0
    return made, directory


def test_a_training(tmp_path: Path, data: TrainingData) -> None:
    made, first = trained(tmp_path, data)
    assert made.check(first).done
    assert (first / "calls").read_text() == "1 -m pwact.engines.torchnep.worker\n"
    result = made.read_result(first)
    assert result.valid == ValidError(0.017957, 0.310454)
    assert result.files == {"model": first / "nep.txt"}
    settings = read_settings(first)
    keys = {name: settings.keys[name] for name in ("device", "epochs", "bootstrap")}
    assert (settings.seed, settings.begin) == (3, None)
    assert keys == {"device": "cpu", "epochs": 5, "bootstrap": False}
    second = tmp_path / "it's 2"
    second.mkdir()
    made.write_input(second, data, 3, first)
    assert (second / "start.model").resolve() == first / "nep.txt"
    assert read_settings(second).begin == "start.model"
    assert read_settings(second).keys["bootstrap"] is False  # the members differ already


def test_frames_are_written_with_their_labels_alone(tmp_path: Path) -> None:
    """TorchNEP takes a quantity ``weight`` for that of a frame."""
    frame = labelled(alloy(1))
    frame.info["weight"] = 7
    write_frames(tmp_path / "all.xyz", [frame], "extxyz")
    made = trainer({}, train={"atom_type": ("Au", "Ag")})
    made.write_input(tmp_path, TrainingData((tmp_path / "all.xyz",), (), "extxyz"), 3, None)
    head = (tmp_path / "train.xyz").read_text().splitlines()[1]
    assert "weight" not in head
    assert " energy=" in head
    assert ":forces:R:3" in head
    assert not (tmp_path / "valid.xyz").exists()
    assert (tmp_path / "nep.in").read_text().startswith("type 2 Au Ag\nversion 4\n")


def test_foreign_elements_are_refused(tmp_path: Path, data: TrainingData) -> None:
    made = trainer({}, train={"atom_type": ("Ag", "Au")})
    with pytest.raises(InputError, match="the data hold Cu"):
        made.write_input(tmp_path, data, 3, None)


def test_a_failed_worker_is_a_failed_task(tmp_path: Path, data: TrainingData) -> None:
    made, directory = trained(tmp_path, data)
    (directory / "fail").touch()
    (directory / "trained.ended").unlink()  # a training that has ended is not done again
    assert shell(directory, made.command()) != 0
    assert made.check(directory).outcome is Outcome.INCOMPLETE


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, {"scheduler_patience": 10, "epoch": 100}),
        ({"epoch": 7}, {"scheduler_patience": 1}),
        ({"epoch": 400}, {"scheduler_patience": 40}),
        ({"scheduler_patience": 3}, {"scheduler_patience": 3}),
    ],
)
def test_the_rate_falls_ten_times(settings: dict[str, Any], expected: dict[str, Any]) -> None:
    made = settings_of({**defaults("torchnep"), **settings})
    assert {key: made[key] for key in expected} == expected
    assert None not in made.values()


def test_a_fingerprint_tells_defaults_that_are_given_from_none() -> None:
    plain = trainer({}).fingerprint()
    assert not any(differences(plain, trainer({"epoch": 100, "batch": 2}).fingerprint()))
    assert any(differences(plain, trainer({"epoch": 99}).fingerprint()))
    json.dumps(plain)


@pytest.mark.parametrize(
    ("settings", "changes", "key", "words"),
    [
        ({}, {"strategy": StrategyConfig(compress=True)}, "strategy.compress", "no compression"),
        ({"cutoff": [6.0, 5.0, 4.0]}, {}, "train.cutoff", "found 3 numbers; expected 2"),
        ({"cutoff": [6.0, 2.9]}, {}, "train.cutoff", "found 2.9 Å; the angular one"),
        ({"cutoff": [4.0, 5.0]}, {}, "train.cutoff", "the radial one comes first"),
        ({"l_max": [0]}, {}, "train.l_max", "found 0"),
        ({"l_max": [2, 1, 0, 0, 1]}, {}, "train.l_max", "number 5 needs at least 3"),
        ({"l_max": [3, 1, 0, 0, 0, 0, 1]}, {}, "train.l_max", "number 7 needs at least 4"),
        ({"use_typewise_cutoff_zbl": 0.7}, {}, "train.use_typewise_cutoff_zbl", "only with zbl"),
        ({"stage2_lr": 0.1}, {}, "train.stage2_lr", "only with stage2"),
        ({"stage2": 1, "start_stage2": 101}, {}, "train.start_stage2", "found 101; epoch is 100"),
    ],
)
def test_what_cannot_be_is_refused(
    settings: dict[str, Any], changes: dict[str, Any], key: str, words: str
) -> None:
    with pytest.raises(InputError) as caught:
        trainer(settings, **changes).validate()
    assert (caught.value.file, caught.value.key) == (FILE, key)
    assert words in caught.value.message


def test_a_fault_in_a_file_of_the_user_is_named_there(tmp_path: Path) -> None:
    (tmp_path / "nep.in").write_text("cutoff 4 5\n")
    made = trainer({"cutoff": [4.0, 5.0]}, train={"input_file": tmp_path / "nep.in"})
    with pytest.raises(InputError) as caught:
        made.validate()
    assert (caught.value.file, caught.value.key) == (tmp_path / "nep.in", "cutoff")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"neuron": 4}, "its neuron is 3, not 4"),
        ({"cutoff": [4.0, 3.6]}, "its cutoff is 4 3.5, not 4 3.6"),
        ({"zbl": 1.5}, "its zbl is none, not 1.5"),
        ({"l_max": [2, 1]}, "its l_max is 2 0 0 0 0 0 0, not 2 1 0 0 0 0 0"),
    ],
)
def test_a_start_model_of_another_kind_is_refused(
    tmp_path: Path, data: TrainingData, settings: dict[str, Any], words: str
) -> None:
    """TorchNEP would take its numbers for those of the kind that is asked for."""
    start = RECORDED / "nep.txt"
    trainer(init_model_list=(start,)).validate()
    made = trainer({**TINY, **settings}, init_model_list=(start,))
    with pytest.raises(InputError) as caught:
        made.validate()
    assert caught.value.key == "init_model_list[0]"
    assert words in caught.value.message
    shutil.copy(start, tmp_path)
    with pytest.raises(InputError, match="cannot be trained further") as caught:
        made.write_input(tmp_path, data, 3, tmp_path)
    assert caught.value.key == "use_pre_model"


def test_a_foundation_is_a_model_of_the_same_kind(tmp_path: Path, data: TrainingData) -> None:
    """All members begin with it, so each draws its frames."""
    start = str((RECORDED / "nep.txt").resolve())
    made = trainer(train={"foundation": start})
    made.validate()
    made.write_input(tmp_path, data, 3, None)
    assert read_settings(tmp_path).begin == "start.model"
    assert read_settings(tmp_path).keys["bootstrap"] is True
    for foundation, words in (("nep89", "TorchNEP holds no models"), (start, "neuron is 3")):
        with pytest.raises(InputError) as caught:
            trainer({**TINY, "neuron": 4}, train={"foundation": foundation}).validate()
        assert caught.value.key == "train.foundation"
        assert words in caught.value.message


def test_a_start_model_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    lines = (RECORDED / "nep.txt").read_text().splitlines(keepends=True)
    (tmp_path / "nep.txt").write_text("".join(lines[:-1]))
    with pytest.raises(InputError, match="it has 42 of 43 numbers"):
        trainer(init_model_list=(tmp_path / "nep.txt",)).validate()


def test_a_committee_runs_in_ase(tmp_path: Path) -> None:
    models = [TrainedModel(tmp_path, {"model": tmp_path / f"{k}.txt"}) for k in range(2)]
    potential = trainer(gpu_per_node=1).potential(models)
    assert potential.links == {f"{k}_nep.txt": tmp_path / f"{k}.txt" for k in range(2)}
    first, second = potential.calculators
    assert first["calculator"] == "torchnep.ase_calculator:NEP"
    assert second["arguments"] == {"model_file": "1_nep.txt", "device": "cuda"}
    assert potential.deviates
    assert isinstance(explorer_for(config(), ResourceBlock(command="python")), AseExplorer)
    assert isinstance(trainer(), TorchnepTrainer)


# what it leaves


def test_the_learning_curve() -> None:
    epochs = read_curve(RECORDED / "loss.out")
    assert [one.number for one in epochs] == [1, 2, 3, 4, 5]
    assert epochs[-1].loss == 0.0996836
    assert epochs[-1].train == ValidError(0.227186, 0.451112)
    assert epochs[-1].valid == ValidError(0.017957, 0.310454)


def row(epoch: int, *numbers: float) -> str:
    return " ".join(map(str, (epoch, *numbers))) + "\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# epoch\n", "has no row"),
        (row(1, 1.0, 2.0), "has 3 columns"),
        (row(5, 1.0, 1.0, 1.0, 0.0, 0.0).strip(), "has no row"),  # without its end
        (row(5, float("nan"), 1.0, 1.0, 0.0, 0.0), "not finite"),
        (row(5, 0.0, 0.0, 0.0, 0.0, 0.0), "skipped every step"),
    ],
)
def test_a_curve_that_is_none_of_a_training(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "loss.out"
    path.write_text(text)
    with pytest.raises(TaskError, match=words):
        last_epoch(path)


def test_the_errors_are_those_of_the_model_that_was_chosen() -> None:
    """Not of the last epoch, and not of the training data."""
    assert read_valid_error(RECORDED) == ValidError(0.017957, 0.310454)


def test_a_log_without_a_table_holds_no_errors(tmp_path: Path) -> None:
    log = (RECORDED / "output.log").read_text()
    (tmp_path / "output.log").write_text(log[: log.index("  Validation set")])
    with pytest.raises(TaskError, match="no errors of the validation data"):
        read_valid_error(tmp_path)


@pytest.mark.parametrize(("early_stop", "done"), [(0, False), (3, True)])
def test_a_training_may_end_early_only_where_it_was_asked_to(
    tmp_path: Path, data: TrainingData, early_stop: int, done: bool
) -> None:
    made = trainer({**TINY, "epoch": 6, "early_stop": early_stop})
    made.write_input(tmp_path, data, 3, None)
    for name in ("nep.txt", "result.json"):  # of five epochs
        shutil.copy(RECORDED / name, tmp_path)
    (tmp_path / "train.ended").write_text("")
    shell(tmp_path, "cksum nep.txt result.json > train.ended")
    assert made.check(tmp_path).done is done


# how the worker begins


def cut_off(directory: Path, epoch: int = 5) -> None:
    """Leave what a training leaves that was cut off after an epoch."""
    lines = (RECORDED / "loss.out").read_text().splitlines(keepends=True)
    (directory / "loss.out").write_text("".join(lines[: epoch + 1]))
    (directory / "nep_best.txt").write_text("model")
    with zipfile.ZipFile(directory / "checkpoint.pt", "w") as archive:
        archive.writestr("weights", "1" * 1000)


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


DAMAGES: dict[str, Callable[[Path], None]] = {
    "no checkpoint": lambda directory: (directory / "checkpoint.pt").unlink(),
    "torn": lambda directory: torn(directory / "checkpoint.pt"),
}


def test_a_checkpoint_gets_one_chance(tmp_path: Path) -> None:
    cut_off(tmp_path)
    (tmp_path / "nep.txt").write_text("of another time")
    assert trainer().reached(tmp_path) == 5.0
    assert begin(tmp_path, "start.model", goes_on=True) == {"resume_from": "resumed.pt"}
    assert {path.name for path in tmp_path.iterdir()} == {"loss.out", "nep_best.txt", "resumed.pt"}
    assert trainer().reached(tmp_path) == 0.0
    assert begin(tmp_path, None, goes_on=True) == {}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("how", DAMAGES)
def test_without_a_whole_checkpoint_a_training_begins_again(tmp_path: Path, how: str) -> None:
    cut_off(tmp_path)
    DAMAGES[how](tmp_path)
    assert trainer().reached(tmp_path) == 0.0
    assert begin(tmp_path, "start.model", goes_on=True) == {"finetune_from": "start.model"}
    assert not (tmp_path / "loss.out").exists()


def test_a_checkpoint_without_its_best_model_is_of_no_use(tmp_path: Path) -> None:
    cut_off(tmp_path)
    (tmp_path / "nep_best.txt").unlink()
    assert begin(tmp_path, None, goes_on=True) == {}


def test_a_training_that_may_end_early_begins_again(tmp_path: Path) -> None:
    """A checkpoint does not hold how long it has waited for progress."""
    made = trainer({**TINY, "early_stop": 3})
    cut_off(tmp_path)
    assert made.reached(tmp_path) == 0.0
    assert begin(tmp_path, None, goes_on=False) == {}


@pytest.mark.parametrize(("epochs", "last", "kept"), [(50, 14, 10.0), (50, 4, 0.0), (5, 3, 3.0)])
def test_how_far_a_training_came(tmp_path: Path, epochs: int, last: int, kept: float) -> None:
    cut_off(tmp_path)
    text = "".join(row(k, 1.0, 1.0, 1.0, 0.0, 0.0) for k in range(1, last + 1))
    (tmp_path / "loss.out").write_text(text)
    assert trainer({**TINY, "epoch": epochs}).reached(tmp_path) == kept


def test_kpu_takes_the_vectors_that_cost_less_than_four_evaluations() -> None:
    """By measurement: docs/benchmarks.md, Gradient uncertainty."""
    alone = replace(StrategyConfig(), uncertainty="kpu", model_num=1)
    usual = trainer(strategy=alone).kpu().fingerprint()
    assert (usual["probes"], usual["draws"]) == (4, 16)
    asked = trainer(strategy=replace(alone, kpu_probes=7)).kpu().fingerprint()
    assert (asked["probes"], asked["draws"]) == (7, 0)
