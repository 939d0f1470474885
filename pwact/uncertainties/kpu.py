"""The Kalman prediction uncertainty of the forces, averaged over a frame.

One model tells it after the exploration, up to a factor. After ALKPU, arXiv 2411.13850.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pwact import layout
from pwact.formats.kpu_devi import read_kpu_devi
from pwact.query.kpu import base_of, kpu_window
from pwact.query.scales import RELATIVE
from pwact.query.window import Limits, Scores, Window
from pwact.report.measure import Measure

if TYPE_CHECKING:
    from pwact.engines.evaluator import KpuEvaluator
    from pwact.engines.trainers import Trainer


class KalmanUncertainty:
    """``f_kpu_mean`` of ``kpu_model_devi.out``; each system has a window of its own."""

    measure = Measure(
        "Kalman prediction uncertainty of the forces",
        "KPU",
        "KPU of the forces",
        ("kpu_lower", "kpu_upper"),
        relative=True,
        decades=True,
        axis_in_full="Kalman prediction uncertainty of the forces",
    )
    result = layout.KPU_MODEL_DEVI
    streams = False  # a step of its own stands between the exploration and the choice
    scales = RELATIVE

    def evaluator(self, trainer: Trainer) -> KpuEvaluator:
        """That of the trainer. Raises InputError where its models have no Kalman filter."""
        return trainer.kpu()

    def files(self, trajectory: Path) -> list[Path]:
        """Where it was computed, else beside the trajectory."""
        computed = layout.evaluated(trajectory) / self.result
        beside = trajectory / self.result
        return [beside if beside.is_file() and not computed.is_file() else computed]

    def scores(self, trajectory: Path) -> Scores:
        """One value a frame. Raises TaskError."""
        rows = read_kpu_devi(self.files(trajectory)[0])
        return Scores(rows.steps, rows.f_mean, rows.failed)

    def measured(self, trajectory: Path) -> Scores:
        """Its root, for it is a variance. Raises TaskError."""
        scores = self.scores(trajectory)
        with np.errstate(invalid="ignore"):
            return Scores(scores.steps, np.sqrt(scores.values), scores.failed)

    def error_in(self, limits: Limits) -> str:
        """Both are factors."""
        if limits.lower > 0 and limits.upper > 1:
            return ""
        return (
            f"lower {limits.lower:g} and upper {limits.upper:g}: with KPU upper multiplies lower; "
            "lower must be above 0 and upper above 1"
        )

    def window(self, limits: Limits, trajectories: Sequence[Scores]) -> tuple[Window, str]:
        """Multiples of what the first frames of the system have."""
        base = base_of(trajectories)
        window = kpu_window(base, limits.lower, limits.upper)
        story = f"base {base:.6g}, lower limit {window.lower:.6g}, upper limit {window.upper:.6g}"
        if not base > 0:
            story += "; no limits can be derived from this base, so no frame is a candidate"
        return window, story
