"""What the trainings of all engines have in common."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from pwact.engines.heading import Heading
from pwact.engines.model_reading import ModelReading
from pwact.engines.trainers import TrainedModel, Trainer
from pwact.engines.training_end import demand_end
from pwact.errors import InputError, TaskError
from pwact.formats.frames import read_frames
from pwact.verdict import DONE, Verdict, incomplete

if TYPE_CHECKING:
    from ase import Atoms

ABSURD = 1e12  # eV: beside a coefficient as large, rounding alone spoils the fourth decimal


def plausible(numbers: Iterable[float]) -> bool:
    """Whether these can be numbers of a model, or its errors: finite, and not absurdly large."""
    return all(math.isfinite(number) and abs(number) < ABSURD for number in numbers)


def archive_is_whole(path: Path) -> bool:
    """Whether what ``torch.save`` wrote is there to its end, a ZIP archive, with right sums."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile, NotImplementedError, EOFError):
        return False


def known_frames(
    paths: Sequence[Path], data_format: str, types: Sequence[str], file: Path
) -> list[Atoms]:
    """Frames of data sets.

    Raises
    ------
    InputError
        They hold elements that `file` does not list.
    """
    frames = [frame for path in paths for frame in read_frames(path, data_format)]
    strange = {symbol for frame in frames for symbol in frame.symbols} - set(types)
    if strange:
        words = " ".join(sorted(strange))
        raise InputError(f"the data hold {words}, which it does not list", file, "train.atom_type")
    return frames


def demand_files(files: Sequence[Path]) -> None:
    """Raise TaskError unless all are there and hold something."""
    for file in files:
        if not file.is_file() or not file.stat().st_size:
            raise TaskError(f"{file.name} is missing in {file.parent}")


class TrainingTask:
    """How a training is judged. See `pwact.engines.trainers.Trainer`."""

    shell_check = '[ "$rc" -eq 0 ]'
    heading: Optional[Heading] = None
    begins_with_models = True

    def read_result(self, directory: Path) -> TrainedModel:
        """The trained model. Raises TaskError."""
        raise NotImplementedError

    def reached(self, directory: Path) -> float:  # noqa: ARG002
        """Each try begins again."""
        return 0.0

    def whole(self) -> Optional[Trainer]:
        """None: each member sees all frames."""
        return None

    def reading(self) -> Optional[ModelReading]:
        """None: there is nothing that only the library can read."""
        return None

    def check(self, directory: Path) -> Verdict:
        """Whether the training is complete, which is whether its model can be read."""
        try:
            demand_end(directory)
            self.read_result(directory)
        except TaskError as error:
            return incomplete(str(error))
        return DONE
