"""How far a model of TorchNEP extrapolates: the grade that its library computes.

At the end of its training a model gets its active set: the rows of the gradients of the atomic
energies by the weights of the network that span the largest volume (MaxVol). A new row is written
in them, and ``gamma`` is its largest coefficient; ``gamma_res`` is what it has outside the subspace
of all training rows, by the largest of those. The grade of a frame is the larger of the two, of the
atom that has the largest. See ``torchnep.extrapolation`` and E. V. Podryabinkin and A. V. Shapeev,
Comput. Mater. Sci. 140, 171 (2017).

Run inside the jobs, in the current directory, by the Python that has TorchNEP:
``python -m pwact.engines.torchnep.grades build DEVICE`` writes ``active_set.pt`` of a training, and
the same as ``active_set.asi`` for GPUMD's compute_extrapolation; ``… grade DEVICE`` writes
``extrapolation_grade.out``. DEVICE is one of PyTorch's names.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pwact import layout
from pwact.engines.kpu_task import LOG, DumpTask
from pwact.engines.lammps.input import DUMP, TYPES
from pwact.engines.links import link_files
from pwact.engines.network import task
from pwact.engines.network.training import MODEL_ROLE
from pwact.engines.torchnep.input import MODEL
from pwact.engines.trainers import TrainedModel
from pwact.engines.worker import exit_status, python_module
from pwact.errors import TaskError
from pwact.formats.extrapolation import COLUMNS, read_grades, write_grades
from pwact.formats.extxyz import write_extxyz
from pwact.formats.lammps_dump import DumpTrajectory
from pwact.io.files import remove, replacing

ACTIVE_SET = "active_set.pt"
FOR_GPUMD = "active_set.asi"
GRADES, GPUMD = "active set", "active set for GPUMD"  # their roles in `TrainedModel.files`
_FRAMES = "frames.xyz"
_EXACT = {"precision": "float64", "verbose": False}
_MODULE = "pwact.engines.torchnep.grades"


def active_set_step(python: str, device: str, environment: str) -> str:
    """Shell text, a step of a training's command, that writes `ACTIVE_SET`."""
    return environment + python_module(_MODULE, "build", device, python=python)


class Grades(DumpTask):
    """Writes and reads evaluations of a model. See `pwact.engines.evaluator.KpuEvaluator`.

    Parameters
    ----------
    python
        Shell text that starts the Python that has TorchNEP.
    device
        PyTorch's name of where it computes.
    environment
        Shell text before it, which sets variables.
    """

    result = layout.EXTRAPOLATION_GRADE

    def __init__(self, python: str, device: str, environment: str) -> None:
        self._start = environment, python, device

    def fingerprint(self) -> dict[str, Any]:
        """What computes it."""
        return {"extrapolation": "torchnep"}

    def write_input(self, directory: Path, model: TrainedModel, trajectory: Path) -> None:
        """Link to the model, its active set, and the files of the MD. Raises TaskError."""
        if GRADES not in model.files:
            raise TaskError(f"{model.directory}: this model was trained without an active set")
        links = {MODEL: model.files[MODEL_ROLE], ACTIVE_SET: model.files[GRADES]}
        link_files(directory, {**links, **{name: trajectory / name for name in (TYPES, DUMP)}})

    def command(self) -> str:
        """Grade all frames of the dump."""
        environment, python, device = self._start
        worker = python_module(_MODULE, "grade", device, python=python)
        return f"{environment}{worker} > {LOG} 2>&1"

    def rows(self, directory: Path) -> tuple[np.ndarray, bool]:
        """MD steps of the rows, and whether they hold more than zeros. Raises TaskError."""
        table = read_grades(directory / self.result)
        return table.steps, bool(table.grade.any())


def build(directory: Path, device: str) -> None:
    """Write the active set of a model over its training frames, last in the form of TorchNEP.

    That holds no paths, so that equal models have equal files.

    Raises
    ------
    TaskError
        Not all training atoms are inside of it.
    """
    from torchnep.extrapolation import build_active_set  # noqa: PLC0415

    model, data = (str(directory / name) for name in (MODEL, task.TRAIN))
    made = build_active_set(model, data, io.BytesIO(), device=device, **_EXACT)
    if not made.meta["converged"]:
        raise TaskError(f"TorchNEP found no active set: of {task.TRAIN} some atoms stay outside")
    made.meta = {}
    with replacing(directory / FOR_GPUMD) as aside:
        made.save_gpumd(str(aside))
    with replacing(directory / ACTIVE_SET) as aside, aside.open("wb") as stream:
        made.save(stream)


def grade(directory: Path, device: str) -> None:
    """Write the grade of every frame.

    Raises
    ------
    TaskError
        There are no frames, or the active set is of another model.
    """
    types = (directory / TYPES).read_text(encoding="utf-8").split()
    trajectory = DumpTrajectory(directory / DUMP, types)
    steps = trajectory.steps()
    if not len(steps):
        raise TaskError(f"{DUMP} holds no frame")
    write_extxyz(directory / _FRAMES, map(trajectory.frame, steps.tolist()))
    found = _computed(directory, device)
    rows = np.stack([found[name] for name in COLUMNS[1:]], axis=1)
    remove(directory / _FRAMES)
    write_grades(directory / layout.EXTRAPOLATION_GRADE, steps, rows)


def _computed(directory: Path, device: str) -> Mapping[str, np.ndarray]:
    """Of each frame in `_FRAMES`, by name of the column."""
    from torchnep.extrapolation import compute_gamma  # noqa: PLC0415

    names = (str(directory / name) for name in (MODEL, ACTIVE_SET, _FRAMES))
    try:
        made: Mapping[str, np.ndarray] = compute_gamma(*names, device=device, **_EXACT)
    except ValueError as error:
        raise TaskError(f"TorchNEP grades no frame: {error}") from error
    return made


_DUTIES: Mapping[str, Callable[[Path, str], None]] = {"build": build, "grade": grade}


def main(arguments: Sequence[str]) -> int:
    """Do one of the two in the current directory."""
    duty, device = arguments
    return exit_status(lambda directory: _DUTIES[duty](directory, device))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
