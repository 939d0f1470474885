"""The input file of one DeePMD-kit training: the user's own, seeds, data and lengths."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

import numpy as np

from pwact.config.document import plain, read_document
from pwact.engines.links import relative_paths
from pwact.errors import InputError

logger = logging.getLogger(__name__)

CURVE = "lcurve.out"
_LENGTHS = {
    "numb_steps": ("stop_batch", "num_step", "num_steps", "numb_step"),
    "numb_epoch": ("num_epoch", "num_epochs", "numb_epochs"),
}
DISP_FREQ = 1000  # where an input has none
ATOMS_AT_ONCE = 20_000  # validation data of more atoms would need too much memory in one batch


def read_native(file: Path, types: Sequence[str]) -> Optional[dict[str, Any]]:
    """The user's own DeePMD-kit input; None if the file is not one.

    Raises
    ------
    InputError
        It is one, but cannot be used with our data and seeds.
    """
    document: dict[str, Any] = plain(read_document(file).root)
    if not isinstance(document, dict) or "training" not in document:
        return None
    for key in ("model", "training", "model.descriptor", "model.fitting_net"):
        section, _, inner = key.partition(".")
        found = document.get(section)
        found = found.get(inner) if inner and isinstance(found, dict) else found
        if not isinstance(found, dict):
            raise InputError("expected an object {...}", file, key)
    if document["model"].get("type_map") != list(types):
        raise InputError(
            f"found {document['model'].get('type_map')}; it must be train.atom_type, {list(types)}",
            file,
            "model.type_map",
        )
    document["training"] = with_usual_names(document["training"])
    _check_training(document["training"], file)
    return document


def with_usual_names(training: Mapping[str, Any]) -> dict[str, Any]:
    """The section ``training`` with one name for each of the lengths of a training."""
    usual = {old: new for new, names in _LENGTHS.items() for old in names}
    return {usual.get(name, name): value for name, value in training.items()}


def _check_training(training: Mapping[str, Any], file: Path) -> None:
    if "systems" in training:
        message = "DeePMD-kit 1 had it here; version 2 and later have training.training_data"
        raise InputError(message, file, "training.systems")
    if not any(name in training for name in _LENGTHS):
        raise InputError("this key is required and missing", file, "training.numb_steps")
    data = training.get("training_data", {})
    if not isinstance(data, dict):
        raise InputError("expected an object {...}", file, "training.training_data")
    if isinstance(data.get("batch_size"), list):
        message = "one number per system is not possible; the systems are those of init_data"
        raise InputError(message, file, "training.training_data.batch_size")


def native_warnings(document: Mapping[str, Any], file: Path) -> Iterator[str]:
    """What of a native input is not used."""
    training = document["training"]
    for name in ("training_data", "validation_data"):
        if training.get(name, {}).get("systems"):
            yield f"{file}: training.{name}.systems: the data are those of init_data, valid_data"
    if "sys_probs" in training.get("training_data", {}):
        yield f"{file}: training.training_data.sys_probs is not used"


def seed_warnings(document: Mapping[str, Any], file: Path) -> Iterator[str]:
    """What makes trainings of the TensorFlow backend differ for one seed."""
    model = document["model"]
    kind = model["descriptor"].get("type", "")
    if kind in ("se_atten", "se_atten_v2", "dpa1") and not model.get("type_embedding"):
        yield (
            f"{file}: {kind} without model.type_embedding takes no seed for its type embedding;"
            " trainings will not be repeatable"
        )


def seeded(document: dict[str, Any], seed: int) -> dict[str, Any]:
    """The input with all seeds of DeePMD-kit derived from one."""
    states = (int(state) % (2**31 - 1) for state in np.random.SeedSequence(seed).generate_state(32))
    model = document["model"]
    for name in ("descriptor", "fitting_net", "type_embedding"):
        part = model.get(name)
        if isinstance(part, dict):
            for inner in (part, *part.get("list", [])):  # a hybrid descriptor holds a list
                inner["seed"] = next(states)
    document["training"]["seed"] = next(states)
    return document


def with_data(
    document: dict[str, Any], directory: Path, train: Sequence[Path], valid: Sequence[Path]
) -> bool:
    """Put the data sets into the input, relative to the task directory.

    Returns
    -------
    bool
        Whether the last row of the learning curve will hold the errors of all validation data.
    """
    training = document["training"]
    given = training.pop("training_data", {})
    batch = training.pop("batch_size", given.get("batch_size", 1))
    kept = {name: value for name, value in given.items() if name != "sys_probs"}
    names = relative_paths(train, directory)
    training["training_data"] = {**kept, "systems": names, "batch_size": batch}
    training.pop("validation_data", None)
    training.pop("disp_training", None)
    training.pop("save_ckpt", None)
    training["disp_file"] = CURVE
    if not valid:
        return False
    frames = [len(np.load(path / "set.000" / "energy.npy")) for path in valid]
    atoms = [len((path / "type.raw").read_text().split()) for path in valid]
    fits = len(valid) == 1 and frames[0] * atoms[0] <= ATOMS_AT_ONCE
    training["validation_data"] = {
        "systems": relative_paths(valid, directory),
        "batch_size": frames[0] if fits else 1,
        "numb_btch": 1,
    }
    return fits and _learns_both(document.get("loss", {}))


def _learns_both(loss: Mapping[str, Any]) -> bool:
    """Whether energies and forces are trained on; the curve shows nothing else."""
    return all(
        loss.get(f"start_pref_{letter}", 1) or loss.get(f"limit_pref_{letter}", 1)
        for letter in "ef"
    )


def with_length(document: dict[str, Any], epochs: int, frames: int) -> bool:
    """Put in how long to train, and how often to report and to save, where the user has not.

    Returns
    -------
    bool
        Whether the last row of the learning curve will be that of the last step.
    """
    training = document["training"]
    if not any(name in training for name in _LENGTHS):
        batch = training["training_data"]["batch_size"]
        # no step takes more frames than there are: dp 3.2.0 warns, and takes those
        training["numb_steps"] = max(1, math.ceil(epochs * frames / min(batch, frames)))
    steps = training.get("numb_steps")
    if steps is not None:
        training.setdefault("disp_freq", rows_of(steps))
    whole = steps is not None and steps % training["disp_freq"] == 0
    # with every row of the curve: what is cut off goes on from there
    shown = training.get("disp_freq", DISP_FREQ)
    saved = training.setdefault("save_freq", shown)
    # dp 3.2.0 loses the last step if it is due for a checkpoint but not for a row of the curve
    if saved and saved != shown and (steps is None or (not whole and steps % saved == 0)):
        logger.info("save_freq is %s, since %s could lose the last step", shown, saved)
        training["save_freq"] = shown
    return whole


def rows_of(steps: int) -> int:
    """The display interval that gives about ten rows and one at the last step."""
    return next(width for width in range(max(1, steps // 10), steps + 1) if steps % width == 0)
