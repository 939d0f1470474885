"""Keys of TorchNEP, in the words of its input ``nep.in``; and such a file of the user, read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pwact.config.document import JsonObject, read_text, shown
from pwact.config.kinds import Choice, Flag, Items, Real, Whole
from pwact.config.schema import Key, nearest
from pwact.errors import InputError

_COUNT = Whole(1)
_WEIGHT = Real(0.0)
_RATE = Real(high=1.0, positive=True)
_FACTOR = Real(high=1.0, positive=True)
TYPE = "type"
VERSION = "version"
NOT_IN_FILE = ("precision", "bootstrap")  # said to TorchNEP itself
KEYS: tuple[Key, ...] = (
    Key(
        "cutoff",
        Items(Real(high=100.0, positive=True), 2),
        [5.0, 4.0],
        "Radial and angular cutoff; or these two of each element, one after the other.",
        "Å",
    ),
    Key("n_max", Items(Whole(0, 12), 2, 2), [4, 4], "Radial functions: radial, angular."),
    Key("basis_size", Items(Whole(0, 16), 2, 2), [6, 6], "Size of their basis, likewise."),
    Key("l_max", Items(Whole(0, 8), 1, 7), [4, 2, 0], "Angular orders: 3-body, 4-body, 5-body."),
    Key("neuron", Whole(1, 120), 30, "Neurons of the hidden layer."),
    Key("zbl", Real(1.0, 3.0), help="Outer cutoff of the ZBL repulsion, if wanted.", unit="Å"),
    Key("use_typewise_cutoff_zbl", Real(0.5, 10.0), help="Cutoff of ZBL by covalent radii."),
    Key("epoch", _COUNT, 100, "Passes over the data."),
    Key("batch", _COUNT, 2, "Frames in a batch."),
    Key("lr", _RATE, 0.01, "Learning rate at the start."),
    Key("lr_scheduler", Choice(("step", "plateau")), "step", "How it falls."),
    Key(
        "scheduler_patience",
        _COUNT,
        help="step: epochs between two falls; plateau: epochs without progress before one.",
        default_words="a tenth of `epoch`",
    ),
    Key("scheduler_factor", _FACTOR, 0.7, "By which it falls."),
    Key("stop_lr", _RATE, 1e-6, "Below which it never falls."),
    Key("lambda_e", _WEIGHT, 1.0, "Weight of energies per atom in the loss."),
    Key("lambda_f", _WEIGHT, 1.0, "Weight of forces."),
    Key("lambda_v", _WEIGHT, 0.1, "Weight of virials per atom, where the data have them."),
    Key("weight_decay", _WEIGHT, 1e-4, "Decay of the weights (AdamW)."),
    Key("max_grad_norm", _WEIGHT, 10.0, "Largest norm of the gradient; 0: no limit."),
    Key("early_stop", Whole(0), 0, "Epochs without progress after which it ends; 0: never."),
    Key("stage2", Whole(0, 1), 0, "1: a second stage, with the keys that follow."),
    Key("start_stage2", _COUNT, help="Its first epoch.", default_words="half of `epoch`"),
    Key("stage2_lr", _RATE, help="Its learning rate at the start.", default_words="0.001"),
    Key("stage2_lambda_e", _WEIGHT, help="Its weight of energies.", default_words="1"),
    Key("stage2_lambda_f", _WEIGHT, help="Its weight of forces.", default_words="0.05"),
    Key("stage2_lambda_v", _WEIGHT, help="Its weight of virials.", default_words="0.1"),
    Key("stage2_scheduler_patience", _COUNT, help="As scheduler_patience, which is the default."),
    Key("stage2_scheduler_factor", _FACTOR, help="As scheduler_factor, which is the default."),
    Key("precision", Choice(("float32", "float64")), "float32", "Of the numbers in training."),
    Key(
        "bootstrap",
        Flag(),
        help="Draw the frames of each model with repetition, so that a committee differs.",
        default_words="true with train.foundation and several models to train",
    ),
)
WORDS = (TYPE, VERSION, *(key.name for key in KEYS if key.name not in NOT_IN_FILE))
# what TorchNEP 1.0.7 takes for a word that its input does not hold
OF_TORCHNEP = {
    "cutoff": [8.0, 4.0],
    "n_max": [6, 6],
    "basis_size": [6, 6],
    "l_max": [4, 1, 0],
    "neuron": 30,
    "epoch": 600,
    "batch": 32,
    "lr": 0.01,
    "lr_scheduler": "plateau",
    "scheduler_patience": 15,
    "scheduler_factor": 0.7,
    "stop_lr": 1e-6,
    "lambda_e": 0.01,
    "lambda_f": 1.0,
    "lambda_v": 0.01,
    "weight_decay": 1e-4,
    "max_grad_norm": 10.0,
    "early_stop": 0,
    "stage2": 0,
}
_OF_GPUMD = (
    "lambda_1",
    "lambda_2",
    "population",
    "generation",
    "prediction",
    "model_type",
)


def read_nep_in(file: Path) -> JsonObject:
    """The words of a ``nep.in`` as keys, with TorchNEP's own defaults filled in.

    ``type`` becomes ``atom_type``, so that the file replaces the section ``train`` as a JSON file
    does.

    Raises
    ------
    InputError
        The file cannot be read, or a line is none that TorchNEP knows; with its number.
    """
    made = JsonObject(OF_TORCHNEP)
    seen: set[str] = set()
    for number, word, values in _lines(file):
        problem = _problem(word, values, seen)
        if problem:
            raise InputError(f"line {number}: {problem}", file, word)
        seen.add(word)
        if word == TYPE:
            made["atom_type"] = values[1:]
        elif word != VERSION:
            made[word] = [_number(one) for one in values] if len(values) > 1 else _number(values[0])
    return made


def _lines(file: Path) -> Iterator[tuple[int, str, list[str]]]:
    """Number, first word and the others of each line that is not blank."""
    for number, line in enumerate(read_text(file).splitlines(), start=1):
        words = line.partition("#")[0].split()
        if words:
            yield number, words[0].lower(), words[1:]


def _problem(word: str, values: Sequence[str], seen: set[str]) -> str:
    """What is wrong with a line; "" if nothing is."""
    if word not in WORDS:
        near = nearest(word, WORDS)
        more = f"; did you mean {near}?" if near else ""
        more = "; it is one of GPUMD's" if word in _OF_GPUMD else more
        return f"TorchNEP knows no such word{more}"
    if word in seen:
        return "the word is there twice"
    if not values:
        return "a value is missing"
    if word == VERSION and list(values) != ["4"]:
        return f"found {shown(' '.join(values))}; TorchNEP has NEP4 only"
    if word == TYPE and (not values[0].isdigit() or int(values[0]) != len(values) - 1):
        return f"found {shown(' '.join(values))}; expected the number of elements, and the elements"
    return ""


def _number(word: str) -> Any:
    """An integer or a real number; any other word stays as it is."""
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word


def is_json(file: Path) -> bool:
    """Whether a file is meant for JSON, by how it begins."""
    return read_text(file).lstrip().startswith("{")
