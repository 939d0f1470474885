"""What the evaluations of the Kalman prediction uncertainty have in common."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Optional

import numpy as np

from pwact import layout
from pwact.errors import TaskError
from pwact.formats.kpu_devi import read_kpu_devi
from pwact.verdict import DONE, Verdict, incomplete

if TYPE_CHECKING:
    from pwact.engines.evaluator import KpuEvaluator

LOG = "kpu.log"


class KpuTask:
    """How an evaluation is judged. See `pwact.engines.evaluator.KpuEvaluator`."""

    log = LOG
    shell_check = '[ "$rc" -eq 0 ]'

    def with_features(self) -> Optional[KpuEvaluator]:
        """Most give none."""
        return None

    def frames(self, directory: Path) -> np.ndarray:
        """MD steps of the frames to evaluate, ascending, int, shape (n,). Raises TaskError."""
        raise NotImplementedError

    def check(self, directory: Path) -> Verdict:
        """Whether every frame has its row."""
        try:
            steps = read_kpu_devi(directory / layout.KPU_MODEL_DEVI).steps
            frames = self.frames(directory)
        except TaskError as error:
            return incomplete(str(error))
        if not np.array_equal(steps, frames):
            return incomplete(
                f"{layout.KPU_MODEL_DEVI} has {len(steps)} rows for {len(frames)} frames"
            )
        return DONE
