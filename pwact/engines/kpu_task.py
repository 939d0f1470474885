"""What the evaluations of the Kalman prediction uncertainty have in common."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Optional

import numpy as np

from pwact import layout
from pwact.errors import TaskError
from pwact.formats.features import Features
from pwact.formats.kpu_devi import read_kpu_devi
from pwact.verdict import DONE, Verdict, incomplete

if TYPE_CHECKING:
    from pwact.engines.evaluator import KpuEvaluator

LOG = "kpu.log"
WITH_FEATURES = "--features"


def features_too(directory: Path, verdict: Verdict) -> Verdict:
    """The verdict, if every frame has its row; done only where the features are there too."""
    if not verdict.done:
        return verdict
    try:
        Features(directory / layout.FEATURES)
    except TaskError as error:
        return incomplete(str(error))
    return verdict


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
        """Whether every frame has its row, and there are frames.

        The energy has a constant term, so its uncertainty is never 0; a table of zeros, in each
        column of each row, was not computed.
        """
        try:
            table = read_kpu_devi(directory / layout.KPU_MODEL_DEVI)
            frames = self.frames(directory)
        except TaskError as error:
            return incomplete(str(error))
        steps = table.steps
        if not np.array_equal(steps, frames):
            return incomplete(
                f"{layout.KPU_MODEL_DEVI} has {len(steps)} rows for {len(frames)} frames"
            )
        if not len(frames):
            return incomplete(f"{directory}: there are no frames to evaluate")
        if not (table.etot_kpu.any() or table.f_mean.any()):
            return incomplete(f"{layout.KPU_MODEL_DEVI} holds nothing but zeros")
        return DONE
