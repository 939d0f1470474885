"""What a training of TorchNEP leaves: errors of every epoch, and those of the model it chose."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from pwact.engines.torchnep.input import CHECKPOINT, CURVE, OWN_LOG
from pwact.engines.trainers import ValidError
from pwact.engines.training_task import archive_is_whole, plausible
from pwact.errors import TaskError

_OF_TRAINING, _OF_VALID = slice(2, 4), slice(6, 8)  # columns of the errors of energy and forces
_WIDTHS = (6, 10)  # of a row without and with validation data
_TABLE = re.compile(
    r"^ *Validation set$.*?^ *Energy \(eV/atom\) +(\S+).*?^ *Force +\(eV/A\) +(\S+)",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Epoch:
    """A row of ``loss.out``: root-mean-square errors in eV per atom (energy) and eV/Å (forces).

    Attributes
    ----------
    loss
        On the validation data where there are some, else on the training data.
    train
        Averaged over the epoch, in which the weights change.
    """

    number: int
    loss: float
    train: ValidError
    valid: Optional[ValidError] = None


def read_curve(path: Path) -> list[Epoch]:
    """All epochs.

    Raises
    ------
    TaskError
        There is no whole row, or one that cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        rows = [line.split() for line in lines if line.endswith("\n") and line[:1] not in "#\n"]
        epochs = [_epoch(row) for row in rows]
    except (OSError, ValueError, IndexError) as error:
        raise TaskError(f"the learning curve {path} cannot be read: {error}") from error
    if not epochs:
        raise TaskError(f"the learning curve {path} has no row")
    return epochs


def _epoch(row: Sequence[str]) -> Epoch:
    if len(row) not in _WIDTHS:
        raise ValueError(f"a row has {len(row)} columns")
    numbers = [float(word) for word in row]
    valid = ValidError(*numbers[_OF_VALID]) if len(row) > _WIDTHS[0] else None
    return Epoch(int(row[0]), numbers[1], ValidError(*numbers[_OF_TRAINING]), valid)


def last_epoch(path: Path) -> int:
    """The number of the last epoch. Raises TaskError where nothing was learned in it."""
    last = read_curve(path)[-1]
    if not plausible([last.loss, last.train.rmse_e, last.train.rmse_f]):
        raise TaskError(f"the learning curve {path} ends with numbers not finite")
    if last.train == ValidError(0.0, 0.0):
        raise TaskError(f"{path}: TorchNEP skipped every step: its gradients were no numbers")
    return last.number


def read_valid_error(directory: Path) -> ValidError:
    """Errors of the model that was chosen on the validation data, which end the log.

    Raises
    ------
    TaskError
        There are none.
    """
    path = directory / OWN_LOG
    try:
        found = _TABLE.findall(path.read_text(encoding="utf-8", errors="replace"))
        energy, forces = map(float, found[-1])
    except (OSError, ValueError, IndexError) as error:
        raise TaskError(f"{path} holds no errors of the validation data") from error
    if not plausible([energy, forces]):
        raise TaskError(f"{path} ends with errors that are not finite")
    return ValidError(energy, forces)


def epochs_kept(directory: Path, interval: int) -> int:
    """How many epochs the checkpoint of a training that was cut off holds; 0 without one."""
    if not archive_is_whole(directory / CHECKPOINT):
        return 0
    try:
        last = read_curve(directory / CURVE)[-1].number
    except TaskError:
        return 0
    return last // interval * interval
