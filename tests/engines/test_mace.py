"""MACE without its library: what is refused, the input, and the learning curve."""

from __future__ import annotations

import json
from typing import Any, Optional

import pytest

from pwact.engines.ase.labeler import calculator_class
from pwact.engines.mace.calculator import calculator
from pwact.engines.mace.program import curve_of, curve_text, input_of, merged, native_keys
from pwact.engines.network.task import Settings
from pwact.errors import InputError, TaskError
from tests.engines.network_helpers import trainer
from tests.engines.test_deepmd import copper

FRAMES = [copper(seed) for seed in range(3)]


def settings(begin: Optional[str] = None, **changes: Any) -> Settings:
    made = trainer("mace", settings={"epochs": 11, **changes})
    keys = made.resolved(begin is not None)  # type: ignore[attr-defined]
    return Settings(7, ("Ni", "Cu"), begin, keys)


def made(begin: Optional[str] = None, valid: bool = True, **changes: Any) -> dict[str, Any]:
    return input_of(settings(begin, **changes), FRAMES, valid, {29: -3.5}, "cpu")


@pytest.mark.parametrize("name", ["medium", "mace_mp", "small_off"])
def test_a_name_is_no_foundation(name: str) -> None:
    with pytest.raises(InputError, match="train.foundation: .*holds none"):
        trainer("mace", foundation=name).validate()


def test_from_nothing_the_keys_make_the_model() -> None:
    found = made(cutoff=4.5, num_channels=8, max_L=1)
    assert (found["r_max"], found["num_channels"], found["max_L"]) == (4.5, 8, 1)
    assert found["E0s"] == "{28: 0.0, 29: -3.5}"
    assert found["atomic_numbers"] == "[28, 29]"
    assert found["seed"] == 7
    assert "foundation_model" not in found


def test_the_rate_falls_to_its_last_value() -> None:
    found = made(learning_rate=0.02, rate_fall=0.25)
    assert found["lr"] == 0.02
    assert found["lr_scheduler_gamma"] ** 10 == pytest.approx(0.25)
    assert found["max_num_epochs"] == 11


def test_a_model_to_begin_with_keeps_its_shape_and_replays_nothing() -> None:
    found = made("start.model", head="pbe")
    assert found["foundation_model"] == "begin.model"  # with reference energies of ours
    assert found["multiheads_finetuning"] is False
    assert found["foundation_head"] == "pbe"
    assert "r_max" not in found
    assert "foundation_head" not in made("start.model")


def test_few_frames_may_not_spoil_energies_and_stresses_for_their_forces() -> None:
    """By measurement: docs/foundation.md, MACE."""
    found = made("start.model")
    weights = [found[f"{name}_weight"] for name in ("energy", "forces", "stress")]
    assert (weights, found["lr"]) == ([1.0, 10.0, 10.0], 0.003)


def test_no_frame_is_left_out_for_want_of_a_batch() -> None:
    assert made(batch_size=10)["batch_size"] == 3
    assert made(batch_size=2)["batch_size"] == 2


def test_the_program_always_gets_frames_to_validate_on() -> None:
    assert made()["valid_file"] == "valid.xyz"
    assert made(valid=False)["valid_file"] == "train.xyz"


def test_stresses_are_trained_where_all_frames_have_them() -> None:
    bare = copper(9)
    del bare.calc.results["stress"]
    assert made()["loss"] == "stress"
    assert input_of(settings(), [*FRAMES, bare], True, {}, "cpu")["loss"] == "weighted"


def test_an_input_of_the_user_keeps_what_is_not_ours() -> None:
    native = {"max_num_epochs": 4, "loss": "huber", "name": "mine", "test_file": "x", "seed": 3}
    found = made("start.model")
    got = merged(native, {**found, "max_num_epochs": 4})
    assert (got["loss"], got["max_num_epochs"]) == ("huber", 4)
    assert (got["name"], got["seed"], got["train_file"]) == ("pwact", 7, "train.xyz")
    assert got["foundation_model"] == "begin.model"
    assert {"test_file", "lr", "forces_weight"}.isdisjoint(got)
    assert native_keys(native) == {
        "epochs": 4,
        "dtype": "float64",
        "batch_size": 10,
        "head": None,
    }
    with pytest.raises(TaskError, match="train_input_file: swa is not done by pwact"):
        native_keys({"swa": True})


def test_what_is_frozen_is_told_to_the_program() -> None:
    assert made("start.model", freeze=6)["freeze"] == 6
    assert "freeze" not in made("start.model")


def line(**entries: Any) -> str:
    return json.dumps(entries) + "\n"


def test_the_curve_has_the_errors_of_each_epoch() -> None:
    text = line(mode="eval", epoch=None, rmse_e_per_atom=0.5, rmse_f=1.5)
    text += line(mode="opt", epoch=0, loss=3.0)
    text += line(mode="eval", epoch=0, rmse_e_per_atom=0.25, rmse_f=1.0, rmse_stress=None)
    rows = curve_of(text + '{"mode": "ev')
    assert [epoch for epoch, _ in rows] == [0, 1]
    assert rows[1][1][:2] == [0.25, 1.0]
    assert curve_text(rows[:1]) == "epoch,rmse_e_per_atom,rmse_f\n0,0.5,1.5\n"
    assert curve_text([]).strip() == "epoch"


@pytest.mark.parametrize("name", ["mace", "MACE"])
def test_input_files_name_the_calculator_by_a_word(name: str) -> None:
    assert calculator_class(name) is calculator
    assert calculator_class(made_by()) is calculator


def made_by() -> str:
    """The name that the trainer gives to explorers."""
    found = trainer("mace").calculator("a.model")  # type: ignore[attr-defined]
    assert found["arguments"] == {"model": "a.model"}
    return str(found["calculator"])
