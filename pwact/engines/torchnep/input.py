"""The input of a training of TorchNEP: ``nep.in``, and what the worker needs besides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pwact.config.nep_in import NOT_IN_FILE
from pwact.formats.nep_txt import NepModel, orders

INPUT = "nep.in"
MODEL = "nep.txt"
CURVE = "loss.out"
OWN_LOG = "output.log"
CHECKPOINT = "checkpoint.pt"

_SMALLEST_ANGULAR = 3.0  # Å; TorchNEP allows no less
_ORDER_OF_TERM = {4: 3, 5: 3, 6: 4}  # field of l_max → three-body order that its term needs


def settings_of(keys: Mapping[str, Any]) -> dict[str, Any]:
    """All settings in the words of ``nep.in``, those without a value left out."""
    made = {**keys, "scheduler_patience": keys["scheduler_patience"] or max(1, keys["epoch"] // 10)}
    return {key: value for key, value in made.items() if value is not None}


def errors(settings: Mapping[str, Any], types: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Key and what is wrong with it: what TorchNEP would stop at, or take without a word."""
    cutoff = settings["cutoff"]
    if len(cutoff) not in (2, 2 * len(types)):
        yield "cutoff", f"found {len(cutoff)} numbers; expected 2, or 2 for each of {len(types)}"
        return
    radial, angular = cutoff[::2], cutoff[1::2]
    if min(angular) < _SMALLEST_ANGULAR:
        yield "cutoff", f"found {min(angular):g} Å; the angular one is at least 3 Å"
    if any(outer < inner for outer, inner in zip(radial, angular)):
        yield "cutoff", "the radial one comes first, and is not smaller than the angular one"
    given = settings["l_max"]
    if not given[0]:
        yield "l_max", "found 0 as its first number; expected at least 1"
    for field, needed in _ORDER_OF_TERM.items():
        if len(given) > field and given[field] and given[0] < needed:
            yield "l_max", f"its number {field + 1} needs at least {needed} as the first one"
    if "use_typewise_cutoff_zbl" in settings and "zbl" not in settings:
        yield "use_typewise_cutoff_zbl", "it counts only with zbl, which is not given"
    if settings.get("start_stage2", 1) > settings["epoch"]:
        yield "start_stage2", f"found {settings['start_stage2']}; epoch is {settings['epoch']}"
    for key in settings:
        if "stage2_" in key and not settings["stage2"]:
            yield key, "it counts only with stage2, which is 0"


def nep_in(settings: Mapping[str, Any], types: Sequence[str]) -> str:
    """The text of ``nep.in``."""
    lines = [f"type {len(types)} {' '.join(types)}", "version 4"]
    for key, value in settings.items():
        if key not in NOT_IN_FILE:
            words = value if isinstance(value, list) else [value]
            lines.append(f"{key} {' '.join(map(str, words))}")
    return "\n".join(lines) + "\n"


def differences(
    model: NepModel, settings: Mapping[str, Any], types: Sequence[str]
) -> Iterator[str]:
    """What of a model is another than these settings make.

    TorchNEP reads the numbers of any model, as if they belonged to its input.
    """
    zbl = settings.get("zbl")
    pairs = {
        "version": (model.version, "nep4"),
        "type": (model.types, tuple(types)),
        "zbl": (model.zbl[1:2], () if zbl is None else (zbl,)),
        "cutoff": (model.cutoff, tuple(settings["cutoff"])),
        "n_max": (model.n_max, tuple(settings["n_max"])),
        "basis_size": (model.basis_size, tuple(settings["basis_size"])),
        "l_max": (model.l_max, orders(settings["l_max"])),
        "neuron": (model.neuron, settings["neuron"]),
    }
    for word, (found, asked) in pairs.items():
        if found != asked:
            yield f"its {word} is {_shown(found)}, not {_shown(asked)}"
    if len(model.numbers) < model.asked:
        yield f"it has {len(model.numbers)} of {model.asked} numbers"


def _shown(value: Any) -> str:
    words = value if isinstance(value, tuple) else (value,)
    return " ".join(f"{one:g}" if isinstance(one, float) else str(one) for one in words) or "none"


def checkpoint_interval(settings: Mapping[str, Any]) -> int:
    """Epochs between two checkpoints: ten in all; the last alone where it may end early.

    TorchNEP forgets with a checkpoint how long it has waited for progress.
    """
    epochs: int = settings["epoch"]
    return epochs if settings["early_stop"] else max(1, epochs // 10)
