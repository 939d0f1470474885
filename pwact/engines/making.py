"""What can be made once without a calculation: a calculator of labels, a model to begin with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol, runtime_checkable

from pwact.config.resources import ResourceBlock
from pwact.errors import InputError

_NO_PWACT = re.compile(r"No module named '?pwact\b")
_LONGEST = 300  # characters of a line of output that are shown


@runtime_checkable
class MakesCalculator(Protocol):
    """Writes and reads the trial; who runs it is not its business. See `pwact.engines`."""

    @property
    def input_file(self) -> Path:
        """The file of the user that asks for it."""

    @property
    def block(self) -> ResourceBlock:
        """The resource block whose program is tried."""

    @property
    def trial(self) -> tuple[str, str, str]:
        """What is tried, what is done with it, and what tries it in a job.

        ``("calculator", "made", "--try")``.
        """

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


def without_pwact(block: ResourceBlock, printed: str, message: str) -> InputError:
    """What is wrong where the trial left nothing."""
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    last = lines[-1][:_LONGEST] if lines else "it printed nothing"
    message = f"{message} ({last})"
    if _NO_PWACT.search(printed):
        message = (
            "pwact is not installed in the Python that this command starts, so no task can be "
            "done there (python -m pip install, from the same checkout)"
        )
    return InputError(message, block.file, f"{block.name}.command")
