"""From the training keys of MatPL to the input of DeePMD-kit.

Every key of the user is either translated, or refused, or named in a warning; none is lost in
silence. `Rmax` and `Rmin` become rcut and rcut_smth, `M2` axis_neuron, `network_size` neuron; the
prefactors of the loss keep their meaning (both programs scale them with the learning rate).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Optional

from pwact.config.kinds import Choice, Flag, Section, Text, Whole
from pwact.config.schema import Context, Kind, Node, keys_by_name, nearest
from pwact.config.train_keys import DEEPMD, MATPL
from pwact.errors import InputError

DESCRIPTOR, FITTING, RATE, LOSS, TRAINING = (
    "model.descriptor",
    "model.fitting_net",
    "learning_rate",
    "loss",
    "training",
)
_NAMES = {section: keys_by_name(keys) for section, keys in DEEPMD.items()}


@dataclass(frozen=True)
class Place:
    """Where a key of MatPL, or DeePMD-kit's own name of it, stands in DeePMD-kit's input.

    Attributes
    ----------
    kind
        What it holds, where that is narrower than it is declared in `pwact.config.train_keys`.
    """

    section: str
    word: str
    kind: Optional[Kind] = None


# names in lower case
_Table = Mapping[str, Place]
_DESCRIPTOR_KEYS: _Table = {
    "rmax": Place(DESCRIPTOR, "rcut"),
    "rmin": Place(DESCRIPTOR, "rcut_smth"),
    "m2": Place(DESCRIPTOR, "axis_neuron"),
    "network_size": Place(DESCRIPTOR, "neuron"),
    "sel": Place(DESCRIPTOR, "sel"),
    "resnet_dt": Place(DESCRIPTOR, "resnet_dt"),
    "activation_function": Place(DESCRIPTOR, "activation_function"),
    "type_one_side": Place(DESCRIPTOR, "type_one_side"),
}
_FITTING_KEYS: _Table = {
    "network_size": Place(FITTING, "neuron"),
    "resnet_dt": Place(FITTING, "resnet_dt"),
    "activation_function": Place(FITTING, "activation_function"),
}
_OPTIMIZER_KEYS: _Table = {
    "learning_rate": Place(RATE, "start_lr"),
    "stop_lr": Place(RATE, "stop_lr"),
    "decay_step": Place(RATE, "decay_steps"),
    "start_pre_fac_etot": Place(LOSS, "start_pref_e"),
    "end_pre_fac_etot": Place(LOSS, "limit_pref_e"),
    "start_pre_fac_force": Place(LOSS, "start_pref_f"),
    "end_pre_fac_force": Place(LOSS, "limit_pref_f"),
    "start_pre_fac_virial": Place(LOSS, "start_pref_v"),
    "end_pre_fac_virial": Place(LOSS, "limit_pref_v"),
    "numb_steps": Place(TRAINING, "numb_steps"),
    "print_freq": Place(TRAINING, "disp_freq"),
    "batch_size": Place(TRAINING, "batch_size"),
}
_TOP_KEYS: _Table = {
    "save_step": Place(TRAINING, "save_freq"),
    "max_save_num": Place(TRAINING, "max_ckpt_keep"),
}
_OPTIMIZER_WORDS = ("optimizer", "epochs", "train_energy", "train_force", "train_virial")
_TOP_WORDS = ("max_neigh_num", "type_embedding", "precision")
_EMBEDDING_WORDS = ("network_size", "tebd_dim")
_KINDS: Mapping[str, Kind] = {  # of words that DeePMD-kit takes in another way than MatPL
    "optimizer": Text(),
    "precision": Choice(("float64", "float32", "default")),
    "tebd_dim": Whole(1),
    "type_embedding": Flag(),
}
_OWN_SECTIONS = {
    "model.descriptor": [*_DESCRIPTOR_KEYS],
    "model.fitting_net": [*_FITTING_KEYS],
    "optimizer": [*_OPTIMIZER_KEYS, *_OPTIMIZER_WORDS],
}


def _without_counterpart() -> frozenset[str]:
    """Keys of MatPL that have no place here: a warning names them.

    Those of a descriptor are another model's, and stay unknown.
    """
    ours = {*_TOP_KEYS, *_TOP_WORDS, *_EMBEDDING_WORDS, *chain(*_OWN_SECTIONS.values())}
    sections = (keys for section, keys in MATPL.items() if section != DESCRIPTOR)
    names = (key.name.lower() for key in chain(*sections) if not isinstance(key.kind, Section))
    return frozenset(names) - ours


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

    Virials are trained on where the data have them, unless `train_virial` is false.

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

    optimizers: tuple[str, ...] = ("ADAM",)
    places: Mapping[str, _Table] = {
        "": _TOP_KEYS,
        "model.descriptor": _DESCRIPTOR_KEYS,
        "model.fitting_net": _FITTING_KEYS,
        "optimizer": _OPTIMIZER_KEYS,
    }
    ignored: frozenset[str] = _without_counterpart()

    def __init__(self, settings: Mapping[str, Any], types: tuple[str, ...], file: Path) -> None:
        self.types = types
        self.warnings: list[str] = []
        self.epochs = 30
        self.neighbours = 100
        self.embedded = False
        self.embedding_size = 8
        self.precision = ""
        self._context = Context(file, file.parent)
        self._keys: dict[str, str] = {}
        self._untrained: set[str] = set()
        self.sections = self._sections()
        for node in _leaves(Node(dict(settings), "train", self._context)):
            self._take(node)
        self._check()
        self.input = self._finish()

    def _sections(self) -> dict[str, dict[str, Any]]:
        """What holds where the user says nothing."""
        return {
            DESCRIPTOR: {"rcut": 6.0, "rcut_smth": 0.5, "neuron": [25, 25, 25], "axis_neuron": 16},
            FITTING: {"neuron": [50, 50, 50]},
            RATE: {"type": "exp", "start_lr": 0.001, "stop_lr": 3.51e-8, "decay_steps": 5000},
            LOSS: {"type": "ener", **_LOSS_DEFAULTS},
            TRAINING: {"batch_size": 1},
        }

    def _take(self, node: Node) -> None:
        section, _, name = node.key.lower().rpartition(".")
        section = section.partition(".")[2]
        tables: dict[str, tuple[_Table, tuple[str, ...]]] = {
            "": (self.places[""], _TOP_WORDS),
            "model": ({}, ("type_embedding",)),
            "model.descriptor": (
                self.places["model.descriptor"],
                (*_EMBEDDING_WORDS, "type_embedding"),
            ),
            "model.fitting_net": (self.places["model.fitting_net"], ()),
            "optimizer": (self.places["optimizer"], _OPTIMIZER_WORDS),
            "type_embedding": ({}, _EMBEDDING_WORDS),
            "model.type_embedding": ({}, _EMBEDDING_WORDS),
            "model.descriptor.type_embedding": ({}, _EMBEDDING_WORDS),
        }
        if section not in tables:
            known = ", ".join(("model", *_OWN_SECTIONS))
            raise node.error(f"the engine deepmd has no section {section}; it has {known}")
        table, words = tables[section]
        if name in table:
            place = table[name]
            value = (place.kind or _NAMES[section][name].kind).convert(node)
            made = list(value) if isinstance(value, tuple) else value
            self.sections[place.section][place.word] = made
            self._keys[f"{place.section}.{place.word}"] = node.key
        elif name in words:
            kind = _KINDS[name] if name in _KINDS else _NAMES[section][name].kind
            self._take_word(name, node, kind.convert(node))
        elif name in self.ignored:
            self.warnings.append(f"{node.key} has no counterpart in DeePMD-kit and is not used")
        else:
            raise node.error(_unknown(name, section, [*table, *words]))

    def _take_word(self, name: str, node: Node, value: Any) -> None:
        if name == "type_embedding":
            self.embedded = value
        elif name in _EMBEDDING_WORDS:
            self.embedding_size = value if isinstance(value, int) else value[-1]
        elif name == "optimizer" and value.upper() not in self.optimizers:
            raise node.error(f"found {value!r}; this engine trains by {self.optimizers[0]} only")
        elif name.startswith("train_") and not value:
            self._untrained.add(name[len("train_")])
        elif name == "epochs":
            self.epochs = value
        elif name == "max_neigh_num":
            self.neighbours = value
        elif name == "precision":
            self.precision = value

    def _check(self) -> None:
        descriptor, fitting = self.sections[DESCRIPTOR], self.sections[FITTING]
        if len(fitting["neuron"]) > 1 and fitting["neuron"][-1] == 1:
            del fitting["neuron"][-1]  # MatPL counts the output as a layer
        if descriptor["rcut_smth"] >= descriptor["rcut"]:
            self._refuse("rcut_smth", f"must be less than Rmax, {descriptor['rcut']:g}")
        widest = descriptor["neuron"][-1]
        if descriptor["axis_neuron"] > widest:
            self._refuse("axis_neuron", f"must not exceed the last of network_size, {widest}")
        rate = self.sections[RATE]
        if rate["stop_lr"] > rate["start_lr"]:
            message = f"found {rate['start_lr']:g}; must not be less than stop_lr"
            self._refuse("start_lr", message, RATE)
        if self._untrained >= {"e", "f"}:
            raise InputError(
                "train_energy and train_force cannot both be false",
                self._context.file,
                "train.optimizer",
            )

    def _refuse(self, word: str, message: str, section: str = DESCRIPTOR) -> None:
        key = self._keys.get(f"{section}.{word}", "train.model.descriptor")
        raise InputError(message, self._context.file, key)

    def _sel(self) -> Any:
        """Numbers of neighbours: one for each type, or one in all with type embedding."""
        given = self.sections[DESCRIPTOR].get("sel")
        if given is None:
            return self.neighbours if self.embedded else [self.neighbours] * len(self.types)
        automatic = isinstance(given, str) and given.partition(":")[0] == "auto"
        numbers = given if isinstance(given, list) else [given]
        whole = all(isinstance(one, int) and one > 0 for one in numbers)
        length = 1 if self.embedded else len(self.types)
        if not automatic and (not whole or len(numbers) != length):
            self._refuse("sel", f"found {given!r}; expected 'auto' or {length} integer(s) > 0")
        return given if automatic or not self.embedded else numbers[0]

    def _finish(self) -> dict[str, Any]:
        descriptor, fitting = self.sections[DESCRIPTOR], self.sections[FITTING]
        for letter in sorted(self._untrained):
            self.sections[LOSS][f"start_pref_{letter}"] = 0.0
            self.sections[LOSS][f"limit_pref_{letter}"] = 0.0
        model: dict[str, Any] = {"type_map": list(self.types)}
        descriptor["sel"] = self._sel()
        if self.embedded:
            descriptor.update(type="se_atten", attn_layer=0, tebd_input_mode="strip")
            # without this section the embedding of se_atten takes no seed
            model["type_embedding"] = {"neuron": [self.embedding_size], "resnet_dt": False}
        else:
            descriptor["type"] = "se_e2_a"
        if self.precision:
            descriptor["precision"] = fitting["precision"] = self.precision
        model.update(descriptor=descriptor, fitting_net=fitting)
        return {"model": model, **{name: self.sections[name] for name in (RATE, LOSS, TRAINING)}}


def check_compressible(document: Mapping[str, Any], file: Path, key: str) -> None:
    """Raise InputError for an input whose model ``dp compress`` is known to refuse.

    se_e2_a takes any network but no type embedding; se_atten needs attn_layer 0,
    tebd_input_mode strip, and layers that double (seen with DeePMD-kit 3.2.0).

    Parameters
    ----------
    document
        DeePMD-kit's input.
    key
        Where the user wrote the descriptor, for the message.
    """
    if "numb_epoch" in document.get("training", {}):
        message = "dp compress cannot count epochs; give numb_steps instead"
        raise InputError(message, file, "training.numb_epoch")
    model = document["model"]
    descriptor = model.get("descriptor", {})
    kind = descriptor.get("type")
    if kind in ("se_e2_a", "se_a") and model.get("type_embedding"):
        message = f"dp compress refuses {kind} with type_embedding; se_a_ebd_v2 does the same"
        raise InputError(message, file, key)
    if kind not in ("se_atten", "se_atten_v2", "dpa1"):
        return
    if descriptor.get("attn_layer", 2) != 0:
        raise InputError("dp compress needs attn_layer 0", file, key)
    stripped = descriptor.get("tebd_input_mode") == "strip" or descriptor.get(
        "stripped_type_embedding"
    )
    if kind != "se_atten_v2" and not stripped:
        raise InputError("dp compress needs tebd_input_mode strip", file, key)
    sizes = list(descriptor.get("neuron", [10, 20, 40]))
    if any(wide != 2 * narrow for narrow, wide in zip(sizes, sizes[1:])):
        doubled = [sizes[0] * 2**power for power in range(len(sizes))]
        raise InputError(
            f"found layers {sizes}; with type embedding dp compress needs layers that double,"
            f" such as {doubled}",
            file,
            key,
        )


def _unknown(name: str, section: str, known: Sequence[str]) -> str:
    near = nearest(name, known)
    homes = [home for home, names in _OWN_SECTIONS.items() if name in names]
    if near:
        return f"unknown key of the engine deepmd; did you mean {near}?"
    if homes and section != homes[0]:
        return f"unknown key here; it belongs in {homes[0]}"
    return f"unknown key of the engine deepmd; allowed: {', '.join(sorted(known))}"


def _leaves(node: Node) -> Iterator[Node]:
    """Every value that is no object; comments and nulls left out."""
    for name, member in node.members().items():
        if isinstance(member.value, Mapping):
            if name == "type_embedding" and member.members():
                yield Node(True, member.key, member.context)
            yield from _leaves(member)
        else:
            yield member
