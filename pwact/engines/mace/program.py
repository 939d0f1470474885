"""The input of ``mace_run_train``, of our keys, and its learning curve."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional

from pwact.engines.network import task
from pwact.errors import TaskError

if TYPE_CHECKING:
    from ase import Atoms

MODEL = "mace.model"
FOR_LAMMPS = f"{MODEL}-lammps.pt"  # as mace_create_lammps_model calls it
BEGIN = "begin.model"  # the model to begin with, with reference energies of ours
NAME = "pwact"  # of the training, from which the program makes names of files
FOLDER = "mace"  # all that the program writes
_COLUMNS = ("rmse_e_per_atom", "rmse_f", "rmse_stress")


def input_of(
    settings: task.Settings,
    train: Sequence[Atoms],
    valid: bool,
    references: Mapping[int, float],
    device: str,
) -> dict[str, Any]:
    """Arguments by name.

    Parameters
    ----------
    references
        Atomic number → reference energy in eV.
    """
    from ase.data import atomic_numbers  # noqa: PLC0415

    keys = settings.keys
    stress = all("stress" in frame.calc.results for frame in train)
    batch = min(keys["batch_size"], len(train))  # the program leaves out what fills no batch
    numbers = sorted(atomic_numbers[symbol] for symbol in settings.elements)
    return {
        "name": NAME,
        "work_dir": FOLDER,
        "seed": settings.seed,
        "device": device,
        "default_dtype": keys["dtype"],
        "train_file": task.TRAIN,
        "valid_file": task.VALID if valid else task.TRAIN,
        "energy_key": "energy",
        "forces_key": "forces",
        "stress_key": "stress",
        "atomic_numbers": str(numbers),
        "E0s": str({number: references.get(number, 0.0) for number in numbers}),
        "loss": "stress" if stress else "weighted",
        "energy_weight": keys["energy_weight"],
        "forces_weight": keys["force_weight"],
        "stress_weight": keys["stress_weight"],
        "max_num_epochs": keys["epochs"],
        "lr": keys["learning_rate"],
        "scheduler": "ExponentialLR",
        "lr_scheduler_gamma": keys["rate_fall"] ** (1 / max(1, keys["epochs"] - 1)),
        "batch_size": batch,
        "valid_batch_size": batch,
        "save_all_checkpoints": True,
        "plot": False,
        **({} if keys["freeze"] is None else {"freeze": keys["freeze"]}),
        **(_new_model(keys) if settings.begin is None else _begun(settings)),
    }


_OURS = (
    *("name", "work_dir", "seed", "device", "train_file", "valid_file"),
    *("energy_key", "forces_key", "stress_key", "atomic_numbers", "E0s"),
    *("foundation_model", "multiheads_finetuning", "save_all_checkpoints", "plot"),
    *("batch_size", "valid_batch_size"),
)
_DROPPED = ("test_file", "test_dir")
_REFUSED = ("swa", "stage_two", "start_swa", "start_stage_two", "heads", "pt_train_file")
_EPOCHS, _BATCH = 2048, 10  # of the program


def native_keys(native: Mapping[str, Any]) -> dict[str, Any]:
    """What of an input of the user's has a key of ours.

    Raises
    ------
    TaskError
        It asks for what leaves another model than that of the last epoch, or needs other data.
    """
    if wrong := [name for name in _REFUSED if native.get(name)]:
        raise TaskError(f"train_input_file: {wrong[0]} is not done by pwact; leave it out")
    return {
        "epochs": int(native.get("max_num_epochs", _EPOCHS)),
        "dtype": native.get("default_dtype", "float64"),
        "batch_size": int(native.get("batch_size", _BATCH)),
        "head": native.get("foundation_head"),
    }


def merged(native: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """An input of the user's, with the data, the names and the model to begin with of ours."""
    kept = {name: value for name, value in native.items() if name not in _DROPPED}
    epochs = {"max_num_epochs": ours["max_num_epochs"]}
    return {**kept, **epochs, **{name: ours[name] for name in _OURS if name in ours}}


def _new_model(keys: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "model": "ScaleShiftMACE",
        "scaling": "rms_forces_scaling",
        "r_max": keys["cutoff"],
        "num_channels": keys["num_channels"],
        "max_L": keys["max_L"],
        "num_interactions": keys["num_interactions"],
    }


def _begun(settings: task.Settings) -> dict[str, Any]:
    """Without replay of the data of the pretrained model, which nobody has here."""
    head: Optional[str] = settings.keys["head"]
    more = {} if head is None else {"foundation_head": head}
    return {"foundation_model": BEGIN, "multiheads_finetuning": False, **more}


def curve_of(text: str) -> list[tuple[int, list[float]]]:
    """Epoch, 0 before the training, and errors on the validation data: eV per atom, eV/Å, eV/Å³.

    Parameters
    ----------
    text
        What the program wrote into its folder ``results``, one JSON object a line.
    """
    rows = []
    for line in text.splitlines():
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if found.get("mode") == "eval":
            epoch = 0 if found["epoch"] is None else int(found["epoch"]) + 1
            rows.append(
                (epoch, [float(found[name] or "nan") for name in _COLUMNS if name in found])
            )
    return rows


def curve_text(rows: Sequence[tuple[int, Sequence[float]]]) -> str:
    """A table of comma-separated values, with names of the columns."""
    head = ",".join(("epoch", *_COLUMNS[: len(rows[0][1]) if rows else 0]))
    lines = (f"{epoch},{','.join(f'{one:.8g}' for one in errors)}" for epoch, errors in rows)
    return "\n".join((head, *lines)) + "\n"
