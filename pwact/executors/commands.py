"""Commands of schedulers: run one, and read what it says."""

from __future__ import annotations

import contextlib
import logging
import os
import pwd
import re
import signal
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from pwact.errors import SchedulerError
from pwact.executors.base import OutageError
from pwact.executors.processes import processes_with

logger = logging.getLogger(__name__)

LIST_LENGTH = 60_000  # of a list of ids; one argument may have 131,072 bytes on Linux
_COMMAND_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Answer:
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str


def run_command(
    words: Sequence[str],
    environment: Mapping[str, str],
    scheduler: str,
    stdin: Optional[Path] = None,
) -> Answer:
    """Run a command of a scheduler.

    Parameters
    ----------
    scheduler
        Its name, for the message that it is not installed.
    stdin
        The file that the command reads; None for nothing.

    Raises
    ------
    OutageError
        When it gives no answer in time.
    SchedulerError
        When it is not installed.
    """
    try:
        with Path(stdin or os.devnull).open("rb") as given:
            done = subprocess.run(
                list(words),
                env=dict(environment),
                stdin=given,
                capture_output=True,
                timeout=_COMMAND_TIMEOUT_S,
                check=False,
            )
    except FileNotFoundError as error:
        raise SchedulerError(
            f"the command {words[0]} is not installed here; without {scheduler} set "
            '"scheduler": "local" in resource.json'
        ) from error
    except subprocess.TimeoutExpired as error:
        raise OutageError(f"{words[0]}: no answer in {_COMMAND_TIMEOUT_S:.0f} s") from error
    except OSError as error:  # no memory, no process: not a word about any job
        raise OutageError(f"{words[0]}: {error}") from error
    return Answer(
        done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    )


def user_name() -> str:
    """Name of the user who runs this, whatever the environment says; the number if it has none."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def in_one_line(text: str) -> str:
    """Join what a command said into one line, without its name at the front of each."""
    lines = (
        re.sub(r"^(\w+: )?((error|Unable to run job): )?", "", line) for line in text.split("\n")
    )
    return "; ".join(line.strip() for line in lines if line.strip() not in ("", "Exiting."))


def end_submissions(program: str, words: Collection[str]) -> int:
    """End what a dead master has left of a submission, which may go on trying for minutes.

    Parameters
    ----------
    program
        The command that submits.
    words
        Arguments one of which it was given, and nothing else would be.
    """
    left = processes_with(program, words) if words else []
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    if left:
        logger.warning("ended %d %s that an earlier start had left at work", len(left), program)
    return len(left)
