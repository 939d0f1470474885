"""What the journal says about the stages of a campaign, and what changed since."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Callable, Optional

from pwact import fingerprint, layout
from pwact.io.events import (
    Event,
    FailuresLeft,
    RedoAsked,
    StageDone,
    StageKept,
    StageReopened,
    StageSetAside,
    StageStarted,
    StageTaken,
    TakenOver,
)
from pwact.io.folding import folded
from pwact.workflow import steps

STARTED = "stage_started"
DONE = "stage_done"
KEPT = "stage_kept"
_VIEW = f"{layout.COLLECTION}/{layout.DATAPATH}"
REDO = "redo_asked"  # what is done again, until it was set aside
ASIDE = "stage_set_aside"
REOPENED = "stage_reopened"  # its lost tasks are tried again; what is done of it stays
LEFT = "failures_left"  # the user gave its lost tasks up
CHAIN = (
    layout.RELAX,
    layout.SUPER_CELL_SCALE,
    layout.PERTURB,
    layout.AIMD,
    layout.BIGMODEL,
    layout.DIRECT,
    layout.SCF,
    layout.COLLECTION,
)
TAKEN = "taken_over"  # stages that another program had done, all in one event


@dataclass(frozen=True)
class StageState:
    """One stage as the journal knows it.

    Attributes
    ----------
    key
        Hash of `inputs`; "" for a stage that was set aside and not begun again.
    files
        Product → hash, paths relative to the work directory.
    sizes
        Product → bytes; empty where that was not recorded.
    transient
        What retention may delete, relative to the work directory.
    position
        Number of the last event that says something about the stage.
    begun_at
        Number of the event with which it was begun.
    aside
        Directory → where it goes, both relative, while the stage waits to be done again.
    lost
        Directories of tasks that failed, without which it is done, relative to the work directory.
    reopened
        Whether it was opened again for lost tasks since it was begun.
    started_at, ended_at
        Seconds since the epoch; the time between two turns of a stage is left out.
    version
        Of the pwact that began the stage; "" if the journal does not say.
    """

    name: str
    key: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    done: bool = False
    files: Mapping[str, str] = field(default_factory=dict)
    transient: tuple[str, ...] = ()
    report: Mapping[str, Any] = field(default_factory=dict)
    position: int = -1
    begun_at: int = -1
    aside: Optional[tuple[str, str]] = None
    started_at: float = 0.0
    ended_at: Optional[float] = None
    version: str = ""
    sizes: Mapping[str, int] = field(default_factory=dict)
    lost: tuple[str, ...] = ()
    reopened: bool = False

    @property
    def begun(self) -> bool:
        """Whether it was started (and not set aside since)."""
        return bool(self.key)


Turn = Callable[[StageState, Any], StageState]


class Ledger:
    """What the events of a journal say about its stages.

    Attributes
    ----------
    stages
        The state of every stage, in the order in which they were first begun.
    pending
        As `pending` returns them.
    aside
        Position of each event that set a stage aside, and the stage.
    """

    def __init__(self) -> None:
        self.stages: dict[str, StageState] = {}
        self.pending: dict[str, bool] = {}
        self.aside: list[tuple[int, str]] = []
        self._version = ""

    def read(self, position: int, event: Mapping[str, Any]) -> None:
        """Take in the next event."""
        self._version = event.get("version", self._version)  # pwact 0.5.0: on the first only
        if event["event"] == REDO:
            asked = RedoAsked.from_json(event)
            self.pending.update(dict.fromkeys(asked.remade, False))
            self.pending.update(dict.fromkeys(asked.names, True))
        if event["event"] == ASIDE:
            self.aside.append((position, StageSetAside.from_json(event).name))
        for told, turn in _stories(event):
            self.pending.pop(told.name, None)
            after = turn(self.stages.get(told.name, StageState(told.name)), told)
            if isinstance(told, (StageStarted, StageTaken)):
                by = self._version if isinstance(told, StageStarted) else ""
                after = replace(after, begun_at=position, version=by)
            self.stages[told.name] = replace(after, position=position)


def stages(events: Sequence[Mapping[str, Any]]) -> dict[str, StageState]:
    """Read the state of every stage, in the order in which they were first begun."""
    return dict(folded(events, Ledger).stages)


def _stories(event: Mapping[str, Any]) -> list[tuple[Any, Turn]]:
    """What an event says about single stages, and what is made of it."""
    if event["event"] == TAKEN:
        return [(StageTaken.from_json(one), _taken) for one in TakenOver.from_json(event).stages]
    if event["event"] not in _READERS:
        return []
    kind, turn = _READERS[event["event"]]
    return [(kind.from_json(event), turn)]


def place_of(name: str) -> tuple[Optional[int], str]:
    """Iteration and step of a stage: of ``iter.0001/train`` 1 and ``train``; None in init_bulk."""
    place, _, step = name.rpartition("/")
    number = place.rpartition(".")[2]
    return (int(number) if number.isdigit() else None), step


def comes_before(one: str, other: str, order: Sequence[str]) -> bool:
    """Whether a step may read results of another one; `order` is that in which steps were begun.

    Steps of `init_bulk` and of `run` never read from each other: data of the user are between them.
    """
    (turn, step), (later_turn, later_step) = place_of(one), place_of(other)
    if (turn is None) != (later_turn is None):
        return False
    if turn is not None and later_turn is not None and turn != later_turn:
        return turn < later_turn
    if turn is None and one[: -len(step)] != other[: -len(later_step)]:
        return False  # other entries of the same init_bulk
    known = CHAIN if turn is None else steps.names()
    if step in known and later_step in known:
        return known.index(step) < known.index(later_step)
    return order.index(one) < order.index(other)


def set_aside_before(events: Sequence[Mapping[str, Any]], state: StageState) -> bool:
    """Whether a step that comes before this one was set aside since this one was begun or done."""
    known = folded(events, Ledger)
    later = [name for position, name in known.aside if position > state.position]
    order = list(known.stages) if later else []
    return any(comes_before(name, state.name, order) for name in later)


def begun_otherwise_before(events: Sequence[Mapping[str, Any]], state: StageState) -> bool:
    """Whether such a step was begun again with other inputs than it had."""
    now = stages(events)
    earlier = stages(events[: state.position + 1])
    order = list(now)
    return any(
        one.begun and name in earlier and one.key != earlier[name].key
        for name, one in now.items()
        if comes_before(name, state.name, order) and one.begun_at > state.position
    )


def pending(events: Sequence[Mapping[str, Any]]) -> dict[str, bool]:
    """Stages that are yet to be done again as asked for → whether the user named them.

    Those that were not named are remade for what they left once and is gone.
    """
    return dict(folded(events, Ledger).pending)


def together_s(stages: Iterable[StageState]) -> float:
    """Seconds in which at least one of these stages was at work; those not done are left out."""
    spans = [(one.started_at, one.ended_at) for one in stages if one.ended_at is not None]
    total, until = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total


def _started(_: StageState, event: StageStarted) -> StageState:
    return StageState(event.name, event.key, event.inputs, started_at=event.time)


def _done(before: StageState, event: StageDone) -> StageState:
    return replace(
        before,
        key=event.key,
        done=True,
        files=_results(event.files),
        transient=event.transient,
        report=event.report,
        ended_at=event.time,
        sizes=event.sizes,
        lost=event.lost,
    )


def _results(files: Mapping[str, str]) -> dict[str, str]:
    """The products without those that are views by now: written again whenever entries come."""
    return {name: known for name, known in files.items() if name != _VIEW}


def _reopened(before: StageState, event: StageReopened) -> StageState:
    began = event.time - ((before.ended_at or 0.0) - before.started_at)
    return replace(before, done=False, lost=(), started_at=began, ended_at=None, reopened=True)


def _left(before: StageState, _: FailuresLeft) -> StageState:
    return replace(before, lost=())


def _taken(_: StageState, stage: StageTaken) -> StageState:
    return StageState(stage.name, stage.key, stage.inputs, True, stage.files, report=stage.report)


def _kept(before: StageState, event: StageKept) -> StageState:
    known = replace(before, key=event.key, inputs=event.inputs)
    return known if event.files is None else replace(known, files=_results(event.files), sizes={})


def _aside(before: StageState, event: StageSetAside) -> StageState:
    return StageState(before.name, aside=(event.directory, event.to))


_READERS: dict[str, tuple[type[Event], Turn]] = {
    STARTED: (StageStarted, _started),
    DONE: (StageDone, _done),
    KEPT: (StageKept, _kept),
    ASIDE: (StageSetAside, _aside),
    REOPENED: (StageReopened, _reopened),
    LEFT: (FailuresLeft, _left),
}


def canonical(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """`inputs` as they are read back from JSON (tuples become lists), defaults still known."""
    plain: dict[str, Any] = fingerprint.canonical(inputs)
    return plain


def key_of(inputs: Mapping[str, Any]) -> str:
    """Hash of canonical inputs, 16 hex digits."""
    return hashlib.sha256(fingerprint.text_of(inputs).encode()).hexdigest()[:16]
