"""What a training of MatPL leaves: its tables of errors, and whether it came to its last epoch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Optional

from pwact.engines.matpl.models import INPUT, RECORD
from pwact.engines.trainers import ValidError
from pwact.engines.training_task import plausible
from pwact.errors import TaskError
from pwact.layout import failed_tag
from pwact.verdict import DONE, Verdict, incomplete, unusable

TRAIN_CURVE = "epoch_train.dat"
VALID_CURVE = "epoch_valid.dat"
COMPLETED_INPUT = "std_input.json"  # written by MatPL: the input with all its defaults


def progress(directory: Path) -> Verdict:
    """Whether the training in `directory` came to its last epoch and ended without an error.

    Where neither MatPL nor the user says how many epochs there are, any number will do.
    """
    tag = directory / failed_tag("train")
    if tag.exists():
        return incomplete(f"MatPL ended with an error ({tag.name})")
    path = directory / RECORD / TRAIN_CURVE
    try:
        epoch, loss = _last_epoch(path)
    except TaskError as error:
        return incomplete(str(error))
    if loss == 0:
        return unusable(
            f"{path}: the loss of epoch {epoch} is 0: MatPL trained nothing. It leaves out an "
            "incomplete batch; is optimizer.batch_size larger than the number of frames?"
        )
    asked = _epochs(directory)
    if asked is not None and epoch < asked:
        return incomplete(f"the training was cut off after epoch {epoch} of {asked} ({path})")
    return DONE


def epochs_done(directory: Path) -> int:
    """How many epochs have their row; 0 where there is none, or nothing was trained."""
    try:
        epoch, loss = _last_epoch(directory / RECORD / TRAIN_CURVE)
    except TaskError:
        return 0
    return epoch if loss else 0


def demand_same_epoch(record: Path) -> None:
    """Raise TaskError unless the errors on training and validation data are of one epoch."""
    if not (record / VALID_CURVE).exists():
        return
    trained, judged = (_last_epoch(record / name)[0] for name in (TRAIN_CURVE, VALID_CURVE))
    if trained != judged:
        message = f"{record / VALID_CURVE} ends with epoch {judged}, {TRAIN_CURVE} with {trained}"
        raise TaskError(message)


def _last_epoch(path: Path) -> tuple[int, float]:
    """Number and loss of the last epoch. Raises TaskError."""
    row = _last_row(path)
    try:
        return int(row["epoch"]), float(row.get("loss", "nan"))
    except (KeyError, ValueError) as error:
        message = f"{path}: the last row has no epoch or no loss that can be read"
        raise TaskError(message) from error


def _epochs(directory: Path) -> Optional[int]:
    """How many epochs were asked for: by MatPL's completed input, else by the user's."""
    for name in (COMPLETED_INPUT, INPUT):
        try:
            found: Any = json.loads((directory / name).read_text(encoding="utf-8"))
            return int(found["optimizer"]["epochs"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None


def read_errors(path: Path) -> Optional[ValidError]:
    """Errors of the last epoch in ``epoch_train.dat`` or ``epoch_valid.dat``.

    Returns
    -------
    ValidError
        None where energies or forces were not trained on, so that the file does not tell.

    Raises
    ------
    TaskError
        The file is missing, has no whole row, or its errors are not finite.
    """
    values = _last_row(path)
    try:
        found = [float(values[name]) for name in ("RMSE_Etot", "RMSE_F") if name in values]
    except ValueError as error:
        raise TaskError(f"{path}: the last row holds {error}") from error
    if not plausible(found):
        raise TaskError(f"{path}: the errors of the last epoch are not finite")
    return ValidError(*found) if len(found) == 2 else None


def _last_row(path: Path) -> dict[str, str]:
    """Name of a column without its unit → its word in the last whole line. Raises TaskError."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise TaskError(f"{path}: cannot be read: {error.strerror}") from error
    lines = [line.split() for line in text[: text.rfind("\n") + 1].splitlines() if line.strip()]
    heads = [line for line in lines if "epoch" in line]
    rows = [line for line in lines if line[0].isdigit()]
    names = [name for name in heads[-1] if name != "#"] if heads else []
    if not rows or len(rows[-1]) != len(names):
        raise TaskError(f"{path}: no whole row of errors")
    return {name.partition("(")[0]: word for name, word in zip(names, rows[-1])}
