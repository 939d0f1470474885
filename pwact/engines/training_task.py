"""What the trainings of all engines have in common."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Optional

from pwact.engines.heading import Heading
from pwact.engines.trainers import TrainedModel
from pwact.engines.training_end import demand_end
from pwact.errors import TaskError
from pwact.verdict import DONE, Verdict, incomplete

ABSURD = 1e12  # eV: beside a coefficient as large, rounding alone spoils the fourth decimal


def plausible(numbers: Iterable[float]) -> bool:
    """Whether these can be numbers of a model, or its errors: finite, and not absurdly large."""
    return all(math.isfinite(number) and abs(number) < ABSURD for number in numbers)


class TrainingTask:
    """How a training is judged. See `pwact.engines.trainers.Trainer`."""

    shell_check = '[ "$rc" -eq 0 ]'
    heading: Optional[Heading] = None

    def read_result(self, directory: Path) -> TrainedModel:
        """The trained model. Raises TaskError."""
        raise NotImplementedError

    def reached(self, directory: Path) -> float:  # noqa: ARG002
        """Each try begins again."""
        return 0.0

    def check(self, directory: Path) -> Verdict:
        """Whether the training is complete, which is whether its model can be read."""
        try:
            demand_end(directory)
            self.read_result(directory)
        except TaskError as error:
            return incomplete(str(error))
        return DONE
