"""What becomes of a step at a start: a function of facts, without a look at any file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Fate(Enum):
    """What a start does with a step."""

    BEGIN = "begin"
    GO_ON = "go on"
    SKIP = "keep"
    REDO = "do again"
    REFUSE = "refuse"


@dataclass(frozen=True)
class Situation:
    """What is known of a step at a start.

    Attributes
    ----------
    begun, done
        As the journal says; a step that was set aside counts as not begun.
    asked
        ``--redo`` names it, and it was not done in this start yet.
    remake
        It left something that is gone by now and is needed; done again, it leaves the same.
    deleted
        It is done, but its directory is gone.
    stale
        An earlier step was done again since, and left something else than what this one read.
    late, taken
        A step before it got more results since; a crash of the machine took results of its own.
    changes
        Every input and product that is not as it was, in words.
    at_stake
        Work would be lost: it is done, or jobs were asked for.
    keep
        The user accepts changes (``--keep-finished``).
    """

    begun: bool = True
    done: bool = True
    asked: bool = False
    remake: bool = False
    deleted: bool = False
    stale: bool = False
    late: bool = False
    taken: bool = False
    changes: Sequence[str] = ()
    at_stake: bool = True
    keep: bool = False


@dataclass(frozen=True)
class Decision:
    """What becomes of a step, and why ("" where nothing is special)."""

    fate: Fate
    why: str = ""


def decide(found: Situation) -> Decision:
    """Say what a start does with a step."""
    if not found.begun:
        return Decision(Fate.BEGIN)
    if why := _why_again(found):
        return Decision(Fate.REDO, why)
    changed = "; ".join(found.changes)
    if changed and (found.remake or not found.keep):
        return Decision(Fate.REFUSE, changed)
    return Decision(
        Fate.SKIP if found.done else Fate.GO_ON, f"kept, though {changed}" if changed else ""
    )


def _why_again(found: Situation) -> str:
    """Why a step is done again without a question; "" if it is not."""
    changed = bool(found.changes)
    reasons = (
        (found.asked, "--redo asks for it"),
        (found.done and found.deleted, "its directory was deleted"),
        (found.stale, "an earlier step was done again and left other results"),
        (found.remake and not changed, "what it left is needed again"),
        (changed and found.late, "a step before it has more results by now"),
        (changed and found.taken, "a crash of the machine has taken what was done"),
        (
            changed and not found.at_stake,
            f"no job of it was begun yet, and {'; '.join(found.changes)}",
        ),
    )
    return next((why for holds, why in reasons if holds), "")
