"""How sure the models are of a frame: by a committee, or by the Kalman filter of one model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Protocol

import numpy as np

from pwact import layout
from pwact.config.run import RunConfig
from pwact.engines.base import Explorer, Trainer
from pwact.engines.evaluator import KpuEvaluator
from pwact.formats.kpu_devi import read_kpu_devi
from pwact.formats.model_devi import Deviations
from pwact.query.kpu import base_of, kpu_window
from pwact.query.window import Scores, Window
from pwact.report.plots import deviation_histogram, kpu_histogram
from pwact.workflow.stages.kpu import kpu_place


class Uncertainty(Protocol):
    """What the frames of an exploration are judged by.

    Attributes
    ----------
    words
        What it is called in ``select_summary.txt``.
    streams
        Whether a system can be judged as soon as its trajectories have ended.
    relative
        Whether each system has a window of its own, so that values are known up to a factor.
    evaluator
        Computes what the exploration does not leave; None where it leaves all.
    """

    words: str
    streams: bool
    relative: bool

    @property
    def evaluator(self) -> Optional[KpuEvaluator]:
        """See the class."""

    def inputs(self) -> Mapping[str, Any]:
        """What the window depends on, as JSON."""

    def files(self, iteration: int, trajectory: Path) -> list[Path]:
        """The files in which the uncertainty of a trajectory stands."""

    def scores(self, iteration: int, trajectory: Path) -> Scores:
        """The uncertainty of each frame of a trajectory. Raises TaskError."""

    def window(self, trajectories: Sequence[Scores]) -> tuple[Window, str]:
        """The window of a system, and where it comes from ("" if the user named it)."""

    def picture(self, path: Path, values: np.ndarray, window: Window) -> bool:
        """Draw how the values are distributed; whether that was possible."""


@dataclass(frozen=True)
class CommitteeDeviation:
    """The largest deviation of the committee's forces on an atom, which the MD leaves."""

    config: RunConfig
    explorer: Explorer
    words = "model deviation force"
    streams = True
    relative = False
    evaluator = None

    def inputs(self) -> Mapping[str, Any]:
        """The window of the user."""
        strategy = self.config.strategy
        return {
            "lower_model_devi_f": strategy.lower_model_devi_f,
            "upper_model_devi_f": strategy.upper_model_devi_f,
        }

    def files(self, iteration: int, trajectory: Path) -> list[Path]:
        """The rows of the MD; a continued one has two files."""
        del iteration
        return sorted(trajectory.glob(layout.MODEL_DEVI_FILES))

    def scores(self, iteration: int, trajectory: Path) -> Scores:
        """``max_devi_f``, eV/Å."""
        del iteration
        return committee_scores(self.explorer.read_result(trajectory).deviations())

    def window(self, trajectories: Sequence[Scores]) -> tuple[Window, str]:
        """That of the user, for every system."""
        del trajectories
        strategy = self.config.strategy
        return Window(strategy.lower_model_devi_f, strategy.upper_model_devi_f), ""

    def picture(self, path: Path, values: np.ndarray, window: Window) -> bool:
        """Deviations on a linear scale."""
        return deviation_histogram(path, values, window.lower, window.upper)


@dataclass(frozen=True)
class KalmanUncertainty:
    """The Kalman prediction uncertainty of the forces, averaged over a frame."""

    config: RunConfig
    explorer: Explorer
    evaluator: KpuEvaluator
    words = "Kalman prediction uncertainty of the forces"
    streams = False  # a stage of its own stands between the exploration and the choice
    relative = True

    def inputs(self) -> Mapping[str, Any]:
        """The factors of the user."""
        strategy = self.config.strategy
        return {"kpu_lower": strategy.kpu_lower, "kpu_upper": strategy.kpu_upper}

    def files(self, iteration: int, trajectory: Path) -> list[Path]:
        """``kpu_model_devi.out``."""
        place = kpu_place(self.config.work_dir, iteration, trajectory)
        return [place / layout.KPU_MODEL_DEVI]

    def scores(self, iteration: int, trajectory: Path) -> Scores:
        """``f_kpu_mean``."""
        (path,) = self.files(iteration, trajectory)
        return kpu_scores(path)

    def window(self, trajectories: Sequence[Scores]) -> tuple[Window, str]:
        """Multiples of what the first frames of the system have."""
        strategy = self.config.strategy
        return relative_window(trajectories, strategy.kpu_lower, strategy.kpu_upper)

    def picture(self, path: Path, values: np.ndarray, window: Window) -> bool:
        """Uncertainties on a logarithmic scale."""
        return kpu_histogram(path, values, window.lower, window.upper)


def committee_scores(rows: Deviations) -> Scores:
    """``max_devi_f`` of each frame, eV/Å."""
    return Scores(rows.steps, rows.max_f, rows.failed)


def kpu_scores(path: Path) -> Scores:
    """``f_kpu_mean`` of each frame. Raises TaskError."""
    rows = read_kpu_devi(path)
    return Scores(rows.steps, rows.f_mean, rows.failed)


def relative_window(
    trajectories: Sequence[Scores], kpu_lower: float, kpu_upper: float
) -> tuple[Window, str]:
    """The window of one system by KPU, and the words that tell base and limits."""
    base = base_of(trajectories)
    window = kpu_window(base, kpu_lower, kpu_upper)
    story = f"base {base:.6g}, lower limit {window.lower:.6g}, upper limit {window.upper:.6g}"
    if not base > 0:
        story += "; no limits can be derived from this base, so no frame is a candidate"
    return window, story


def uncertainty_of(config: RunConfig, trainer: Trainer, explorer: Explorer) -> Uncertainty:
    """What `strategy.uncertainty` names.

    Raises
    ------
    InputError
        The trainer has no Kalman filter.
    """
    if config.strategy.uncertainty == "kpu":
        return KalmanUncertainty(config, explorer, trainer.kpu())
    return CommitteeDeviation(config, explorer)
