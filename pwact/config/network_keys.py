"""Keys of the trainers of neural networks that can begin with a pretrained one.

Those of one name mean the same for all of them; each trainer puts them into its program's words.
"""

from __future__ import annotations

import re
from pathlib import Path

from pwact.config.document import JsonObject, read_text
from pwact.config.kinds import Choice, Flag, Real, Text, Whole
from pwact.config.schema import Key
from pwact.errors import InputError

_COUNT = Whole(1)
_YAML_KEY = re.compile(r"^\s*[A-Za-z_]\w*\s*:", re.MULTILINE)


def read_yaml(file: Path) -> JsonObject:
    """No keys of ours: the Python of the library reads such a file (YAML), since ours may not.

    Raises
    ------
    InputError
        It has no line ``key: value``, so it is none.
    """
    if not _YAML_KEY.search(read_text(file)):
        message = (
            "found no key; allowed: an input of the program (YAML), or JSON with keys of train"
        )
        raise InputError(message, file)
    return JsonObject()


_WEIGHT = Real(0.0)
BEGUN = "with a model to begin with"


def _both(begun: object, nothing: object) -> str:
    """Words of a default that depends on whether a training has a model to begin with."""
    return f"{begun}; {nothing} from nothing"


def _shared(epochs: str, rate: str, batch: int) -> tuple[Key, ...]:
    return (
        Key("epochs", _COUNT, help="Passes over the data.", default_words=epochs),
        Key("learning_rate", Real(positive=True), help="At the start.", default_words=rate),
        Key("rate_fall", Real(high=1.0, positive=True), 0.1, "The last rate by the first."),
        Key("batch_size", _COUNT, batch, "Frames in a batch."),
        Key(
            "refit_references",
            Flag(),
            True,
            f"Fit the reference energies of the elements to the labels, {BEGUN}.",
        ),
        Key(
            "bootstrap",
            Flag(),
            help="Draw the frames of each model with repetition, so that a committee differs.",
            default_words=f"true {BEGUN} and several to train",
        ),
    )


SEVENNET_DEFAULTS = {"epochs": (10, 100), "learning_rate": (0.001, 0.005)}
SEVENNET = (
    *_shared(_both(*SEVENNET_DEFAULTS["epochs"]), _both(*SEVENNET_DEFAULTS["learning_rate"]), 1),
    Key("force_weight", _WEIGHT, 1.0, "Weight of forces in the loss; that of energies is 1."),
    Key("stress_weight", _WEIGHT, 0.01, "Weight of stresses (kbar), where the data have them."),
    Key(
        "freeze",
        Whole(0, 10),
        help="Layers of messages that are not trained, from the first on, nor the embeddings; 0 "
        "the embeddings alone.",
    ),
    Key("modal", Text(one_line=True), help="Task of a multi-task model that is trained and used."),
    Key("cutoff", Real(high=20.0, positive=True), 5.0, "Cutoff, from nothing.", "Å"),
    Key("channel", _COUNT, 16, "Channels of the features, from nothing."),
    Key("lmax", Whole(0, 6), 1, "Largest order of the features, from nothing."),
    Key("num_convolution_layer", Whole(1, 10), 2, "Layers of messages, from nothing."),
)
MACE_DEFAULTS = {"epochs": (30, 200), "learning_rate": (0.003, 0.01)}
MACE = (
    *_shared(_both(*MACE_DEFAULTS["epochs"]), _both(*MACE_DEFAULTS["learning_rate"]), 2),
    Key("energy_weight", _WEIGHT, 1.0, "Weight of energies in the loss."),
    Key("force_weight", _WEIGHT, 10.0, "Weight of forces in the loss."),
    Key("stress_weight", _WEIGHT, 10.0, "Weight of stresses, where all data have them."),
    Key(
        "freeze",
        Whole(1, 6),
        help="What is not trained: 1 the embeddings, 5 the interactions too, 6 the products too.",
    ),
    Key("dtype", Choice(("float32", "float64")), "float64", "Precision of the training."),
    Key("head", Text(one_line=True), help="Head of a model with several that is trained on."),
    Key("cutoff", Real(high=20.0, positive=True), 5.0, "Cutoff, from nothing.", "Å"),
    Key("num_channels", _COUNT, 16, "Channels of the messages, from nothing."),
    Key("max_L", Whole(0, 4), 0, "Largest order of the messages, from nothing."),
    Key("num_interactions", Whole(1, 10), 2, "Layers of messages, from nothing."),
)
