"""The largest deviation of a committee's forces on an atom, which the exploration leaves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pwact import layout
from pwact.formats.model_devi import read_all_parts
from pwact.query.window import Limits, Scores, Window
from pwact.report.measure import Measure

if TYPE_CHECKING:
    from pwact.engines.trainers import Trainer


class CommitteeDeviation:
    """``max_devi_f`` of ``model_devi.out``, eV/Å; the limits are the window for all systems."""

    measure = Measure(
        "model deviation force",
        "deviation",
        "largest force deviation",
        ("lower_model_devi_f", "upper_model_devi_f"),
        unit="eV/Å",
    )
    result = layout.MODEL_DEVI
    streams = True

    def evaluator(self, trainer: Trainer) -> None:
        """The models judge while they explore."""
        del trainer

    def files(self, trajectory: Path) -> list[Path]:
        """The rows of the MD; a continued one has two files."""
        return sorted(trajectory.glob(layout.MODEL_DEVI_FILES))

    def scores(self, trajectory: Path) -> Scores:
        """The rows of all parts. Raises TaskError."""
        rows = read_all_parts(trajectory)
        return Scores(rows.steps, rows.max_f, rows.failed)

    def measured(self, trajectory: Path) -> Scores:
        """The same. Raises TaskError."""
        return self.scores(trajectory)

    def objection(self, limits: Limits) -> str:
        """There must be room between the two."""
        if limits.lower < limits.upper:
            return ""
        return f"lower {limits.lower:g} is not below upper {limits.upper:g}"

    def window(self, limits: Limits, trajectories: Sequence[Scores]) -> tuple[Window, str]:
        """The limits themselves."""
        del trajectories
        return Window(limits.lower, limits.upper), ""
