"""Labels all frames of an iteration in one task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Union

from pwact.config.resources import ResourceBlock
from pwact.engines.batch import BatchLabeler
from pwact.errors import QuorumError
from pwact.formats.same_frame import structure_key
from pwact.workflow.labels.labelling import tell_taken
from pwact.workflow.labels.sources import Sources
from pwact.workflow.labels.store import label_key
from pwact.workflow.quorum import may_fail
from pwact.workflow.stage import Services
from pwact.workflow.tasks.prepare import prepare
from pwact.workflow.tasks.script import run_script

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
        self, services: Services, frames: Sequence[Callable[[], Atoms]]
    ) -> list[Union[Atoms, str]]:
        """Run it; for each frame it, labelled, or why it is not.

        Parameters
        ----------
        frames
            Give the frames; asked only when the directory is not prepared yet.

        Raises
        ------
        QuorumError
            The task failed.
        """

        def write(place: Path) -> None:
            self.labeler.write_batch(place, [frame() for frame in frames])

        if not frames:
            return []

        prepare(self.directory, write)
        run_script(services, self.stage, self.labeler, self.directory, self.block)
        return self.labeler.read_batch(self.directory)

    def answers_once(
        self, services: Services, sources: Sources, frames: Sequence[Callable[[], Atoms]]
    ) -> list[Union[Atoms, str]]:
        """As `answers`, for frames of which no two are alike; labels from before are taken."""
        fingerprint = self.labeler.fingerprint()
        keys, found = [], []
        for frame in frames:
            atoms = frame()
            keys.append(label_key(structure_key(atoms), fingerprint))
            found.append(sources.of(keys[-1], atoms, self.directory))
        sources.write()
        left = [frame for frame, source in zip(frames, found) if isinstance(source, Path)]
        tell_taken(self.stage, len(frames), len(left), sources.store.directory)
        computed = iter(self.answers(services, left))
        answers: list[Union[Atoms, str]] = []
        for key, source in zip(keys, found):
            answer = next(computed) if isinstance(source, Path) else source
            if isinstance(source, Path) and not isinstance(answer, str):
                sources.store.put(key, answer)
            answers.append(answer)
        return answers


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
