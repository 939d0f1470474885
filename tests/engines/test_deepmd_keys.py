"""MatPL's keys in DeePMD-kit's words; nothing of the user is lost in silence."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from pwact.config.kinds import Section
from pwact.config.train_keys import DEEPMD
from pwact.engines.deepmd.keys import Translation, check_compressible
from pwact.errors import InputError

FILE = Path("param.json")


def translate(settings: dict[str, Any], types: tuple[str, ...] = ("Ag", "Au")) -> Translation:
    return Translation(settings, types, FILE)


def place(document: dict[str, Any], path: str) -> Any:
    for part in path.split("."):
        document = document[part]
    return document


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            {},
            {
                "model.type_map": ["Ag", "Au"],
                "model.descriptor.type": "se_e2_a",
                "model.descriptor.rcut": 6.0,
                "model.descriptor.rcut_smth": 0.5,
                "model.descriptor.sel": [100, 100],
                "model.descriptor.neuron": [25, 25, 25],
                "model.descriptor.axis_neuron": 16,
                "model.fitting_net.neuron": [50, 50, 50],
                "loss.start_pref_f": 1000.0,
                "loss.limit_pref_v": 1.0,
                "training.batch_size": 1,
            },
        ),
        (
            {"model": {"descriptor": {"rMAX": 5, "Rmin": 2.5, "m2": 4, "Network_Size": [8, 8]}}},
            {
                "model.descriptor.rcut": 5.0,
                "model.descriptor.rcut_smth": 2.5,
                "model.descriptor.axis_neuron": 4,
                "model.descriptor.neuron": [8, 8],
            },
        ),
        (
            {"model": {"fitting_net": {"network_size": [20, 1]}}},
            {"model.fitting_net.neuron": [20]},
        ),
        (
            {"model": {"fitting_net": {"network_size": [20, 10]}}},
            {"model.fitting_net.neuron": [20, 10]},
        ),
        ({"model": {"fitting_net": {"network_size": [1]}}}, {"model.fitting_net.neuron": [1]}),
        ({"model": {"fitting_net": {"network_size": 40}}}, {"model.fitting_net.neuron": [40]}),
        ({"max_neigh_num": 70}, {"model.descriptor.sel": [70, 70]}),
        ({"model": {"descriptor": {"sel": "auto:1.2"}}}, {"model.descriptor.sel": "auto:1.2"}),
        (
            {"model": {"descriptor": {"sel": [30, 40]}}},
            {"model.descriptor.sel": [30, 40]},
        ),
        (
            {"precision": "float32"},
            {"model.descriptor.precision": "float32", "model.fitting_net.precision": "float32"},
        ),
        (
            {
                "optimizer": {
                    "optimizer": "adam",
                    "learning_rate": 0.01,
                    "stop_lr": 1e-4,
                    "decay_step": 20,
                    "batch_size": 4,
                    "print_freq": 50,
                    "numb_steps": 500,
                    "start_pre_fac_etot": 0.1,
                    "end_pre_fac_force": 2,
                    "train_virial": False,
                    "end_pre_fac_virial": 7,
                },
                "save_step": 100,
                "max_save_num": 3,
            },
            {
                "learning_rate.type": "exp",
                "learning_rate.start_lr": 0.01,
                "learning_rate.stop_lr": 1e-4,
                "learning_rate.decay_steps": 20,
                "training.batch_size": 4,
                "training.disp_freq": 50,
                "training.numb_steps": 500,
                "training.save_freq": 100,
                "training.max_ckpt_keep": 3,
                "loss.start_pref_e": 0.1,
                "loss.limit_pref_e": 1.0,
                "loss.limit_pref_f": 2.0,
                "loss.start_pref_v": 0.0,
                "loss.limit_pref_v": 0.0,
            },
        ),
    ],
)
def test_translated(settings: dict[str, Any], expected: dict[str, Any]) -> None:
    made = translate(settings)
    assert {path: place(made.input, path) for path in expected} == expected
    assert made.warnings == []
    assert "type_embedding" not in made.input["model"]


@pytest.mark.parametrize(
    ("settings", "dimension"),
    [
        ({"type_embedding": True}, 8),
        ({"model": {"type_embedding": {"network_size": [4, 6]}}}, 6),
        ({"model": {"descriptor": {"type_embedding": {"physical_property": ["atom_mass"]}}}}, 8),
        ({"model": {"descriptor": {"type_embedding": True, "tebd_dim": 3}}}, 3),
    ],
)
def test_type_embedding(settings: dict[str, Any], dimension: int) -> None:
    model = translate(settings).input["model"]
    assert model["type_embedding"] == {"neuron": [dimension], "resnet_dt": False}
    descriptor = model["descriptor"]
    assert descriptor["type"] == "se_atten"
    assert (descriptor["attn_layer"], descriptor["tebd_input_mode"]) == (0, "strip")
    assert descriptor["sel"] == 100


@pytest.mark.parametrize("off", [{"type_embedding": False}, {"model": {"type_embedding": {}}}])
def test_type_embedding_can_be_off(off: dict[str, Any]) -> None:
    assert translate(off).input["model"]["descriptor"]["type"] == "se_e2_a"


def test_what_has_no_counterpart_is_named() -> None:
    made = translate(
        {
            "seed": 5,
            "_note": {"whatever": 1},
            "type_embedding": None,
            "optimizer": {"kalman_lambda": 0.98, "clip_value": 1.0},
            "model": {"type_embedding": {"physical_property": ["pauling"]}},
        }
    )
    assert [message.split()[0] for message in made.warnings] == [
        "train.seed",
        "train.optimizer.kalman_lambda",
        "train.optimizer.clip_value",
        "train.model.type_embedding.physical_property",
    ]


def complaint(settings: dict[str, Any]) -> str:
    """What is said about the settings: warnings, or the error."""
    try:
        return " ".join(translate(settings).warnings)
    except InputError as error:
        return error.message


NEP = {"cutoff", "n_max", "basis_size", "l_max", "zbl"}
DECLARED = [
    (section, key.name)
    for section, keys in DEEPMD.items()
    for key in keys
    if not isinstance(key.kind, Section) and key.name not in NEP
]


@pytest.mark.parametrize(("section", "name"), DECLARED, ids=map(".".join, DECLARED))
def test_every_declared_key_is_known(section: str, name: str) -> None:
    settings: dict[str, Any] = {name: [-1.5]}  # suits no key that is translated
    for part in reversed(section.split(".")) if section else ():
        settings = {part: settings}
    said = complaint(settings)
    assert said
    assert "unknown" not in said


def test_epochs() -> None:
    assert translate({}).epochs == 30
    assert translate({"optimizer": {"epochs": 5}}).epochs == 5


@pytest.mark.parametrize(
    ("settings", "key", "words"),
    [
        ({"optimizer": {"optimizer": "LKF"}}, "train.optimizer.optimizer", "ADAM"),
        ({"optimizer": {"optimizer": "ADAMW"}}, "train.optimizer.optimizer", "by ADAM only"),
        ({"optimizer": {"lerning_rate": 1}}, "train.optimizer.lerning_rate", "mean learning_rate"),
        ({"optimizer": {"epochs": "ten"}}, "train.optimizer.epochs", "integer"),
        ({"optimizer": {"batch_size": 0}}, "train.optimizer.batch_size", ">= 1"),
        ({"optimizer": "ADAM"}, "train.optimizer", "belongs in optimizer"),
        ({"descriptor": {"Rmax": 5}}, "train.descriptor.Rmax", "no section"),
        ({"optimizer": {"stop_lr": 0.1}}, "train.model.descriptor", "stop_lr"),
        (
            {"optimizer": {"learning_rate": 1e-5, "stop_lr": 1e-3}},
            "train.optimizer.learning_rate",
            "stop_lr",
        ),
        (
            {"optimizer": {"train_energy": False, "train_force": False}},
            "train.optimizer",
            "both be false",
        ),
        ({"Rmax": 5}, "train.Rmax", "belongs in model.descriptor"),
        ({"learning_rate": 5}, "train.learning_rate", "belongs in optimizer"),
        ({"models": {"descriptor": {"Rmax": 5}}}, "train.models.descriptor.Rmax", "no section"),
        ({"loss": {"start_pref_e": 1}}, "train.loss.start_pref_e", "no section loss"),
        ({"model": {"descriptor": {"Rmx": 5}}}, "train.model.descriptor.Rmx", "mean rmax"),
        ({"model": {"descriptor": {"cutoff": [6, 6]}}}, "train.model.descriptor.cutoff", "allowed"),
        ({"model": {"descriptor": {"Rmin": 7}}}, "train.model.descriptor.Rmin", "less than Rmax"),
        ({"model": {"descriptor": {"M2": 26}}}, "train.model.descriptor.M2", "25"),
        ({"model": {"descriptor": {"network_size": []}}}, "descriptor.network_size", "list"),
        ({"model": {"descriptor": {"network_size": [8, -8]}}}, "network_size[1]", "integer"),
        ({"model": {"descriptor": {"sel": [5]}}}, "train.model.descriptor.sel", "2 integer"),
        ({"model": {"descriptor": {"sel": "all"}}}, "train.model.descriptor.sel", "auto"),
        ({"precision": "float65"}, "train.precision", "float64"),
        ({"type_embedding": "yes"}, "train.type_embedding", "true or false"),
    ],
)
def test_refused(settings: dict[str, Any], key: str, words: str) -> None:
    with pytest.raises(InputError, match=re.escape(words)) as caught:
        translate(settings)
    assert caught.value.file == FILE
    assert caught.value.key.endswith(key)


def test_two_trainings_share_nothing() -> None:
    one, two = translate({}), translate({})
    one.input["loss"]["start_pref_e"] = 9
    assert two.input["loss"]["start_pref_e"] == 0.02


STRIPPED = {"type": "se_atten", "attn_layer": 0, "tebd_input_mode": "strip"}


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ({"descriptor": {"type": "se_e2_a", "neuron": [16, 16, 16]}}, ""),
        ({"descriptor": {**STRIPPED, "neuron": [8, 16, 32]}, "type_embedding": {"seed": 1}}, ""),
        ({"descriptor": {**STRIPPED}}, ""),
        ({"descriptor": {"type": "se_atten_v2", "attn_layer": 0, "neuron": [4, 8]}}, ""),
        ({"descriptor": {"type": "se_a_ebd_v2", "neuron": [8, 8]}, "type_embedding": {"a": 1}}, ""),
        ({"descriptor": {**STRIPPED, "neuron": [25, 25, 25]}}, "[25, 50, 100]"),
        ({"descriptor": {**STRIPPED, "neuron": [8, 16, 16]}}, "[8, 16, 32]"),
        ({"descriptor": {**STRIPPED, "neuron": [8, 20, 40]}}, "[8, 16, 32]"),
        ({"descriptor": {**STRIPPED, "attn_layer": 2}}, "attn_layer 0"),
        ({"descriptor": {"type": "se_atten", "tebd_input_mode": "strip"}}, "attn_layer 0"),
        ({"descriptor": {"type": "se_atten", "attn_layer": 0}}, "tebd_input_mode strip"),
        ({"descriptor": {"type": "se_e2_a"}, "type_embedding": {"neuron": [8]}}, "se_a_ebd_v2"),
    ],
)
def test_compressible(model: dict[str, Any], words: str) -> None:
    if not words:
        check_compressible({"model": model}, FILE, "train.model")
        return
    with pytest.raises(InputError, match=re.escape(words)) as caught:
        check_compressible({"model": model}, FILE, "train.model")
    assert (caught.value.file, caught.value.key) == (FILE, "train.model")


def test_matpl_defaults_with_embedding_do_not_compress() -> None:
    with pytest.raises(InputError, match=re.escape("[25, 50, 100]")):
        check_compressible(translate({"type_embedding": True}).input, FILE, "train")
    check_compressible(translate({}).input, FILE, "train")


def test_epochs_do_not_compress() -> None:
    document = {"model": {"descriptor": {"type": "se_e2_a"}}, "training": {"numb_epoch": 3}}
    with pytest.raises(InputError, match="numb_steps") as caught:
        check_compressible(document, FILE, "train")
    assert caught.value.key == "training.numb_epoch"
