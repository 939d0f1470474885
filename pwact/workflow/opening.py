"""How a campaign is opened: who it is, and which of its stages the user asks for again."""

from __future__ import annotations

import contextlib
import logging
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Callable, Optional

from pwact import __version__, layout
from pwact.errors import EXIT_WRONG_INPUT, LockedError, PwactError, UsageError
from pwact.executors.history import ENDED, open_jobs_in
from pwact.io import files
from pwact.io.journal import FORMAT, Journal
from pwact.io.lock import WorkLock
from pwact.workflow import ledger, master
from pwact.workflow.again import is_named
from pwact.workflow.leftovers import sweep
from pwact.workflow.place import living_elsewhere, original_of
from pwact.workflow.seeds import draw_root

logger = logging.getLogger(__name__)

CAMPAIGN = "campaign_started"
LABEL = "label"  # the command whose campaign is one data set, alone in its directory
COUNT_ONCE = "distinct"  # a structure is labelled, and in the data, once
SCF_ALONE = "scf_alone"  # scf of an entry of init_bulk without MD labels its structures
FINAL = "final"  # the run ends with a force field to be handed on, unless the input says otherwise

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
    begun
        Called when the start is accepted, before anything is done.
    inputs
        ``param``, ``resource`` and ``launch`` for the journal; see `pwact.io.events.MasterStarted`.
    progress
        Makes the progress bar of a dispatch from its kind and its number of tasks; the bar has an
        ``update()``.
    """

    redo: tuple[str, ...] = ()
    keep_finished: bool = False
    leave_failed: bool = False
    inputs: Mapping[str, str] = field(default_factory=dict)
    begun: Callable[[], None] = lambda: None
    progress: Optional[Progress] = None


UNCHANGED = CampaignOptions()


def start(
    journal: Journal,
    events: Sequence[Mapping[str, Any]],
    command: str,
    seed: Optional[int],
) -> Mapping[str, Any]:
    """Find the campaign in the journal, or begin it; a new seed is a new beginning.

    The beginning is written with the first thing that is done: a start that is refused leaves no
    trace. Those that older versions left are passed over.
    """
    earlier = [event for event in events if event["event"] == CAMPAIGN]
    own = [event for event in earlier if event["command"] == command]
    if seed is None:
        own = _with_work(events, own) or own
    _demand_own(earlier, command, journal.path.parent.parent)
    original = original_of(journal.path.parent.parent, events)
    new = not earlier or original is not None
    name = uuid.uuid4().hex[:12] if new else earlier[-1]["campaign"]
    known = bool(own) and seed in (None, own[-1]["seed"])
    if known and original is None:
        return {**own[-1], "campaign": name}
    if original is not None:
        _leave_jobs_to(original, journal, events)
    started = {
        "command": command,
        "campaign": name,
        "seed": draw_root() if seed is None else seed,
        "frames": COUNT_ONCE,
        SCF_ALONE: True,
        FINAL: True,
    }
    if known:  # in a copy
        started = {**{key: own[-1].get(key) for key in started}, "campaign": name}
    journal.hold(CAMPAIGN, **written_by(), **started)
    return started


def _demand_own(earlier: Sequence[Mapping[str, Any]], command: str, work_dir: Path) -> None:
    """Raise UsageError for a campaign beside another one with which it shares no directory."""
    others = sorted({event["command"] for event in earlier} - {command})
    if others and LABEL in (command, *others):
        raise UsageError(
            f"{work_dir} holds a campaign of pwact {' and '.join(others)}; pwact {command} needs "
            f"another directory, since one of pwact {LABEL} is alone in its own"
        )


def _leave_jobs_to(original: Path, journal: Journal, events: Sequence[Mapping[str, Any]]) -> None:
    """Take note in a copy that the open jobs are not its own."""
    logger.warning(
        "this is a copy of %s: its jobs are left alone, and those of this campaign get other names",
        original,
    )
    for job in open_jobs_in(events):
        journal.hold(ENDED, name=job.name, id=job.id, state=f"left to {original}", done=0)


def root_of(
    events: Sequence[Mapping[str, Any]], command: str, seed: Optional[int]
) -> Optional[int]:
    """The root seed with which a start would go on; None where there is nothing to go on with."""
    own = [event for event in events if event["event"] == CAMPAIGN and event["command"] == command]
    if seed is not None or not own:
        return seed if own else None
    return int((_with_work(events, own) or own)[-1]["seed"])


def _with_work(
    events: Sequence[Mapping[str, Any]], starts: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Those of the starts of one command after which a stage was begun or kept with their seed."""
    found: list[Mapping[str, Any]] = []
    present: Optional[Mapping[str, Any]] = None
    for event in events:
        if event["event"] == CAMPAIGN:
            present = next((start for start in starts if start is event), present)
        elif present is not None and present not in found and _seed_of(event) == present["seed"]:
            found.append(present)
    return found


