"""The Kalman prediction uncertainty of MatPL's DP models: ``MatPL kpu``.

MatPL reads a folder ``traj`` with one file a frame, which the job makes from the dump. It needs the
matrix P of the Kalman filter from the checkpoint. Without P it goes on silently with the P of an
untrained model, and its numbers say nothing; so pwact looks for P beforehand.
"""

from __future__ import annotations

import pickletools
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from pwact import layout
from pwact.engines.kpu_task import LOG, KpuTask
from pwact.engines.lammps.input import DUMP, TYPES
from pwact.engines.links import link_files
from pwact.engines.matpl.frames import FRAMES, steps_of
from pwact.engines.matpl.kpu_detail import DETAIL, OWN_TABLE
from pwact.engines.matpl.words import remedy_for
from pwact.engines.trainers import TrainedModel
from pwact.engines.worker import python_module
from pwact.errors import TaskError
from pwact.verdict import Verdict, incomplete

CHECKPOINT = "dp_model.ckpt"
CHECKPOINT_ROLE = "checkpoint"
_TABLE_OF_CONTENTS = "data.pkl"  # what torch.save pickles but for the numbers of the tensors
_LARGEST_TABLE = 1 << 28  # bytes
_P_IS_THERE = frozenset({"optimizer", "param_groups", "P"})


class MatplKpu(KpuTask):
    """Writes and reads ``MatPL kpu`` tasks. See `pwact.engines.evaluator.KpuEvaluator`."""

    def __init__(self, program: str, frame_format: str) -> None:
        self._program = program
        self._format = frame_format

    def fingerprint(self) -> dict[str, Any]:
        """The engine and the format of the frames."""
        return {"engine": "matpl", "format": self._format}

    def write_input(self, directory: Path, model: TrainedModel, trajectory: Path) -> None:
        """Link to the checkpoint, which is large, and to the files of the MD."""
        checkpoint = model.files[CHECKPOINT_ROLE]
        demand_p_matrix(checkpoint)
        links = {CHECKPOINT: checkpoint, TYPES: trajectory / TYPES, DUMP: trajectory / DUMP}
        link_files(directory, links)

    def command(self) -> str:
        """Make one file a frame, evaluate them, and average over the force components."""
        frames = python_module("pwact.engines.matpl.frames", self._format)
        old = f"{LOG} {FRAMES} {DETAIL} {OWN_TABLE} {layout.KPU_MODEL_DEVI}"
        return (
            f"rm -rf {old}; {frames} > {LOG} 2>&1 && "
            f"{self._program} kpu -m {CHECKPOINT} -c {FRAMES} -f {self._format} "
            f"-a {TYPES} -d -s {OWN_TABLE} >> {LOG} 2>&1 && "
            f"{python_module('pwact.engines.matpl.kpu_detail')} >> {LOG} 2>&1"
        )

    def check(self, directory: Path) -> Verdict:
        """Whether every frame has its row, by the details.

        A table of an earlier version has none: its means took in the numbers of the atoms.
        """
        verdict = super().check(directory)
        if verdict.done and not (directory / DETAIL).is_file():
            return incomplete(f"{directory / DETAIL} is missing")
        if not verdict.done and (remedy := remedy_for(directory / LOG)):
            return incomplete(f"{verdict.reason}; {remedy}")
        return verdict

    def frames(self, directory: Path) -> np.ndarray:
        """Those of the folder that the job made."""
        return steps_of(directory / FRAMES)

    def transient_files(self, directory: Path) -> list[Path]:
        """The folder of frames, MatPL's files, and the link to the dump, which goes as well."""
        paths = [directory / name for name in (FRAMES, DETAIL, OWN_TABLE, DUMP)]
        return [path for path in paths if path.exists() or path.is_symlink()]


def demand_p_matrix(checkpoint: Path) -> None:
    """Refuse a checkpoint that holds no P of the Kalman filter.

    ``torch.save`` writes a ZIP archive whose ``data.pkl`` holds all names. It is searched for those
    of an optimizer with a matrix P, without executing what it says.

    Raises
    ------
    TaskError
        P is not there, or the file cannot be looked into.
    """
    try:
        names = _names_in(checkpoint)
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError) as error:
        raise TaskError(f"{checkpoint}: cannot be searched for the matrix P: {error}") from error
    if not names >= _P_IS_THERE:
        raise TaskError(
            f"{checkpoint}: holds no matrix P of the Kalman filter, so its KPU would say nothing; "
            "MatPL writes P with save_p_matrix true and the optimizer LKF"
        )


def _names_in(checkpoint: Path) -> set[str]:
    """All texts in the table of contents of a checkpoint."""
    with zipfile.ZipFile(checkpoint) as archive:
        tables = [
            entry
            for entry in archive.infolist()
            if entry.filename.rpartition("/")[2] == _TABLE_OF_CONTENTS
        ]
        if len(tables) != 1 or tables[0].file_size > _LARGEST_TABLE:
            raise ValueError(f"it has no {_TABLE_OF_CONTENTS}")
        content = archive.read(tables[0])
    return {value for _, value, _ in pickletools.genops(content) if isinstance(value, str)}
