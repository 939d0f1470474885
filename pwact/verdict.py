"""What the output of a task says about the task."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Outcome(Enum):
    """Three ways a task can look."""

    DONE = "done"
    UNUSABLE = "unusable"  # complete, but of no use (SCF not converged): trying again is pointless
    INCOMPLETE = "incomplete"  # not there, or cut off: worth another try


@dataclass(frozen=True)
class Verdict:
    """The outcome of a task and the reason for it in words."""

    outcome: Outcome
    reason: str = ""

    @property
    def done(self) -> bool:
        """Whether the output can be used."""
        return self.outcome is Outcome.DONE


DONE = Verdict(Outcome.DONE)


def incomplete(reason: str) -> Verdict:
    """A verdict that asks for another try."""
    return Verdict(Outcome.INCOMPLETE, reason)


def unusable(reason: str) -> Verdict:
    """A verdict that gives the task up."""
    return Verdict(Outcome.UNUSABLE, reason)
