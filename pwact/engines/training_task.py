"""What the trainings of all engines have in common."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Optional

from pwact.engines.base import TrainedModel
from pwact.engines.heading import Heading
from pwact.errors import TaskError
from pwact.layout import failed_tag, success_tag
from pwact.verdict import DONE, Verdict, incomplete

ENDED = "train.ended"  # sizes and names of the files that the command left when it ended well
ABSURD = 1e12  # eV: beside a coefficient as large, rounding alone spoils the fourth decimal


def plausible(numbers: Iterable[float]) -> bool:
    """Whether these can be numbers of a model, or its errors: finite, and not absurdly large."""
    return all(math.isfinite(number) and abs(number) < ABSURD for number in numbers)


def record_end(*names: str) -> str:
    """Shell text, the last of a command, that records its good end and the sizes of its files."""
    return f"wc -c {' '.join(names)} > {ENDED}"


def unless_ended(mark: str, product: str, step: str) -> str:
    """Shell text for a step that is left out where its product is there as the step left it.

    `mark` names the file with the size of the product.
    """
    size = f"wc -c < {product}"
    ended = f'[ -s {mark} ] && [ -s {product} ] && [ "$(cat {mark})" = "$({size})" ]'
    return f"{{ {{ {ended}; }} || {{ rm -f {mark} {product}; {step} && {size} > {mark}; }}; }}"


def demand_end(directory: Path) -> None:
    """Raise TaskError unless a training ended well, and its files are as its command left them.

    Trainings of earlier versions, and of PWact, have the tag of success alone.
    """
    tag = directory / failed_tag("train")
    if tag.exists():
        raise TaskError(f"the training ended with an error ({tag})")
    try:
        rows = [line.split(maxsplit=1) for line in (directory / ENDED).read_text().splitlines()]
    except (OSError, ValueError):
        rows = []
    if not rows and not (directory / success_tag("train")).exists():
        raise TaskError(f"the training was cut off, or did not start: no {ENDED} in {directory}")
    for row in rows:
        if len(row) == 2 and row[0].isdigit() and row[1] != "total":
            demand_size(directory / row[1].strip(), int(row[0]))


def demand_size(path: Path, size: int) -> None:
    """Raise TaskError unless a file has this many bytes."""
    found = path.stat().st_size if path.is_file() else 0
    if found != size:
        raise TaskError(f"{path} has {found} bytes, {size} when the training ended")


class TrainingTask:
    """How a training is judged. See `pwact.engines.base.Trainer`."""

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
