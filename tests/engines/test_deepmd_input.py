"""What goes into DeePMD-kit's input beside the model: the user's own file, seeds, data, lengths."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from ase import Atoms

from pwact.engines.deepmd.input import (
    ATOMS_AT_ONCE,
    native_warnings,
    read_native,
    rows_of,
    seed_warnings,
    seeded,
    with_data,
    with_length,
)
from pwact.errors import InputError
from pwact.formats.deepmd_npy import write_deepmd
from pwact.formats.labels import set_labels

NATIVE: dict[str, Any] = {
    "_comment": "mine",
    "model": {
        "type_map": ["Cu"],
        "descriptor": {"type": "se_e2_a", "sel": [60], "seed": 1},
        "fitting_net": {"neuron": [8]},
    },
    "learning_rate": {"start_lr": 0.001},
    "loss": {},
    "training": {
        "training_data": {
            "systems": ["elsewhere"],
            "batch_size": "auto",
            "auto_prob": "prob_uniform",
        },
        "validation_data": {"systems": "elsewhere"},
        "stop_batch": 500,
    },
}


def native(**changes: Any) -> dict[str, Any]:
    """The native input with changes by dotted paths; None removes."""
    document = copy.deepcopy(NATIVE)
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = document
        for part in parents:
            place = place[part]
        if value is None:
            del place[last]
        else:
            place[last] = value
    return document


def read(folder: Path, document: Any) -> Any:
    file = folder / "input.json"
    file.write_text(json.dumps(document))
    return read_native(file, ("Cu",))


def data(folder: Path, counts: dict[str, int]) -> list[Path]:
    frames = []
    for formula, count in counts.items():
        for _ in range(count):
            atoms = Atoms(formula, cell=[9, 9, 9], pbc=True)
            set_labels(atoms, 0.0, [[0, 0, 0]] * len(atoms))
            frames.append(atoms)
    return write_deepmd(folder, frames, ("Cu", "Au"))


def test_native_input_is_kept(tmp_path: Path) -> None:
    document = read(tmp_path, NATIVE)
    assert document["training"].pop("numb_steps") == 500
    expected = native(training__stop_batch=None)
    assert document == expected


def test_matpl_input_is_not_native(tmp_path: Path) -> None:
    assert read(tmp_path, {"model": {"descriptor": {}}, "optimizer": {}}) is None


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"model__type_map": ["Au"]}, "model.type_map"),
        ({"model": 5}, "model"),
        ({"training": []}, "training"),
        ({"model__descriptor": None}, "model.descriptor"),
        ({"model__fitting_net": None}, "model.fitting_net"),
        ({"training__stop_batch": None}, "training.numb_steps"),
        ({"training__systems": ["a"]}, "training.systems"),
        ({"training__training_data": "a"}, "training.training_data"),
        ({"training__training_data__batch_size": [1, 2]}, "training.training_data.batch_size"),
    ],
)
def test_refused(tmp_path: Path, changes: dict[str, Any], key: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, native(**changes))
    assert (caught.value.key, caught.value.file) == (key, tmp_path / "input.json")


def test_warnings(tmp_path: Path) -> None:
    file = tmp_path / "input.json"
    found = "\n".join(native_warnings(NATIVE, file))
    assert "training.training_data.systems" in found
    assert "training.validation_data.systems" in found
    quiet = native(training__training_data={}, training__validation_data={})
    assert [*native_warnings(quiet, file), *seed_warnings(quiet, file)] == []
    unseeded = native(**{"training__training_data": {"sys_probs": [1]}})
    unseeded["model"]["descriptor"]["type"] = "se_atten"
    assert "sys_probs" in "\n".join(native_warnings(unseeded, file))
    assert "no seed" in "\n".join(seed_warnings(unseeded, file))
    unseeded["model"]["type_embedding"] = {"neuron": [8]}
    assert "no seed" not in "\n".join(seed_warnings(unseeded, file))


def seeds(document: Any) -> list[int]:
    if isinstance(document, list):
        return [seed for item in document for seed in seeds(item)]
    if not isinstance(document, dict):
        return []
    own = [document["seed"]] if "seed" in document else []
    return own + [seed for item in document.values() for seed in seeds(item)]


def test_every_part_has_a_seed_of_its_own() -> None:
    def made(seed: int) -> list[int]:
        document = native()
        document["model"]["descriptor"]["list"] = [{"type": "se_e2_a"}, {"type": "se_e2_r"}]
        document["model"]["type_embedding"] = {"neuron": [8]}
        return seeds(seeded(document, seed))

    assert len(made(2**31 - 1)) == 6
    assert len(set(made(1)) | set(made(2))) == 12
    assert made(1) == made(1)
    assert all(0 <= seed < 2**31 for seed in made(1))


def test_data_are_ours(tmp_path: Path) -> None:
    task = tmp_path / "a task"
    train = data(task / "data" / "train", {"Cu2": 3, "CuAu": 2})
    document = native(training__disp_training=False, training__save_ckpt="elsewhere/model")
    document["training"]["training_data"]["sys_probs"] = [1.0]
    assert not with_data(document, task, train, [])
    training = document["training"]
    assert training["training_data"] == {
        "systems": ["data/train/Cu2", "data/train/Cu1Au1"],
        "batch_size": "auto",
        "auto_prob": "prob_uniform",
    }
    for lost in ("validation_data", "disp_training", "save_ckpt"):
        assert lost not in training


def test_whole_validation_set_in_one_batch(tmp_path: Path) -> None:
    train = data(tmp_path / "train", {"Cu2": 1})
    valid = data(tmp_path / "valid", {"Cu2": 4})
    document = native()
    assert with_data(document, tmp_path, train, valid)
    expected = {"systems": ["valid/Cu2"], "batch_size": 4, "numb_btch": 1}
    assert document["training"]["validation_data"] == expected


@pytest.mark.parametrize("start", [0.0, 0.02])
def test_curve_without_energies_is_not_enough(tmp_path: Path, start: float) -> None:
    parts = [data(tmp_path / name, {"Cu2": 1}) for name in ("train", "valid")]
    document = native(loss={"start_pref_e": start, "limit_pref_e": 0.0})
    assert with_data(document, tmp_path, *parts) == bool(start)


def test_several_or_large_validation_sets_are_tested_afterwards(tmp_path: Path) -> None:
    train = data(tmp_path / "train", {"Cu2": 1})
    valid = data(tmp_path / "valid", {"Cu2": 4, "Cu3": 1})
    assert not with_data(native(), tmp_path, train, valid)
    large = data(tmp_path / "large", {f"Cu{ATOMS_AT_ONCE // 2 + 1}": 2})
    document = native()
    assert not with_data(document, tmp_path, train, large)
    assert document["training"]["validation_data"]["batch_size"] == 1


@pytest.mark.parametrize(
    ("training", "steps", "interval", "whole"),
    [
        ({}, 60, 6, True),  # 3 epochs of 40 frames by 2
        ({"training_data": {"batch_size": 7}}, 18, 1, True),  # 17.1 steps
        ({"training_data": {"batch_size": 99}}, 3, 1, True),  # no batch is larger than the data
        ({"numb_steps": 25}, 25, 5, True),
        ({"numb_steps": 7}, 7, 1, True),
        ({"numb_steps": 25, "disp_freq": 10}, 25, 10, False),
        ({"numb_epoch": 3}, None, None, False),
    ],
)
def test_length(training: dict[str, Any], steps: Any, interval: Any, whole: bool) -> None:
    document = {"training": {"training_data": {"batch_size": 2}, **training}}
    assert with_length(document, epochs=3, frames=40) is whole
    made = document["training"]
    assert (made.get("numb_steps"), made.get("disp_freq")) == (steps, interval)


@pytest.mark.parametrize(
    ("given", "saved"),
    [
        ({"numb_steps": 40}, 4),
        ({"numb_steps": 40, "save_freq": 0}, 0),
        ({"numb_steps": 40, "save_freq": 20}, 20),
        ({"numb_steps": 40, "save_freq": 15, "disp_freq": 7}, 15),
        ({"numb_steps": 40, "save_freq": 40, "disp_freq": 7}, 7),
        ({"numb_epoch": 2, "save_freq": 10}, 1000),
    ],
)
def test_the_last_step_is_saved(given: dict[str, int], saved: int) -> None:
    document = {"training": {"training_data": {"batch_size": 1}, **given}}
    with_length(document, epochs=1, frames=1)
    assert document["training"]["save_freq"] == saved


@pytest.mark.parametrize("steps", [1, 9, 10, 97, 1000, 1024, 99991])
def test_rows_end_at_the_last_step(steps: int) -> None:
    assert steps % rows_of(steps) == 0
    assert 1 <= steps // rows_of(steps) <= max(10, min(steps, 19))
