"""SevenNet without its library: names of foundations, the input, and what checkpoints tell."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, Optional

import pytest

from pwact.engines.network.task import Settings
from pwact.engines.sevennet.files import checkpoints, keep_curve, reached_epoch
from pwact.engines.sevennet.frozen import freeze_as_recorded, freeze_in, recorded
from pwact.engines.sevennet.program import going_on, input_of, merged, native_keys, saved_every
from pwact.engines.sevennet.worker import _demand_layers
from pwact.engines.trainers import TrainedModel
from pwact.errors import InputError, TaskError, UnfitModelError
from tests.engines.network_helpers import trainer
from tests.engines.test_deepmd import copper

HEAD = "epoch,lr,error\n"


@pytest.mark.parametrize("name", ["7net-0", "SevenNet-0", "7NET-l3i5"])
def test_models_of_the_package_are_known(name: str) -> None:
    trainer("sevennet", foundation=name).validate()


@pytest.mark.parametrize(
    ("name", "modal", "words"),
    [
        ("7net-mf-0", None, "found none; allowed with 7net-mf-0: PBE, R2SCAN"),
        ("sevennet-mf-0", "omat24", "found omat24; allowed with sevennet-mf-0: PBE, R2SCAN"),
        ("7net-0", "PBE", "knows one task alone"),
    ],
)
def test_a_model_of_several_tasks_needs_one_of_them(
    name: str, modal: Optional[str], words: str
) -> None:
    with pytest.raises(InputError, match=f"train.modal: .*{re.escape(words)}"):
        trainer("sevennet", foundation=name, settings={"modal": modal}).validate()
    trainer("sevennet", foundation="sevennet-mf-0", settings={"modal": "PBE"}).validate()


@pytest.mark.parametrize(
    ("name", "elements", "words"),
    [
        ("7net-omni", ("Cu",), "would be downloaded by a job"),
        ("7net-O", ("Cu",), "did you mean 7net-0?"),
        ("mace-mp", ("Cu",), "allowed: a file, or 7net-0"),
        ("7net-0", ("Cu", "Po"), "does not know Po"),
        ("7net-0", ("Am", "Cu"), "does not know Am"),
    ],
)
def test_what_no_job_could_begin_with_is_refused(
    name: str, elements: tuple[str, ...], words: str
) -> None:
    with pytest.raises(InputError, match=words) as caught:
        trainer("sevennet", foundation=name, atom_type=elements).validate()
    assert "train.foundation" in str(caught.value)


def keys(**changes: Any) -> dict[str, Any]:
    made = trainer("sevennet", settings={"epochs": 10, **changes})
    return made.resolved(False)  # type: ignore[attr-defined,no-any-return]


def settings(**changes: Any) -> Settings:
    return Settings(7, ("Cu",), None, keys(**changes))


FRAMES = [copper(1), copper(2)]


def begun(**model: Any) -> dict[str, Any]:
    """Sections of a checkpoint."""
    return {"model": model, "data": {"shift": 1.0, "use_modal_wise_shift": True}}


def test_from_nothing_the_keys_make_the_model() -> None:
    made = input_of(settings(cutoff=4.5, channel=8), FRAMES, True, None)
    assert made["model"]["cutoff"] == 4.5
    assert made["model"]["channel"] == 8
    assert made["model"]["chemical_species"] == ["Cu"]
    assert "continue" not in made["train"]
    assert made["train"]["random_seed"] == 7
    mean = sum(frame.get_potential_energy() for frame in FRAMES) / sum(map(len, FRAMES))
    assert made["data"]["shift"][29] == pytest.approx(mean)
    assert sum(map(bool, made["data"]["shift"])) == 1
    assert made["data"]["load_validset_path"] == ["valid.xyz"]
    assert "load_validset_path" not in input_of(settings(), FRAMES, False, None)["data"]


def test_the_rate_falls_to_its_last_value() -> None:
    train = input_of(settings(learning_rate=0.02, rate_fall=0.25), FRAMES, True, None)["train"]
    assert train["optim_param"]["lr"] == 0.02
    assert train["scheduler_param"]["gamma"] ** 9 == pytest.approx(0.25)
    assert input_of(settings(epochs=1), FRAMES, True, None)["train"]["epoch"] == 1


def test_a_model_to_begin_with_keeps_its_shape() -> None:
    made = input_of(settings(), FRAMES, True, begun(cutoff=6.0))
    assert made["model"] == {"cutoff": 6.0}
    assert made["train"]["continue"] == {
        "checkpoint": "begin.pth",
        "reset_optimizer": True,
        "reset_scheduler": True,
        "reset_epoch": True,
    }
    assert "shift" not in made["data"]
    assert going_on(made, 0) == made
    later = going_on(made, 4)["train"]["continue"]
    assert later["checkpoint"] == "checkpoint_4.pth"
    assert not any(value for name, value in later.items() if name.startswith("reset"))
    new = going_on(input_of(settings(), FRAMES, True, None), 4)
    assert new["train"]["continue"] == later


def test_an_input_of_the_user_keeps_what_is_not_ours() -> None:
    native = {
        "model": {"cutoff": 4.5, "chemical_species": "auto"},
        "train": {"epoch": 10, "loss": "mse", "random_seed": 1, "continue": {"checkpoint": "x"}},
        "data": {"batch_size": 4, "load_dataset_path": ["mine"], "shift": "per_atom_energy_mean"},
    }
    assert native_keys(native) == {"epochs": 10}
    new = merged(native, input_of(settings(), FRAMES, True, None))
    assert new["model"] == {"cutoff": 4.5, "chemical_species": ["Cu"]}
    assert (new["train"]["loss"], new["train"]["random_seed"]) == ("mse", 7)
    assert "continue" not in new["train"]
    assert "optimizer" not in new["train"]
    assert new["data"] == {
        "batch_size": 4,
        "shift": "per_atom_energy_mean",
        "load_trainset_path": ["train.xyz"],
        "load_validset_path": ["valid.xyz"],
    }
    later = merged(native, input_of(settings(), FRAMES, True, begun(cutoff=6.0)))
    assert later["model"] == {"cutoff": 6.0}
    assert later["train"]["continue"]["checkpoint"] == "begin.pth"
    assert (later["data"]["batch_size"], later["data"]["use_modal_wise_shift"]) == (4, True)


@pytest.mark.parametrize(
    "native", [{"train": {"epoch": 3}}, {"model": {}, "train": {"epoch": "x"}, "data": {}}]
)
def test_an_input_without_sections_or_epochs_is_refused(native: dict[str, Any]) -> None:
    with pytest.raises(TaskError, match="train_input_file: "):
        native_keys(native)


def test_a_task_of_a_model_gets_its_name() -> None:
    made = input_of(settings(modal="PBE"), FRAMES, False, begun())
    (part,) = made["data"]["load_trainset_path"]
    assert made["data"]["use_modal_wise_shift"] is True
    assert part == {"data_modality": "PBE", "file_list": [{"file": "train.xyz"}]}
    assert made["train"]["use_modality"] is True
    potential = trainer("sevennet", settings={"modal": "PBE"}).potential(
        [TrainedModel(Path(), {"model": Path("m")})]
    )
    (calculator,) = potential.calculators  # type: ignore[attr-defined]
    assert calculator["arguments"] == {"model": "0_model.pth", "modal": "PBE"}


def test_stresses_are_trained_where_all_frames_have_them() -> None:
    bare = copper(3)
    del bare.calc.results["stress"]
    assert input_of(settings(), FRAMES, False, None)["train"]["is_train_stress"] is True
    train = input_of(settings(), [*FRAMES, bare], False, None)["train"]
    assert train["is_train_stress"] is False
    assert ["Stress", "ComponentRMSE"] not in train["error_record"]


@pytest.mark.parametrize("epochs", [1, 2, 4, 5, 7, 10, 13, 24, 100, 101])
def test_the_last_epoch_has_a_checkpoint(epochs: int) -> None:
    assert epochs % saved_every(epochs) == 0
    assert epochs // saved_every(epochs) >= min(5, epochs)


def test_checkpoints_are_found_by_their_epochs(tmp_path: Path) -> None:
    assert reached_epoch(tmp_path) == 0
    for name in (
        "checkpoint_0.pth",
        "checkpoint_10.pth",
        "checkpoint_9.pth",
        "checkpoint_best.pth",
    ):
        (tmp_path / name).write_text("")
    assert [*checkpoints(tmp_path)] == [0, 9, 10]
    assert trainer("sevennet").reached(tmp_path) == 10
    (tmp_path / "trained.ended").write_text("1")
    assert trainer("sevennet", settings={"epochs": 12}).reached(tmp_path) == 12


def test_a_curve_goes_on_behind_the_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "lc.csv").write_text(HEAD + "1,a,1\n2,a,2\n3,a,3\n4,a")
    assert keep_curve(tmp_path, 2) == 2
    assert not (tmp_path / "lc.csv").exists()
    (tmp_path / "lc.csv").write_text(HEAD + "3,b,3\n4,b,4\n")
    assert keep_curve(tmp_path, 4) == 4
    assert (tmp_path / "curve.csv").read_text() == HEAD + "1,a,1\n2,a,2\n3,b,3\n4,b,4\n"
    assert keep_curve(tmp_path, 0) == 0


def test_only_a_model_to_begin_with_can_be_kept() -> None:
    begun = trainer("sevennet", settings={"freeze": 2}, foundation="7net-0")
    begun.validate()
    with pytest.raises(InputError, match="there is none: foundation") as caught:
        trainer("sevennet", settings={"freeze": 0}).validate()
    assert caught.value.key == "train.freeze"


def test_no_more_layers_are_kept_than_there_are() -> None:
    for number in (0, 5):
        _demand_layers({"num_convolution_layer": 5}, settings(freeze=number))
    _demand_layers({}, settings())
    with pytest.raises(UnfitModelError, match="found 6; .* has 5 layers of messages") as caught:
        _demand_layers({"num_convolution_layer": 5}, settings(freeze=6))
    assert caught.value.key == "train.freeze"


NAMES = ("edge_embedding.coeffs", "onehot_to_feature_x.w", *(f"{n}_conv.w" for n in (0, 1, 10)))


class Weights:
    """Parameters by name, as of a network of PyTorch."""

    def __init__(self) -> None:
        self.trained = [*NAMES, "reduce_hidden_to_energy.w"]

    def named_parameters(self) -> Iterator[tuple[str, Any]]:
        for name in list(self.trained):
            yield name, SimpleNamespace(requires_grad_=self._set(name))

    def _set(self, name: str) -> Callable[[bool], None]:
        return lambda on: None if on else self.trained.remove(name)


@pytest.mark.parametrize(("layers", "kept"), [(None, 0), (0, 2), (1, 3), (2, 4), (5, 4)])
def test_a_trainer_gets_a_model_that_is_frozen_as_its_checkpoint_says(
    layers: Optional[int], kept: int
) -> None:
    class Trainer:
        def __init__(self, model: Weights, rate: float) -> None:
            self.trained, self.rate = list(model.trained), rate

    freeze_in(Trainer, layers)
    begun = Trainer(Weights(), rate=0.1)
    assert begun.trained == [*NAMES[kept:], "reduce_hidden_to_energy.w"]
    freeze_as_recorded(later := Weights(), recorded(layers))
    assert later.trained == begun.trained
