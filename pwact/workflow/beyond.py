"""What lies beyond the end of a run: iterations that later decisions have made needless.

With a target a run may end earlier than it did: labels of an early iteration were done again and
gave other errors, or the user asked for less. What was done beyond is never part of the data
without a word: it moves aside where an earlier step was done again, and is refused otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from pwact import layout
from pwact.errors import StageChangedError
from pwact.executors.history import asked_below
from pwact.io.journal import Journal
from pwact.workflow import ledger, steps
from pwact.workflow.fate import Decision, Fate, Situation, decide
from pwact.workflow.ledger import StageState
from pwact.workflow.stage import Stage
from pwact.workflow.tasks.prepare import relative


class Aside(Protocol):
    """What is asked of a campaign; see `pwact.workflow.active_learning.Runner`."""

    work_dir: Path
    journal: Journal

    def stages(self) -> dict[str, StageState]:
        """All stages that were begun, by name."""

    def asked(self, name: str) -> bool:
        """Whether the user wants this stage done again, and it was not yet."""

    def set_aside(self, stage: Stage) -> None:
        """Put on record that a stage makes room."""

    def finish_set_aside(self, stage: Stage) -> None:
        """Move what a stage that made room has left, unless that was done."""


def places(stages: Mapping[str, StageState], last: int) -> list[tuple[int, steps.Step]]:
    """Iteration and step of each stage beyond the last training, which is in iteration `last`."""
    end = steps.of_the_end()
    numbers = {number for name in stages if (number := ledger.place_of(name)[0]) is not None}
    return [
        (number, step)
        for number in sorted(numbers)
        for step in steps.STEPS
        if number > last or (number == last and step not in end)
        if f"{layout.iteration_name(number)}/{step.name}" in stages
    ]


def _verdict(campaign: Aside, stage: Stage, follows: bool) -> Decision:
    events, state = campaign.journal.events(), campaign.stages()[stage.name]
    below = relative(stage.directory, campaign.work_dir)
    return decide(
        Situation(
            begun=state.begun,
            done=state.done,
            asked=campaign.asked(stage.name),
            stale=follows or (state.begun and ledger.set_aside_before(events, state)),
            changes=("the run ends before it",),
            at_stake=state.done or asked_below(events[state.begun_at + 1 :], below),
        )
    )


def leave_out(campaign: Aside, stage: Stage, last: int, follows: bool) -> bool:
    """Move a stage aside that is not part of the run any more; done again, it changes nothing.

    Parameters
    ----------
    follows
        A stage before it was moved aside just now.

    Returns
    -------
    bool
        Whether it was moved.

    Raises
    ------
    StageChangedError
        It is there since the user has asked for more before.
    """
    fate = _verdict(campaign, stage, follows).fate
    if fate is Fate.REFUSE:
        raise StageChangedError(refusal(stage.name, last))
    if fate is Fate.REDO:
        campaign.set_aside(stage)
    campaign.finish_set_aside(stage)
    return fate is Fate.REDO


def refusal(name: str, last: int) -> str:
    """Why a start is refused."""
    iteration = name.partition("/")[0]
    return (
        f"{name}: it was begun, but by strategy.target_force_error, strategy.max_iterations and "
        f"the labels so far the run now ends after {layout.iteration_name(last - 1)}. Undo the "
        f"change, or start with --redo {iteration} to leave it out (what is there is kept aside), "
        "or with --keep-finished to count it"
    )
