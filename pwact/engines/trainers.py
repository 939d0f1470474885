"""What a trainer offers: the models of a committee. See `pwact.engines`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, Protocol

from pwact.engines.heading import Heading
from pwact.verdict import Verdict

if TYPE_CHECKING:
    from pwact.engines.evaluator import KpuEvaluator
    from pwact.engines.model_reading import ModelReading
    from pwact.engines.potential import Potential


@dataclass(frozen=True)
class TrainingData:
    """Data sets of one training.

    Attributes
    ----------
    train, valid
        Data set paths in `data_format` (``extxyz`` files, ``pwmlff/npy`` folders).
    """

    train: tuple[Path, ...]
    valid: tuple[Path, ...]
    data_format: str


@dataclass(frozen=True)
class ValidError:
    """Root-mean-square errors on the validation data: eV per atom (energy), eV/Å (forces)."""

    rmse_e: float
    rmse_f: float


@dataclass(frozen=True)
class TrainedModel:
    """What a finished training leaves.

    Attributes
    ----------
    files
        Role → file; the roles are the trainer's own. Their contents are the model.
    valid
        Errors on the validation data; None without such data.
    """

    directory: Path
    files: Mapping[str, Path] = field(default_factory=dict)
    valid: Optional[ValidError] = None


class Trainer(Protocol):
    """Trains one member of a committee.

    Attributes
    ----------
    begins_with_models
        Whether a training takes another starting point from `write_input`'s start_from.
    """

    log: str
    shell_check: str
    heading: Optional[Heading]
    begins_with_models: bool

    def validate(self) -> None:
        """Raise InputError when the training keys cannot be honoured."""

    def fingerprint(self) -> dict[str, Any]:
        """Everything but data and seed that the result depends on, as JSON."""

    def write_input(
        self,
        directory: Path,
        data: TrainingData,
        seed: int,
        start_from: Optional[Path],
    ) -> None:
        """Write all files of one training into the existing `directory`.

        Parameters
        ----------
        start_from
            Directory of the member's previous training, or a model file of the user; None
            starts from nothing.
        """

    def command(self) -> str:
        """Shell text that runs the training in the task directory."""

    def check(self, directory: Path) -> Verdict:
        """Whether the training is complete."""

    def reached(self, directory: Path) -> float:
        """How far a training came from which `command` goes on; 0 where it begins again."""

    def read_result(self, directory: Path) -> TrainedModel:
        """The trained model. Raises TaskError."""

    def potential(self, models: Sequence[TrainedModel]) -> Potential:
        """What the explorer needs to run these members together; the first drives the MD."""

    def whole(self) -> Optional[Trainer]:
        """What trains one model on all frames; None where every member of a committee is that."""

    def reading(self) -> Optional[ModelReading]:
        """What reads the models to begin with once; None where `validate` has seen all of them."""

    def kpu(self) -> KpuEvaluator:
        """How the uncertainty of one model is computed. Raises InputError where it cannot be."""
