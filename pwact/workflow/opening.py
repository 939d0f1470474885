"""How a campaign is opened: who it is, and which of its stages the user asks for again."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Callable, Optional

from pwact import __version__
from pwact.errors import UsageError
from pwact.io.journal import FORMAT, Journal
from pwact.workflow import ledger
from pwact.workflow.seeds import draw_root

CAMPAIGN = "campaign_started"

Progress = Callable[[str, int], AbstractContextManager[Any]]


@dataclass(frozen=True)
class CampaignOptions:
    """What the user wants to happen to stages that are not as they were.

    Attributes
    ----------
    redo
        Names of stages (``iter.0000/train``) or of iterations (``iter.0000``) to do again.
    keep_finished
        Accept finished stages whose inputs or products were changed.
    leave_failed
        Give the failed tasks of finished stages up: do not try them again.
    config_hash
        Hash of the input files, for the record only.
    progress
        Makes the progress bar of a dispatch from its kind and its number of tasks; the bar has an
        ``update()``.
    """

    redo: tuple[str, ...] = ()
    keep_finished: bool = False
    leave_failed: bool = False
    config_hash: str = ""
    progress: Optional[Progress] = None


UNCHANGED = CampaignOptions()


def start(
    journal: Journal,
    events: Sequence[Mapping[str, Any]],
    command: str,
    seed: Optional[int],
    config_hash: str,
) -> Mapping[str, Any]:
    """Find the campaign in the journal, or begin it; a new seed is a new beginning."""
    earlier = [event for event in events if event["event"] == CAMPAIGN]
    own = [event for event in earlier if event["command"] == command]
    if own and seed in (None, own[-1]["seed"]):
        return own[-1]
    started = {
        "command": command,
        "campaign": earlier[-1]["campaign"] if earlier else uuid.uuid4().hex[:12],
        "seed": draw_root() if seed is None else seed,
    }
    journal.append(CAMPAIGN, **written_by(), config_hash=config_hash, **started)
    return started


def written_by() -> dict[str, Any]:
    """Who writes an event, and in which format, so that others know what to make of it."""
    return {"version": __version__, "journal_format": FORMAT}


def check_redo(redo: Sequence[str], events: Sequence[Mapping[str, Any]]) -> None:
    """Raise UsageError for a word that names no stage that was ever begun."""
    known = list(ledger.stages(events))
    for word in redo:
        if not any(asked_again((word,), name) for name in known):
            raise UsageError(
                f"--redo {word}: no such stage was begun here; begun: {', '.join(known) or 'none'}"
            )


def asked_again(redo: Sequence[str], name: str) -> bool:
    """Whether one of the words is this stage or its iteration."""
    return any(name == word or name.startswith(f"{word}/") for word in redo)
