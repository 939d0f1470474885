"""Every error that pwact raises on purpose.

::

    PwactError                exit 1   something failed; nothing recorded is lost
    ├── InputError            exit 2   a file of the user is wrong: file, key path, found, allowed
    ├── UsageError            exit 2   the command line is wrong
    ├── StageChangedError     exit 2   a finished stage's inputs were changed
    ├── LockedError           exit 1   another pwact works in this directory
    ├── TaskError             exit 1   the output of one task cannot be used
    │   ├── NotConvergedError          … because its SCF did not converge
    │   └── CutOffError                … because a file ends too early
    ├── BudgetError           exit 3   what the user allows is used up, with work left
    ├── QuorumError           exit 1   too many tasks of one stage failed
    └── SchedulerError        exit 1   the scheduler refused what we asked, for good
"""

from __future__ import annotations

from pathlib import Path
from typing import Optional

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_WRONG_INPUT = 2
EXIT_STOPPED = 3
EXIT_INTERRUPTED = 130


class PwactError(Exception):
    """Base of all errors that are shown to the user as one message."""

    exit_code = EXIT_FAILED


class InputError(PwactError):
    """A file of the user cannot be accepted.

    Parameters
    ----------
    message
        What was found and what is allowed.
    file
        The file that holds the error.
    key
        Key path inside the file, such as ``strategy.model_num`` or ``explore.md_jobs[0].temps``.
    """

    exit_code = EXIT_WRONG_INPUT

    def __init__(self, message: str, file: Optional[Path] = None, key: str = "") -> None:
        self.message = message
        self.file = file
        self.key = key
        where = [str(part).replace("\n", "\\n") for part in (file, key) if part]
        one_line = " ".join(part.strip() for part in message.split("\n"))
        super().__init__(": ".join([*where, one_line]))


class UsageError(PwactError):
    """The command line asks for something that does not exist."""

    exit_code = EXIT_WRONG_INPUT


class StageChangedError(PwactError):
    """A finished stage would be done differently with the present inputs."""

    exit_code = EXIT_WRONG_INPUT


class LockedError(PwactError):
    """Another process works in this directory."""


class TaskError(PwactError):
    """The output of one task is incomplete or cannot be read."""


class UnfitModelError(TaskError):
    """A training cannot begin with a model.

    Attributes
    ----------
    key
        Key of the input that is at odds with it, where it is not the one that names the model.
    """

    def __init__(self, message: str, key: str = "") -> None:
        super().__init__(message)
        self.key = key


class NotConvergedError(TaskError):
    """The output is complete, but its electronic structure is not converged."""


class CutOffError(TaskError):
    """A file ends in the middle of something."""


class QuorumError(PwactError):
    """More tasks of one stage failed than may fail."""


class BudgetError(PwactError):
    """The next step would go beyond the user's budget."""

    exit_code = EXIT_STOPPED


class SchedulerError(PwactError):
    """The scheduler refused a request and will refuse it again."""
