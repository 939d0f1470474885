"""What SLURM's accounting knows of jobs that the queue has forgotten."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from typing import Callable

from pwact.errors import PwactError, SchedulerError
from pwact.executors import slurm_text
from pwact.executors.commands import Answer
from pwact.executors.slurm_text import Row

logger = logging.getLogger(__name__)

_COMMAND = ("sacct", "--noheader", "--allocations", "--parsable2")
# the second for a SLURM that does not know the field Reason
_FORMATS = ("--format=JobID,State,JobName,Reason", "--format=JobID,State,JobName")


class Accounting:
    """Asks sacct, as far as the installed one can answer.

    Only a cluster without accounting is asked no more. A sacct that fails otherwise is named
    once, and asked again the next time.

    Parameters
    ----------
    call
        Runs a command.
    """

    def __init__(self, call: Callable[[Sequence[str]], Answer]) -> None:
        self._call = call
        self._formats = list(_FORMATS)
        self._warned: set[str] = set()
        self.there = True  # until sacct says otherwise

    def rows(self, words: Sequence[str]) -> list[Row]:
        """Jobs that have ended, among those that `words` (options of sacct) choose.

        What accounting calls alive is left out: whether a job lives is the queue's word, and
        accounting goes on to list jobs that a controller has lost.
        """
        answer = self._ask(words)
        if answer is None:
            return []
        listed = slurm_text.rows(answer.out)
        return [row for row in listed if not slurm_text.state_of(row).alive]

    def _ask(self, words: Sequence[str]) -> Answer | None:
        while self.there:
            try:
                answer = self._call([*_COMMAND, f"--user={os.getuid()}", self._formats[0], *words])
            except SchedulerError:  # sacct is not installed
                self.there = False
                return None
            except PwactError as error:
                self._warn(str(error))
                return None
            if not answer.status:
                return answer
            message = slurm_text.clean(answer.err or answer.out)
            if len(self._formats) > 1 and slurm_text.is_unknown_field(message):
                del self._formats[0]
                continue
            self.there = not slurm_text.is_without_accounting(message)
            if self.there:
                self._warn(message or f"exit status {answer.status}")
            return None
        return None

    def _warn(self, message: str) -> None:
        if message not in self._warned:
            self._warned.add(message)
            logger.warning(
                "sacct does not answer: how jobs ended that the queue has forgotten stays "
                "unknown: %s",
                message,
            )
