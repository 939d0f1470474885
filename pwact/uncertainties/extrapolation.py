"""The extrapolation grade of the atomic environments of a frame, which one model tells.

By how many times an environment is larger, in the space of what the energy depends on, than those
of the training data that span it: up to 1 inside. E. V. Podryabinkin and A. V. Shapeev, Comput.
Mater. Sci. 140, 171 (2017).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from pwact import layout
from pwact.errors import InputError
from pwact.formats.extrapolation import read_grades
from pwact.query.window import Scores
from pwact.report.measure import Measure
from pwact.uncertainties.base import FixedWindow

if TYPE_CHECKING:
    from pwact.engines.evaluator import KpuEvaluator
    from pwact.engines.trainers import Trainer


@runtime_checkable
class Grading(Protocol):
    """A trainer whose library grades how far its model extrapolates."""

    def grades(self) -> KpuEvaluator:
        """What leaves ``extrapolation_grade.out``."""


class ExtrapolationGrade(FixedWindow):
    """``grade`` of ``extrapolation_grade.out``; the limits are the window for all systems."""

    measure = Measure(
        "extrapolation grade",
        "grade",
        "largest extrapolation grade",
        ("grade_lower", "grade_upper"),
        decades=True,
    )
    result = layout.EXTRAPOLATION_GRADE
    streams = False  # a step of its own stands between the exploration and the choice

    def evaluator(self, trainer: Trainer) -> KpuEvaluator:
        """That of the trainer. Raises InputError where its library has none."""
        if not isinstance(trainer, Grading):
            raise InputError("the models of this engine have no extrapolation grade")
        return trainer.grades()

    def files(self, trajectory: Path) -> list[Path]:
        """Where it was computed."""
        return [layout.evaluated(trajectory) / self.result]

    def scores(self, trajectory: Path) -> Scores:
        """The largest of an atom, of each frame. Raises TaskError."""
        rows = read_grades(self.files(trajectory)[0])
        return Scores(rows.steps, rows.grade, rows.failed)

    def measured(self, trajectory: Path) -> Scores:
        """The same: it is linear in what an environment has that the data have not."""
        return self.scores(trajectory)
