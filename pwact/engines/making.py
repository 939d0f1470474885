"""Labelers whose calculator can be made once without a calculation, to see whether it can be."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

from pwact.config.resources import ResourceBlock


@runtime_checkable
class MakesCalculator(Protocol):
    """Writes and reads the trial; who runs it is not its business. See `pwact.engines`.

    Attributes
    ----------
    input_file
        The file of the user that describes the calculator.
    block
        The resource block whose program makes it.
    """

    input_file: Path
    block: ResourceBlock

    def write_making(self, directory: Path) -> None:
        """Write the files of the trial into the existing `directory`."""

    def making_command(self, python: str) -> str:
        """Shell text that makes the calculator in `directory`, in one process.

        Parameters
        ----------
        python
            Shell text that starts the Python of the block without a parallel launcher.
        """

    def read_making(self, directory: Path, printed: str) -> None:
        """Raise InputError, with file and key, unless the calculator was made.

        Parameters
        ----------
        printed
            What the command printed.
        """
