"""Uncertainties as somebody adds them: the size of the largest force, and another column."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pwact import layout
from pwact.formats.model_devi import read_all_parts
from pwact.formats.step_table import read_step_table
from pwact.query.scales import ABSOLUTE
from pwact.query.window import Limits, Scores, Window
from pwact.report.measure import Measure
from pwact.uncertainties.committee import CommitteeDeviation
from pwact.verdict import DONE, Verdict, incomplete
from tests.workflow.toys import ToyKpu

RESULT = "force_size.out"


class ForceSizeEvaluator(ToyKpu):
    """Leaves ``force_size.out``."""

    def command(self) -> str:
        return "toy-size"

    def check(self, directory: Path) -> Verdict:
        return DONE if (directory / RESULT).exists() else incomplete(f"no {RESULT}")


def toy_size(directory: Path) -> None:
    """The program: 0.05, 0.15, 0.25 … eV/Å."""
    rows = [f"{10 * n} {0.05 + 0.1 * n}" for n in range(5)]
    (directory / RESULT).write_text("\n".join(["# step size", *rows]) + "\n")


class ForceSize:
    """The uncertainty; its limits are the window of committees, in eV/Å."""

    measure = Measure(
        "size of the largest force",
        "size",
        "largest force",
        ("lower_model_devi_f", "upper_model_devi_f"),
        unit="eV/Å",
    )
    result = RESULT
    streams = False
    scales = ABSOLUTE

    def evaluator(self, trainer: Any) -> ForceSizeEvaluator:
        return ForceSizeEvaluator()

    def files(self, trajectory: Path) -> list[Path]:
        return [layout.evaluated(trajectory) / RESULT]

    def scores(self, trajectory: Path) -> Scores:
        table = read_step_table(self.files(trajectory)[0], [("size",)])
        return Scores(table.steps, table.columns["size"], np.zeros(len(table.steps), dtype=bool))

    def measured(self, trajectory: Path) -> Scores:
        """The same."""
        return self.scores(trajectory)

    def error_in(self, limits: Limits) -> str:
        return "" if limits.lower < limits.upper else "no force is larger and smaller"

    def window(self, limits: Limits, trajectories: Sequence[Scores]) -> tuple[Window, str]:
        return Window(limits.lower, limits.upper), ""


class HalfDeviation(CommitteeDeviation):
    """Half the largest deviation of the committee, from the same file and with the same keys."""

    measure = Measure(
        "half the force deviation",
        "half",
        "half the force deviation",
        ("lower_model_devi_f", "upper_model_devi_f"),
        unit="eV/Å",
    )

    def scores(self, trajectory: Path) -> Scores:
        rows = read_all_parts(trajectory)
        return Scores(rows.steps, rows.max_f / 2, rows.failed)
