"""What a labeler offers: first-principles results of one frame. See `pwact.engines`."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, Protocol

from pwact.engines.assignment import Assigner, Holder
from pwact.engines.heading import Heading
from pwact.verdict import Verdict

if TYPE_CHECKING:
    from ase import Atoms


class Purpose(Enum):
    """What a labeler computes."""

    RELAX = "relax"
    AIMD = "aimd"
    SCF = "scf"


class Labeler(Assigner, Holder, Protocol):
    """Computes energies and forces from first principles, or stands in for that.

    Attributes
    ----------
    structure_format
        Format name (`pwact.formats.structures`) of intermediate structures.
    structure_postfix
        Postfix of their files, ``.config`` or ``.poscar`` …
    log
        Name of the file in a task directory whose tail explains a failure.
    shell_check
        See `pwact.executors.base.Task`.
    heading
        By what several starts in one directory are seen; None where nothing is printed.
    """

    structure_format: str
    structure_postfix: str
    log: str
    shell_check: str
    heading: Optional[Heading]

    def validate(self, purpose: Purpose, elements: frozenset[str]) -> None:
        """Raise InputError unless `purpose` can be computed for these elements."""

    def fingerprint(self, purpose: Purpose) -> dict[str, Any]:
        """Everything but the structure that the result depends on, as JSON (files by hash)."""

    def write_input(
        self, directory: Path, atoms: Atoms, purpose: Purpose, seed: int, step: Optional[int] = None
    ) -> None:
        """Write all files of one task into the existing `directory`.

        `step` is the MD step of a frame to be labelled; some engines put it in file names.
        """

    def command(self, purpose: Purpose) -> str:
        """Shell text that runs the program in the task directory."""

    def check(self, directory: Path, purpose: Purpose) -> Verdict:
        """Whether the output is complete and converged."""

    def read_result(self, directory: Path, purpose: Purpose) -> list[Atoms]:
        """Labelled frames: all ionic steps of an AIMD, else the last (relax: with final cell).

        Of an AIMD that was cut off, the complete steps; `check` says whether it came to its end.
        Raises NotConvergedError or TaskError, also when there is no complete step.
        """

    def kept_files(self, name: str) -> bool:
        """Whether a file of a finished scf task stays when scf files are not reserved."""
