"""What DeePMD-kit says about a training: the learning curve, and the errors of ``dp test``."""

from __future__ import annotations

import re
from pathlib import Path

from pwact.engines.deepmd.checkpoints import PYTORCH
from pwact.engines.deepmd.input import CURVE
from pwact.engines.trainers import ValidError
from pwact.errors import TaskError

_NUMBER = r"\s*:\s*([-+.\dEe]+|nan|inf) eV"
_TEST_ROWS = {"energy": "Energy RMSE/Natoms" + _NUMBER, "force": "Force +RMSE" + _NUMBER}


def read_curve(path: Path) -> dict[str, float]:
    """Last row of ``lcurve.out`` by column name (energies and virials per atom).

    Raises
    ------
    TaskError
        There is none.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise TaskError(f"no learning curve {path}") from error
    heads = [line[1:].split() for line in lines if line.startswith("#") and "rmse" in line]
    rows = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    if not heads or not rows or len(heads[0]) != len(rows[-1]):
        raise TaskError(f"the learning curve {path} has no whole row")
    try:
        return {name: float(word) for name, word in zip(heads[0], rows[-1])}
    except ValueError as error:
        raise TaskError(f"the learning curve {path} ends with {' '.join(rows[-1])}") from error


def steps_reached(directory: Path, ended: str) -> float:
    """Step of the last checkpoint of the PyTorch backend.

    It is one more than the last step where the training has ended, of which the file `ended` tells,
    and only its test is missing: no checkpoints are there any more.
    """
    if not (directory / ended).exists():
        return float(PYTORCH.last(directory))
    return read_curve(directory / CURVE).get("step", 0.0) + 1.0


def read_test(path: Path) -> ValidError:
    """Errors over all systems, the last ones that ``dp test`` prints.

    Raises
    ------
    TaskError
        The output is incomplete.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise TaskError(f"no errors of the validation data in {path}") from error
    found = {what: re.findall(pattern, text) for what, pattern in _TEST_ROWS.items()}
    if not all(found.values()):
        raise TaskError(f"{path} holds no errors of energy and forces")
    return ValidError(float(found["energy"][-1]), float(found["force"][-1]))
