"""What the evaluations of the Kalman prediction uncertainty have in common."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Optional

import numpy as np

from pwact import layout
from pwact.engines.lammps.input import DUMP
from pwact.engines.worker import python_module
from pwact.errors import TaskError
from pwact.formats.features import Features
from pwact.formats.kpu_devi import read_kpu_devi
from pwact.formats.lammps_dump import DumpTrajectory
from pwact.verdict import DONE, Verdict, incomplete

if TYPE_CHECKING:
    from pwact.engines.evaluator import KpuEvaluator

LOG = "kpu.log"
WITH_FEATURES = "--features"


class KpuTask:
    """How an evaluation is judged. See `pwact.engines.evaluator.KpuEvaluator`."""

    log = LOG
    shell_check = '[ "$rc" -eq 0 ]'
    result = layout.KPU_MODEL_DEVI

    def with_features(self) -> Optional[KpuEvaluator]:
        """Most give none."""
        return None

    def frames(self, directory: Path) -> np.ndarray:
        """MD steps of the frames to evaluate, ascending, int, shape (n,). Raises TaskError."""
        raise NotImplementedError

    def rows(self, directory: Path) -> tuple[np.ndarray, bool]:
        """MD steps of the rows, shape (n,), and whether they hold more than zeros.

        The energy has a constant term, so its uncertainty is never 0. Raises TaskError.
        """
        table = read_kpu_devi(directory / self.result)
        return table.steps, bool(np.nan_to_num(table.etot_kpu).any() or table.f_mean.any())

    def check(self, directory: Path) -> Verdict:
        """Whether every frame has its row, and there are frames.

        A table of zeros, in each column of each row, was not computed.
        """
        try:
            steps, computed = self.rows(directory)
            frames = self.frames(directory)
        except TaskError as error:
            return incomplete(str(error))
        if not np.array_equal(steps, frames):
            return incomplete(f"{self.result} has {len(steps)} rows for {len(frames)} frames")
        if not len(frames):
            return incomplete(f"{directory}: there are no frames to evaluate")
        if not computed:
            return incomplete(f"{self.result} holds nothing but zeros")
        return DONE


class DumpTask(KpuTask):
    """An evaluation that reads a dump, which does not stay."""

    def frames(self, directory: Path) -> np.ndarray:
        """Those of the dump."""
        return DumpTrajectory(directory / DUMP, ()).steps()

    def transient_files(self, directory: Path) -> list[Path]:
        """The link to the dump."""
        return [path for path in (directory / DUMP,) if path.is_symlink()]


class FeaturedKpuTask(DumpTask):
    """One that can leave features as well.

    Parameters
    ----------
    features
        Whether it leaves the features of every frame too.
    """

    def __init__(self, features: bool = False) -> None:
        self._features = features

    def worker(self, module: str, *arguments: object, python: str = "") -> str:
        """Shell text that runs the evaluation by a module of this package."""
        more = f" {WITH_FEATURES}" if self._features else ""
        return f"{python_module(module, *arguments, python=python)}{more} > {LOG} 2>&1"

    def check(self, directory: Path) -> Verdict:
        """Whether every frame has its row, and its features if they are asked for."""
        verdict = super().check(directory)
        if not (verdict.done and self._features):
            return verdict
        try:
            Features(directory / layout.FEATURES)
        except TaskError as error:
            return incomplete(str(error))
        return verdict

    def transient_files(self, directory: Path) -> list[Path]:
        """The link to the dump, and the features."""
        features = [directory / layout.FEATURES] if self._features else []
        return super().transient_files(directory) + features
