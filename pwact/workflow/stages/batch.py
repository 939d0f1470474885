"""Labels all frames of an iteration in one task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Union

from pwact.config.resources import ResourceBlock
from pwact.engines.batch import BatchLabeler
from pwact.errors import QuorumError
from pwact.workflow.quorum import may_fail
from pwact.workflow.stage import Services
from pwact.workflow.stages.prepare import prepare
from pwact.workflow.stages.script import run_script

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True)
class BatchWork:
    """The one task that labels all frames.

    Attributes
    ----------
    stage
        The stage that asks for it, in words.
    """

    stage: str
    labeler: BatchLabeler
    directory: Path
    block: ResourceBlock

    def answers(
        self, services: Services, frames: Callable[[], Sequence[Atoms]]
    ) -> list[Union[Atoms, str]]:
        """Run it; for each frame it, labelled, or why it is not.

        Parameters
        ----------
        frames
            Gives the frames; asked only when the directory is not prepared yet.

        Raises
        ------
        QuorumError
            The task failed.
        """

        def write(place: Path) -> None:
            self.labeler.write_batch(place, frames())

        prepare(self.directory, write)
        run_script(services, self.stage, self.labeler, self.directory, self.block)
        return self.labeler.read_batch(self.directory)


def demand_answers(answers: Sequence[Union[Atoms, str]], rate: float, stage: str) -> None:
    """Raise QuorumError when too many frames have no label.

    Parameters
    ----------
    rate
        Share that may have none, 0..1; one is tolerated, unless it is the only one.
    """
    reasons = [answer for answer in answers if isinstance(answer, str)]
    allowed = may_fail(rate, len(answers))
    if len(reasons) > allowed:
        raise QuorumError(
            f"{stage}: {len(reasons)} of {len(answers)} frames have no label, at most {allowed} "
            f"may; the first because {reasons[0]}\n"
            f"What next: repair the script and start with --redo {stage}, or let "
            "DFT.max_failed_rate allow it"
        )
