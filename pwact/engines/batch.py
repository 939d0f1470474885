"""What a labeler offers that takes all frames of an iteration at once. See `pwact.engines`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Union, runtime_checkable

from pwact.engines.assignment import Assigner
from pwact.verdict import Verdict

if TYPE_CHECKING:
    from ase import Atoms


@runtime_checkable
class BatchLabeler(Assigner, Protocol):
    """Labels all frames of an iteration in one task.

    Attributes
    ----------
    kind
        Word for its directory, jobs and tags.
    given
        Names of the files with frames that `write_batch` writes.
    log, shell_check
        As those of `pwact.engines.labelers.Labeler`.
    """

    kind: str
    given: Sequence[str]
    log: str
    shell_check: str

    def validate(self, elements: frozenset[str]) -> None:
        """Raise InputError unless frames of these elements can be labelled."""

    def fingerprint(self) -> dict[str, Any]:
        """Everything but the frames that the result depends on, as JSON (files by hash)."""

    def write_batch(self, directory: Path, frames: Sequence[Atoms]) -> None:
        """Write all files of the task into the existing `directory`."""

    def command(self) -> str:
        """Shell text that labels the frames in the task directory."""

    def check(self, directory: Path) -> Verdict:
        """Whether the output can be read by `read_batch`."""

    def read_batch(self, directory: Path) -> list[Union[Atoms, str]]:
        """For each frame, in the order in which they were written: it, labelled, or why it is not.

        Atoms stand by ascending Z. Raises TaskError or InputError.
        """
