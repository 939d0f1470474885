"""Failed tasks that a finished stage goes on without: which of them the next start tries again.

A lost task is tried again as long as nothing that was paid for stands on the results of its stage.
What costs nothing is made again with it. Trainings that did not see a label that came late are
kept, with a word to the user.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Optional

from pwact.executors.base import TaskResult
from pwact.io.journal import Journal
from pwact.verdict import Outcome
from pwact.workflow import changes, ledger, steps
from pwact.workflow.ledger import StageState, place_of

logger = logging.getLogger(__name__)

# of the chain: step → steps that run programs on what it leaves
_PAID_AFTER = {"aimd": ("direct", "scf"), "bigmodel": ("direct", "scf")}
# of the chain: step → steps that are made again, for nothing, when a task came late
_FREE_AFTER = {"aimd": ("collection",), "bigmodel": ("collection",), "scf": ("collection",)}

WOULD_SERVE = "would_serve"  # what an exploration would serve by now, which stays as it is
# of the loop: step → what of its inputs follows from the labels of earlier iterations
_BY_LABELS = {"appraise": ("pairs",), "explore": (WOULD_SERVE,), "select": ("pairs", "rounds")}
_AGAIN = {"train": "trains on them", "explore": "decides again which condition it serves"}


class Losses:
    """The tasks that failed in this start, by stage."""

    def __init__(self) -> None:
        self._failed: dict[str, dict[str, Outcome]] = {}

    def note(self, stage: str, directory: str, result: TaskResult) -> None:
        """Take note of a result; `directory` is that of the task, relative."""
        mine = self._failed.setdefault(stage, {})
        mine.pop(directory, None)
        if not result.verdict.done:
            mine[directory] = result.verdict.outcome

    def recorded(self, stage: str, left: Mapping[str, Any], leave: bool) -> dict[str, Any]:
        """What a stage leaves, for the journal, with the tasks that another try may mend.

        What left usable output in spite of all is no loss. Nothing in the directory of a task that
        failed may be deleted.

        Parameters
        ----------
        left
            Its ``files``, ``transient`` and, of tasks that only the stage saw to be lost, ``lost``.
        leave
            The user gives failed tasks up.
        """
        failed = self._failed.get(stage, {})
        mine = {
            directory
            for directory, outcome in failed.items()
            if outcome is Outcome.INCOMPLETE and directory not in left["files"]
        }
        left, lost = dict(left), sorted(mine | set(left.get("lost", ())))
        left.pop("lost", None)
        places = {PurePosixPath(directory) for directory in failed}
        transient = [
            name
            for name in left["transient"]
            if not places & {PurePosixPath(name), *PurePosixPath(name).parents}
        ]
        if not lost or leave:
            return {**left, "transient": transient}
        text = "%s: done without %s; the next start of the same command tries again"
        logger.warning(text, stage, _counted(lost))
        return {**left, "transient": transient, "lost": lost}


def tried_again(
    journal: Journal, state: StageState, stages: Mapping[str, StageState], leave: bool
) -> bool:
    """Open a finished stage again for its lost tasks, if there are any and that is possible.

    Parameters
    ----------
    leave
        The user gives them up.
    """
    if not state.lost:
        return False
    if leave:
        journal.append(ledger.LEFT, name=state.name)
        logger.info("%s: %s left out for good", state.name, _counted(state.lost))
        return False
    blocker = built_on(state, stages)
    if blocker is not None:
        if place_of(state.name)[1] == "label":
            text = "%s: %s tried again by a start after %s is done"
            logger.warning(text, state.name, _counted(state.lost), blocker)
            return False
        text = (
            "%s: %s not tried again, since %s was computed without: --redo %s does that whole step "
            "again, --leave-failed gives them up; the first: %s"
        )
        counted = _counted(state.lost)
        logger.warning(text, state.name, counted, blocker, state.name, state.lost[0])
        return False
    journal.append(ledger.REOPENED, name=state.name)
    logger.warning("%s: %s tried again", state.name, _counted(state.lost))
    return True


def will_be_tried(state: StageState, stages: Mapping[str, StageState], leave: bool) -> bool:
    """Whether the next turn of a finished stage opens it again for its lost tasks."""
    return bool(state.lost) and not leave and built_on(state, stages) is None


def built_on(state: StageState, stages: Mapping[str, StageState]) -> Optional[str]:
    """Name a stage that must not change and stands on the results of this one; None if none does.

    A training that is done is kept when a label comes late, so only one under way stands against.
    """
    iteration, step = place_of(state.name)
    if step == "label":
        for name, other in stages.items():
            number, what = place_of(name)
            later = iteration is not None and number is not None and number > iteration
            if later and what == "train" and other.begun and not other.done:
                return name
        return None
    prefix = state.name[: -len(step)]
    names = [f"{prefix}{what}" for what in _after(state.name, free=False)]
    return next((name for name in names if name in stages and stages[name].begun), None)


def made_again(events: Sequence[Mapping[str, Any]], state: StageState) -> bool:
    """Whether a stage that costs nothing is done again, since a task before it came late."""
    return any(
        name[: -len(step)] + free == state.name
        for name, step in _reopened_since(events, state)
        for free in _after(name, free=True)
    )


def _after(name: str, free: bool) -> Sequence[str]:
    """The steps after one that run programs, or those that are made again for nothing."""
    iteration, step = place_of(name)
    if iteration is None:
        return (_FREE_AFTER if free else _PAID_AFTER).get(step, ())
    return [one.name for one in steps.after(step) if one.free is free]


def late_labels(events: Sequence[Mapping[str, Any]], state: StageState) -> list[str]:
    """Labellings that were opened again, for labels that were lost, since a stage was begun."""
    found = [name for name, step in _reopened_since(events, state) if step == "label"]
    return list(dict.fromkeys(found))


def caught_up(journal: Journal, state: StageState, inputs: Mapping[str, Any]) -> StageState:
    """A finished stage with labels that came after it on record, if nothing else changed.

    It is kept, though it did not see them.
    """
    events, step = journal.events(), place_of(state.name)[1]
    late = late_labels(events, state)
    if not state.done or not late:
        return state
    newer = _newer_products(events, late)
    by_labels = {key: inputs[key] for key in _BY_LABELS.get(step, ()) if key in inputs}
    expected = {**_replaced(state.inputs, newer), **by_labels}
    if not any(changes.differences(state.inputs, inputs)):
        return state
    if any(changes.differences(expected, inputs)):
        return state
    key = ledger.key_of(inputs)
    journal.append(ledger.KEPT, name=state.name, key=key, inputs=inputs)
    text = "%s: kept as it is, though %s has labels that it did not see; --redo %s %s"
    logger.warning(text, state.name, ", ".join(late), state.name, _AGAIN.get(step, "heeds them"))
    return ledger.stages(journal.events())[state.name]


def in_hand(stages: Iterable[StageState]) -> list[str]:
    """Directories of the lost tasks of these stages."""
    return [directory for state in stages for directory in state.lost]


def _reopened_since(
    events: Sequence[Mapping[str, Any]], state: StageState
) -> list[tuple[str, str]]:
    """Name and step of each stage that was opened again since this one was begun."""
    later = events[state.begun_at + 1 :] if state.begun_at >= 0 else []
    names = [str(event["name"]) for event in later if event["event"] == ledger.REOPENED]
    return [(name, place_of(name)[1]) for name in names]


def _newer_products(events: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, str]:
    """Hash of each earlier product of these stages → that of the same product today."""
    found: dict[str, str] = {}
    today = ledger.stages(events)
    for event in events:
        if event["event"] == ledger.DONE and event["name"] in names:
            now = today[event["name"]].files
            found.update((known, now.get(path, known)) for path, known in event["files"].items())
    return found


def _replaced(value: Any, newer: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {key: _replaced(member, newer) for key, member in value.items()}
    if isinstance(value, list):
        return [_replaced(member, newer) for member in value]
    return newer.get(value, value) if isinstance(value, str) else value


def _counted(lost: Sequence[str]) -> str:
    return "1 failed task" if len(lost) == 1 else f"{len(lost)} failed tasks"
