"""The contract of an uncertainty: which files tell it, in which unit, and what its limits mean."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Optional, Protocol

from pwact.query.scales import RELATIVE
from pwact.query.window import Limits, Scores, Window
from pwact.report.measure import Measure

if TYPE_CHECKING:
    from pwact.engines.evaluator import KpuEvaluator
    from pwact.engines.trainers import Trainer


class Uncertainty(Protocol):
    """How unsure models are of each frame of a trajectory. It keeps nothing between two calls.

    A trajectory is a directory ``md.*.sys.*/md.*.sys.*…``, of a campaign of ours or of PWact.

    Attributes
    ----------
    measure
        What its values are called, their unit, and the keys of its limits.
    result
        Name of the file that tells it.
    streams
        Whether a system can be judged as soon as its trajectories have ended.
    scales
        What of it may be compared with errors: names of `pwact.query.scales.measures`.
    """

    measure: Measure
    result: str
    streams: bool
    scales: tuple[str, ...]

    def evaluator(self, trainer: Trainer) -> Optional[KpuEvaluator]:
        """What computes it once the exploration is done; None where the exploration leaves it.

        Raises
        ------
        InputError
            The models of this trainer do not tell it.
        """

    def files(self, trajectory: Path) -> list[Path]:
        """The files that tell it, whether they are there or not; none if nothing is known of them.

        What is selected depends on their contents.
        """

    def scores(self, trajectory: Path) -> Scores:
        """Its value for each frame.

        Raises
        ------
        TaskError
            The files are missing, or cannot be understood.
        """

    def measured(self, trajectory: Path) -> Scores:
        """What is compared with the force error where there is a target, for each frame.

        It grows in proportion to the error: of a variance it is the root. Raises TaskError.
        """

    def error_in(self, limits: Limits) -> str:
        """Why no value can lie between these limits; "" where some can."""

    def window(self, limits: Limits, trajectories: Sequence[Scores]) -> tuple[Window, str]:
        """The window of one system by the user's limits, and how it was derived, "" if it was not.

        Parameters
        ----------
        trajectories
            All of the system.
        """


class FixedWindow:
    """The limits of the user are the window of every system."""

    scales = RELATIVE

    def error_in(self, limits: Limits) -> str:
        """There must be room between the two."""
        if limits.lower < limits.upper:
            return ""
        return f"lower {limits.lower:g} is not below upper {limits.upper:g}"

    def window(self, limits: Limits, trajectories: Sequence[Scores]) -> tuple[Window, str]:
        """The limits themselves."""
        del trajectories
        return Window(limits.lower, limits.upper), ""