def _seed_of(event: Mapping[str, Any]) -> Any:
    """Root seed in the inputs of a stage that an event tells of, None if it tells of none."""
    stages = event["stages"] if event["event"] == ledger.TAKEN else [event]
    return stages[0].get("inputs", {}).get("seed") if stages else None


def written_by() -> dict[str, Any]:
    """Who writes an event, and in which format, so that others know what to make of it."""
    return {"version": __version__, "journal_format": FORMAT}


@contextlib.contextmanager
def held(state_dir: Path, redo: Sequence[str]) -> Iterator[WorkLock]:
    """Hold a work directory; where a first start is refused, nothing of it stays.

    Raises
    ------
    LockedError
        When another process holds it.
    UsageError
        When one of the words of `redo` names no stage.
    """
    events = Journal(state_dir / layout.JOURNAL).events()
    check_redo(redo, events)
    if state_dir.is_symlink():
        raise PwactError(f"{state_dir}: is a symbolic link; each campaign has one of its own")
    new = not state_dir.exists()
    state_dir.mkdir(parents=True, exist_ok=True)
    try:
        with WorkLock(state_dir / layout.LOCK, partial(master.why_dead, events)) as lock:
            if other := living_elsewhere(state_dir.parent, events):
                raise LockedError(
                    f"{state_dir.parent}: process {other['pid']} lives and holds another lock: "
                    "this directory is a copy, or its lock was deleted; end that process first"
                )
            sweep(state_dir.parent, events)
            yield lock
    except PwactError as error:
        if new and refused(error) and not (state_dir / layout.JOURNAL).exists():
            files.remove(state_dir)
        raise


def own_log(work_dir: Path) -> Path:
    """Where the log goes. Raises PwactError for a link to somewhere else."""
    return files.demand_own(work_dir / layout.LOG)


def refused(error: BaseException) -> bool:
    """Whether a start failed since its input cannot be accepted as it is."""
    return isinstance(error, PwactError) and error.exit_code == EXIT_WRONG_INPUT


def counts_once(events: Sequence[Mapping[str, Any]], command: str) -> bool:
    """Whether no data set of this campaign holds a structure twice.

    Campaigns that versions up to 0.5.0 began say nothing, and keep what they began with: taken up
    again, they end with the same data.
    """
    own = [one for one in events if one["event"] == CAMPAIGN and one["command"] == command]
    return not own or own[-1].get("frames") == COUNT_ONCE


def labels_structures(events: Sequence[Mapping[str, Any]]) -> bool:
    """Whether scf of an entry of init_bulk without MD labels its structures.

    In campaigns that earlier versions began it has no effect, and keeps none.
    """
    own = [one for one in events if one["event"] == CAMPAIGN and one["command"] == "init_bulk"]
    return all(one.get(SCF_ALONE) for one in own)


def ends_with_final(events: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a run makes the folder ``final`` where its input does not say.

    Campaigns that versions up to 0.5.0 began say nothing: taken up again, they start no further
    job at their end.
    """
    own = [one for one in events if one["event"] == CAMPAIGN and one["command"] == "run"]
    return not own or bool(own[-1].get(FINAL))


def check_redo(redo: Sequence[str], events: Sequence[Mapping[str, Any]]) -> None:
    """Raise UsageError for a word that names no stage that was ever begun."""
    known = list(ledger.stages(events))
    for word in redo:
        if not any(is_named(word, name) for name in known):
            raise UsageError(
                f"--redo {word}: no such stage was begun here; begun: {', '.join(known) or 'none'}"
            )


def name_left_running(names: Sequence[str]) -> None:
    """Tell the log which jobs go on without their master."""
    if names:
        logger.warning(
            "left running: %s; the next start takes them up, 'pwact kill' ends them",
            ", ".join(names),
        )


@contextlib.contextmanager
def made(directory: Path) -> Iterator[None]:
    """Make a directory; one in which nothing was written, since a start was refused, goes.

    Raises
    ------
    UsageError
        There is a file in place of it, or of one above it.
    """
    files.demand_directory(directory)
    new = not directory.exists()
    directory.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        if new and not any(directory.iterdir()):
            directory.rmdir()
