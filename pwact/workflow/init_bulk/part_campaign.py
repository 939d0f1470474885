"""The campaign of an init_bulk as the steps of one part see it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pwact import layout
from pwact.io.journal import Journal
from pwact.workflow.init_bulk import parts
from pwact.workflow.ledger import StageState, place_of
from pwact.workflow.stage import Services, Stage, StageOutput


class Whole(Protocol):
    """What a part asks of its campaign."""

    journal: Journal

    @property
    def root(self) -> int:
        """The root seed."""

    def stages(self) -> dict[str, StageState]:
        """All stages by name."""

    def finished(self, stage: Stage) -> bool:
        """Whether a stage is done and nothing before it is needed."""

    def run(self, stage: Stage) -> Mapping[str, Any]:
        """Do a stage unless it is done already, and return its report."""


class PartCampaign:
    """A campaign as the steps of one part see it: these have names and random numbers of their own.

    Parameters
    ----------
    alone
        Whether there is no other part.
    """

    def __init__(self, campaign: Whole, part: parts.Part, alone: bool = True) -> None:
        self.part = part
        self.alone = alone
        self.journal = campaign.journal
        self._campaign = campaign

    @property
    def root(self) -> int:
        """The root of its random numbers."""
        return self._campaign.root

    @property
    def collected(self) -> bool:
        """Whether its results are in the collection."""
        state = self.stages().get(layout.COLLECTION)
        return state is not None and state.done

    def give(self, part: parts.Part, once_done: bool = False) -> None:
        """Put its entries on record, unless they are."""
        known = parts.known_parts(self.journal.events())
        if part not in known and not (once_done and not known and self.stages()):
            self.journal.append(parts.GIVEN, **part.event())

    def stages(self) -> dict[str, StageState]:
        """Its steps by name."""
        prefix = self.part.prefix
        states = self._campaign.stages().items()
        mine = {name: state for name, state in states if place_of(name)[0] is None}
        if not prefix:
            return {name: state for name, state in mine.items() if "/" not in name}
        return {n[len(prefix) :]: state for n, state in mine.items() if n.startswith(prefix)}

    def finished(self, stage: Stage) -> bool:
        """Whether a step is done and nothing before it is needed."""
        return self._campaign.finished(Prefixed(stage, self.part.prefix))

    def run(self, stage: Stage) -> Mapping[str, Any]:
        """Do a step unless it is done already, and return its report."""
        return self._campaign.run(Prefixed(stage, self.part.prefix))


@dataclass(frozen=True)
class Prefixed:
    """A stage with something before its name."""

    stage: Stage
    prefix: str

    @property
    def name(self) -> str:
        """``added-1/aimd``."""
        return f"{self.prefix}{self.stage.name}"

    @property
    def directory(self) -> Path:
        """Where it works."""
        return self.stage.directory

    @property
    def reads(self) -> Collection[str]:
        """Results of earlier stages in `inputs`."""
        return self.stage.reads

    def inputs(self) -> Mapping[str, Any]:
        """What the result depends on."""
        return self.stage.inputs()

    def work(self, services: Services) -> StageOutput:
        """Do the work."""
        return self.stage.work(services)
