"""The input of ``sevenn train``, of our keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional

from pwact.engines.network import task
from pwact.errors import TaskError

if TYPE_CHECKING:
    from ase import Atoms

BEGIN = "begin.pth"  # the model to begin with, with reference energies of ours
_OURS = ("random_seed", "epoch", "per_epoch", "continue", "use_modality")
_ELEMENTS = 119  # as sevenn counts them, from 0 on


def input_of(
    settings: task.Settings,
    train: Sequence[Atoms],
    valid: bool,
    begun: Optional[Mapping[str, Any]],
) -> dict[str, Any]:
    """Sections model, train and data.

    Parameters
    ----------
    begun
        Sections of the checkpoint to begin with, which is `BEGIN`; None from nothing.
    """
    stress = all("stress" in frame.calc.results for frame in train)
    modal = settings.keys["modal"]
    data = {**_data(modal, valid), "batch_size": settings.keys["batch_size"]}
    return {
        "model": _new_model(settings) if begun is None else dict(begun["model"]),
        "train": {
            **_training(settings, stress),
            **({} if begun is None else _continue(BEGIN, fresh=True)),
            "use_modality": modal is not None,
        },
        "data": {**data, **(_references(train) if begun is None else _wise(begun["data"]))},
    }


def native_keys(native: Mapping[str, Any]) -> dict[str, Any]:
    """What of an input of the user's has a key of ours. Raises TaskError without epochs."""
    sections = [native.get(name) for name in ("model", "train", "data")]
    if not all(isinstance(section, dict) for section in sections):
        raise TaskError("train_input_file: expected the sections model, train and data")
    try:
        return {"epochs": int(native["train"]["epoch"])}
    except (KeyError, TypeError, ValueError) as error:
        raise TaskError("train_input_file: train.epoch is missing, or no number") from error


def merged(native: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """An input of the user's, with the data, the seed and the model to begin with of ours."""
    train, data = ours["train"], ours["data"]
    begun = "continue" in train
    set_by_us = {name: train[name] for name in _OURS if name in train}
    kept = {name: value for name, value in native["train"].items() if name not in _OURS}
    paths = {name: value for name, value in data.items() if name.startswith("load_") or begun}
    paths.pop("batch_size", None)
    own = {key: one for key, one in native["data"].items() if not key.startswith("load_")}
    model = ours["model"]
    if not begun:
        model = {**native["model"], "chemical_species": model["chemical_species"]}
    return {
        "model": model,
        "train": {**kept, **set_by_us},
        "data": {**own, **paths},
    }


def _new_model(settings: task.Settings) -> dict[str, Any]:
    names = ("cutoff", "channel", "lmax", "num_convolution_layer")
    return {
        "chemical_species": list(settings.elements),
        **{name: settings.keys[name] for name in names},
        "is_parity": False,
    }


def _training(settings: task.Settings, stress: bool) -> dict[str, Any]:
    """The loss of SevenNet-0's own training, and a rate that falls evenly in its logarithm."""
    keys = settings.keys
    epochs = keys["epochs"]
    kinds = ("Energy", "Force", *(("Stress",) if stress else ()))
    return {
        "random_seed": settings.seed,
        "epoch": epochs,
        "loss": "Huber",
        "loss_param": {"delta": 0.01},
        "optimizer": "adam",
        "optim_param": {"lr": keys["learning_rate"]},
        "scheduler": "exponentiallr",
        "scheduler_param": {"gamma": keys["rate_fall"] ** (1 / max(1, epochs - 1))},
        "force_loss_weight": keys["force_weight"],
        "stress_loss_weight": keys["stress_weight"],
        "is_train_stress": stress,
        "per_epoch": saved_every(epochs),
        "error_record": [[kind, "ComponentRMSE"] for kind in kinds] + [["TotalLoss", "None"]],
    }


def saved_every(epochs: int) -> int:
    """Epochs between two checkpoints: at least five of them, and one at the end."""
    most = max(1, epochs // 5)
    return max(width for width in range(1, most + 1) if epochs % width == 0)


def going_on(document: Mapping[str, Any], last: int) -> dict[str, Any]:
    """The input from the checkpoint of epoch `last` on; as it is for 0."""
    if not last:
        return dict(document)
    more = _continue(f"checkpoint_{last}.pth", fresh=False)
    return {**document, "train": {**document["train"], **more}}


def _continue(checkpoint: str, fresh: bool) -> dict[str, Any]:
    resets = dict.fromkeys(("reset_optimizer", "reset_scheduler", "reset_epoch"), fresh)
    return {"continue": {"checkpoint": checkpoint, **resets}}


def _data(modal: Optional[str], valid: bool) -> dict[str, Any]:
    names = {"load_trainset_path": task.TRAIN}
    if valid:
        names["load_validset_path"] = task.VALID
    return {key: [_of_task(name, modal)] for key, name in names.items()}


def _of_task(name: str, modal: Optional[str]) -> Any:
    if modal is None:
        return name
    return {"data_modality": modal, "file_list": [{"file": name}]}


def _wise(data: Mapping[str, Any]) -> dict[str, Any]:
    """Whether each task of a checkpoint has reference energies and scales of its own."""
    names = ("use_modal_wise_shift", "use_modal_wise_scale")
    return {name: data[name] for name in names if name in data}


def _references(train: Sequence[Atoms]) -> dict[str, Any]:
    """Reference energies of our own: the program's are pulled towards 0."""
    from ase.data import atomic_numbers  # noqa: PLC0415

    energies = [0.0] * _ELEMENTS
    for symbol, value in task.energy_shifts(train, [0.0] * len(train)).items():
        energies[atomic_numbers[symbol]] = value
    return {"shift": energies, "scale": "force_rms"}
