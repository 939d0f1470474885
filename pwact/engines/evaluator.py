"""What computes an uncertainty that the exploration does not leave. See `pwact.engines`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, Protocol

from pwact.verdict import Verdict

if TYPE_CHECKING:
    from pwact.engines.trainers import TrainedModel


class KpuEvaluator(Protocol):
    """Kalman prediction uncertainty of the frames of one trajectory, by one model.

    Attributes
    ----------
    log
        Name of the file in a task directory whose tail explains a failure.
    """

    log: str
    shell_check: str

    def fingerprint(self) -> dict[str, Any]:
        """Everything but model and trajectory that the result depends on, as JSON."""

    def write_input(self, directory: Path, model: TrainedModel, trajectory: Path) -> None:
        """Write all files of one task into the existing `directory`.

        `trajectory` is the directory of a finished MD. Raises TaskError when the model cannot tell
        its uncertainty.
        """

    def command(self) -> str:
        """Shell text that runs the evaluation in the task directory."""

    def check(self, directory: Path) -> Verdict:
        """Whether ``kpu_model_devi.out`` has a row for every frame of the trajectory."""

    def transient_files(self, directory: Path) -> list[Path]:
        """Files and folders of a done task that are deleted once the iteration is complete."""

    def with_features(self) -> Optional[KpuEvaluator]:
        """The same, that leaves features too (`pwact.formats.features`); None if it cannot."""
