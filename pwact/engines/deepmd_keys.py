"""From the training keys of MatPL to the input of DeePMD-kit.

Every key of the user is either translated, or refused, or named in a warning; none is lost in
silence. `Rmax` and `Rmin` become rcut and rcut_smth, `M2` axis_neuron, `network_size` neuron; the
prefactors of the loss keep their meaning (both programs scale them with the learning rate).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pwact.config.schema import nearest
from pwact.errors import InputError

DESCRIPTOR, FITTING, RATE, LOSS, TRAINING = (
    "model.descriptor",
    "model.fitting_net",
    "learning_rate",
    "loss",
    "training",
)

# MatPL's or DeePMD-kit's own name (lower case) in each section -> place in DeePMD-kit's input
_DESCRIPTOR_KEYS = {
    "rmax": "rcut",
    "rmin": "rcut_smth",
    "m2": "axis_neuron",
    "network_size": "neuron",
    "sel": "sel",
    "resnet_dt": "resnet_dt",
    "activation_function": "activation_function",
    "type_one_side": "type_one_side",
    "tebd_dim": "tebd_dim",
}
_FITTING_KEYS = {
    "network_size": "neuron",
    "resnet_dt": "resnet_dt",
    "activation_function": "activation_function",
}
_OPTIMIZER_KEYS = {
    "learning_rate": (RATE, "start_lr"),
    "stop_lr": (RATE, "stop_lr"),
    "decay_step": (RATE, "decay_steps"),
    "start_pre_fac_etot": (LOSS, "start_pref_e"),
    "end_pre_fac_etot": (LOSS, "limit_pref_e"),
    "start_pre_fac_force": (LOSS, "start_pref_f"),
    "end_pre_fac_force": (LOSS, "limit_pref_f"),
    "start_pre_fac_virial": (LOSS, "start_pref_v"),
    "end_pre_fac_virial": (LOSS, "limit_pref_v"),
    "numb_steps": (TRAINING, "numb_steps"),
    "print_freq": (TRAINING, "disp_freq"),
    "batch_size": (TRAINING, "batch_size"),
}
_FLAGS = {"train_energy": "e", "train_force": "f", "train_virial": "v"}
_TOP_KEYS = {"save_step": "save_freq", "max_save_num": "max_ckpt_keep"}
# known to MatPL, without a counterpart: named in a warning
_WITHOUT_EFFECT = frozenset(
    (
        "block_size",
        "kalman_lambda",
        "kalman_nue",
        "p0_weight",
        "pre_fac_force",
        "pre_fac_etot",
        "pre_fac_virial",
        "pre_fac_ei",
        "pre_fac_egroup",
        "train_ei",
        "train_egroup",
        "start_pre_fac_ei",
        "start_pre_fac_egroup",
        "end_pre_fac_ei",
        "end_pre_fac_egroup",
        "lambda_2",
        "max_norm",
        "norm_type",
        "clip_value",
        "t_0",
        "t_mult",
        "stop_step",
        "reset_epoch",
        "start_epoch",
        "nselect",
        "groupsize",
        "data_shuffle",
        "valid_shuffle",
        "train_valid_ratio",
        "recover_train",
        "model_load_file",
        "nep_txt_file",
        "fix_cij",
        "fix_hiddenlayer",
        "fix_outlayer",
        "train_2b",
        "batch_max_types",
        "feature_type",
        "physical_property",
        "seed",
        "format",
    )
)
_LOSS_DEFAULTS = {
    "start_pref_e": 0.02,
    "limit_pref_e": 1.0,
    "start_pref_f": 1000.0,
    "limit_pref_f": 1.0,
    "start_pref_v": 0.02,
    "limit_pref_v": 1.0,
}


class Translation:
    """One set of training keys in DeePMD-kit's words.

    Parameters
    ----------
    settings
        The section ``train`` of the user in MatPL's layout.
    types
        Element symbols in the order of the types.
    file
        The user's file, for messages.

    Attributes
    ----------
    input
        DeePMD-kit's input, without data, seeds and numbers of steps that depend on the data.
    epochs
        Passes over the data, where no numb_steps is given.
    warnings
        What cannot be honoured and is left out.

    Raises
    ------
    InputError
        A key is unknown or its value has no counterpart.
    """

    def __init__(self, settings: Mapping[str, Any], types: tuple[str, ...], file: Path) -> None:
        self.file = file
        self.types = types
        self.warnings: list[str] = []
        self.epochs = 30
        self.neighbours = 100
        self.embedded = False
        self.precision = ""
        self._disabled: set[str] = set()
        self.sections: dict[str, dict[str, Any]] = {
            DESCRIPTOR: {"rcut": 6.0, "rcut_smth": 0.5, "neuron": [25, 25, 25], "axis_neuron": 16},
            FITTING: {"neuron": [50, 50, 50]},
            RATE: {"type": "exp", "start_lr": 0.001, "stop_lr": 3.51e-8, "decay_steps": 5000},
            LOSS: {"type": "ener", **_LOSS_DEFAULTS},
            TRAINING: {"batch_size": 1},
        }
        self._read(settings)
        self.input = self._finish()

    def _read(self, settings: Mapping[str, Any]) -> None:
        for path, name, value in _flat(settings):
            section = path.rpartition(".")[2]
            reader = {
                "descriptor": self._descriptor,
                "type_embedding": self._embedding,
                "fitting_net": self._fitting,
                "optimizer": self._optimizer,
            }.get(section, self._top)
            reader(name.lower(), value, f"train.{path}.{name}".replace("..", "."))

    def _descriptor(self, name: str, value: Any, key: str) -> None:
        if name == "type_embedding":
            self.embedded = bool(value)
        else:
            self._take(_DESCRIPTOR_KEYS, DESCRIPTOR, name, value, key)

    def _embedding(self, name: str, value: Any, key: str) -> None:
        self.embedded = True
        if name == "network_size":
            self.sections[DESCRIPTOR]["tebd_dim"] = int(_numbers(value)[-1])
        else:
            self._strange(name, key, ["network_size", "physical_property"])

    def _fitting(self, name: str, value: Any, key: str) -> None:
        if name == "network_size":
            sizes = _numbers(value)
            value = sizes[:-1] if len(sizes) > 1 and sizes[-1] == 1 else sizes
        self._take(_FITTING_KEYS, FITTING, name, value, key)

    def _optimizer(self, name: str, value: Any, key: str) -> None:
        if name == "optimizer":
            if str(value).upper() != "ADAM":
                self._refuse(key, f"found {value!r}; DeePMD-kit's TensorFlow backend knows ADAM")
        elif name == "epochs":
            self.epochs = int(value)
        elif name in _FLAGS:
            if not value:
                self._disabled.add(_FLAGS[name])
        elif name in _OPTIMIZER_KEYS:
            section, word = _OPTIMIZER_KEYS[name]
            self.sections[section][word] = value
        else:
            self._strange(name, key, ["optimizer", "epochs", *_FLAGS, *_OPTIMIZER_KEYS])

    def _top(self, name: str, value: Any, key: str) -> None:
        if name == "max_neigh_num":
            self.neighbours = int(value)
        elif name == "type_embedding":
            self.embedded = bool(value)
        elif name == "precision":
            self.precision = str(value)
        elif name in _TOP_KEYS:
            self.sections[TRAINING][_TOP_KEYS[name]] = value
        else:
            known = ["max_neigh_num", "type_embedding", "precision", "model", "optimizer"]
            self._strange(name, key, [*known, *_TOP_KEYS])

    def _take(self, table: dict[str, str], section: str, name: str, value: Any, key: str) -> None:
        if name in table:
            self.sections[section][table[name]] = value
        else:
            self._strange(name, key, list(table))

    def _strange(self, name: str, key: str, known: list[str]) -> None:
        if name in _WITHOUT_EFFECT:
            self.warnings.append(f"{key} has no counterpart in DeePMD-kit and is not used")
            return
        near = nearest(name, known)
        hint = f"; did you mean {near}?" if near else f"; allowed: {', '.join(sorted(known))}"
        self._refuse(key, f"unknown key of the engine deepmd{hint}")

    def _refuse(self, key: str, message: str) -> None:
        raise InputError(message, self.file, key)

    def _finish(self) -> dict[str, Any]:
        descriptor, fitting = self.sections[DESCRIPTOR], self.sections[FITTING]
        for letter in self._disabled:
            self.sections[LOSS][f"start_pref_{letter}"] = 0.0
            self.sections[LOSS][f"limit_pref_{letter}"] = 0.0
        model: dict[str, Any] = {"type_map": list(self.types)}
        dimension = descriptor.pop("tebd_dim", 8)
        if self.embedded:
            descriptor.update(
                type="se_atten", attn_layer=0, tebd_input_mode="strip", tebd_dim=dimension
            )
            descriptor.setdefault("sel", self.neighbours)
            # without this section the embedding of se_atten takes no seed
            model["type_embedding"] = {"neuron": [dimension], "resnet_dt": False}
        else:
            descriptor["type"] = "se_e2_a"
            descriptor.setdefault("sel", [self.neighbours] * len(self.types))
        if self.precision:
            descriptor["precision"] = fitting["precision"] = self.precision
        model.update(descriptor=descriptor, fitting_net=fitting)
        return {"model": model, **{name: self.sections[name] for name in (RATE, LOSS, TRAINING)}}


def check_compressible(descriptor: Mapping[str, Any], file: Path, key: str) -> None:
    """Raise InputError for a descriptor that ``dp compress`` refuses.

    se_e2_a takes any network; se_atten needs attn_layer 0, tebd_input_mode strip, and layers that
    double (seen with DeePMD-kit 3.2.0).
    """
    if descriptor.get("type") == "se_e2_a":
        return
    if descriptor.get("attn_layer", 0) != 0:
        raise InputError("dp compress needs attn_layer 0", file, key)
    sizes = list(descriptor.get("neuron", []))
    if any(wide != 2 * narrow for narrow, wide in zip(sizes, sizes[1:])):
        doubled = [sizes[0] * 2**power for power in range(len(sizes))]
        raise InputError(
            f"found layers {sizes}; with type embedding dp compress needs layers that double,"
            f" such as {doubled}",
            file,
            key,
        )


def _flat(settings: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str, Any]]:
    """Section, name and value of every leaf; comments left out."""
    for name, value in settings.items():
        if name.startswith("_"):
            continue
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}.{name.lower()}".lstrip("."))
            if name.lower() == "type_embedding" and value:
                yield path, name, True
        else:
            yield path, name, value


def _numbers(value: Any) -> list[int]:
    return [int(item) for item in value] if isinstance(value, (list, tuple)) else [int(value)]
