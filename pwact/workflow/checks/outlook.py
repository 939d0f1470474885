"""What a start would do with a campaign that has begun. Nothing is written, nothing is locked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Callable, Optional

from pwact import layout
from pwact.config.param import LoadedPair
from pwact.config.resources import Resources
from pwact.config.run import RunConfig
from pwact.errors import PwactError, StageChangedError
from pwact.fingerprint import canonical, extended
from pwact.io.journal import Journal
from pwact.workflow import again, changes, crash, ledger, retry
from pwact.workflow.active_learning import Loop
from pwact.workflow.as_begun import init_as_begun, run_as_begun
from pwact.workflow.conditions import Serving
from pwact.workflow.fate import Decision, Fate, Situation, decide
from pwact.workflow.init_bulk import parts
from pwact.workflow.init_bulk.campaign import restricted
from pwact.workflow.init_bulk.chain import asked_of, chain_of, collection_of, stages_of
from pwact.workflow.init_bulk.part_campaign import PartCampaign
from pwact.workflow.ledger import StageState
from pwact.workflow.opening import UNCHANGED, CampaignOptions, check_redo, root_of
from pwact.workflow.stage import Stage
from pwact.workflow.turn import Engines, engines_of

_WORDS = {
    Fate.BEGIN: "begun",
    Fate.GO_ON: "taken up where it was",
    Fate.SKIP: "kept",
    Fate.REDO: "done again",
    Fate.REFUSE: "refused",
}
_IF = "kept if what it reads comes out the same, else done again"


@dataclass(frozen=True)
class Outlook:
    """What becomes of the steps.

    Attributes
    ----------
    steps
        Name, words and reason ("" for none) of each step that was looked at.
    refusal
        Why a start would be refused; "" if it would not.
    """

    steps: Sequence[tuple[str, str, str]] = ()
    refusal: str = ""

    @property
    def lines(self) -> list[str]:
        """One line for steps in a row of which the same is true."""
        found: list[list[Any]] = []
        for name, words, why in self.steps:
            told = f"{words}: {why}" if why else words
            if found and found[-1][1] == told:
                found[-1][0].append(name)
            else:
                found.append([[name], told])
        return [f"  {_listed(names)}: {told}" for names, told in found]


def _listed(names: Sequence[str]) -> str:
    if len(names) < 4:
        return ", ".join(names)
    return f"{names[0]} … {names[-1]} ({len(names)} steps)"


def outlook(pair: LoadedPair, options: CampaignOptions = UNCHANGED) -> Optional[Outlook]:
    """Say what a start would do; None where this command was never given.

    Raises
    ------
    UsageError
        ``options.redo`` names no stage.
    """
    config = pair.config
    events = Journal(config.work_dir / layout.STATE_DIR / layout.JOURNAL).events()
    root = root_of(events, pair.kind, config.seed)
    chain = pair.kind == "init_bulk"
    mine = [one for one in ledger.stages(events) if (ledger.place_of(one)[0] is None) == chain]
    if root is None or not mine:
        return None
    check_redo(options.redo, events)
    looker = _Looker(pair, root, options)
    try:
        if isinstance(config, RunConfig):
            _look_at_loop(config, pair.resources, looker)
        else:
            _look_at_chain(pair, looker)
    except _EndError:
        pass
    except (PwactError, OSError) as error:
        looker.steps.append(("what follows", "not known yet", str(error)))
    return Outlook(looker.steps, looker.refusal)


class _EndError(Exception):
    """Nothing is known beyond this step."""


class _Looker:
    """Stands in for a campaign: says what would be done, and goes on with what was done."""

    def __init__(self, pair: LoadedPair, root: int, options: CampaignOptions) -> None:
        self.work_dir = pair.config.work_dir
        self.journal = Journal(self.work_dir / layout.STATE_DIR / layout.JOURNAL)
        self.root = root
        self.steps: list[tuple[str, str, str]] = []
        self.refusal = ""
        self.options = options
        self._events = self.journal.events()
        asked = again.record(self._events, self.work_dir, options.redo, tell=False)
        event = {"event": ledger.REDO, **asked} if asked else None
        self._pending = ledger.pending([*self._events, *([event] if event else [])])
        self._again = False

    def draw_from(self, root: int) -> None:
        """Take random numbers from another root."""
        self.root = root

    def stages(self) -> dict[str, StageState]:
        """All stages that the journal knows."""
        return ledger.stages(self._events)

    def finished(self, stage: Stage) -> bool:
        """Whether nothing before a stage is needed."""
        order = list(self.stages())
        asked = any(ledger.comes_before(name, stage.name, order) for name in self._pending)
        fate = self._decide(stage).fate
        if fate is Fate.REFUSE and not asked:
            self.run(stage)
            raise _EndError
        return not asked and fate is Fate.SKIP

    def run(self, stage: Stage) -> Mapping[str, Any]:
        """Look at a stage."""
        state = self.stages().get(stage.name, StageState(stage.name))
        decision = self._decide(stage)
        words, why = _WORDS[decision.fate], decision.why
        if self._again and decision.fate in (Fate.SKIP, Fate.REFUSE):
            words, why = _IF, ""
        elif decision.fate is Fate.REFUSE:
            self.refusal = self.refusal or changes.changed_text(state, decision.why.split("; "))
        self.steps.append((stage.name, words, why))
        self._again |= decision.fate is Fate.REDO
        if not state.done:
            raise _EndError
        return state.report

    def _decide(self, stage: Stage) -> Decision:
        state = self.stages().get(stage.name, StageState(stage.name))
        try:
            inputs = canonical(extended(stage.inputs(), seed=self.root))
            found = changes.situation(self.work_dir, self._events, stage, inputs)
        except OSError:  # what it reads is gone, and made again before its turn
            gone = state.done and not stage.directory.exists()
            found = Situation(state.begun, state.done, deleted=gone, stale=True)
        found = replace(
            found,
            asked=self.asked(stage.name),
            remake=stage.name in self._pending,
            late=state.begun and retry.made_again(self._events, state),
            keep=self.options.keep_finished,
        )
        if found.changes and crash.lost(self.work_dir, state, self._events):
            found = replace(found, taken=True)
        return decide(found)

    def asked(self, name: str) -> bool:
        """Whether the user wants a stage done again."""
        return self._pending.get(name, False)

    def refuse(self, why: str) -> None:
        """A start would end here. Raises _EndError."""
        self.refusal = self.refusal or why
        raise _EndError

    def set_aside(self, stage: Stage) -> None:
        """Nothing is moved."""
        self.steps.append((stage.name, "moved aside", "the run now ends before it"))

    def finish_set_aside(self, stage: Stage) -> None:
        """Nothing is moved."""

    def remakes(self, source: Stage, stage: Stage) -> bool:
        """Nothing is made."""
        del source, stage
        return False

    def begin_early(self, stage: Stage, before: Stage) -> bool:
        """Nothing is begun."""
        del stage, before
        return False

    def clean(self, names: Sequence[str]) -> None:
        """Nothing is deleted."""

    def later(self, work: Callable[[], object]) -> None:
        """Nothing is done."""


class _Tour(Loop):
    """The loop without its views and words."""

    def __init__(self, config: RunConfig, engines: Engines, looker: _Looker) -> None:
        super().__init__(config, engines, looker)
        self._looker = looker

    def show(self) -> None:
        """Nothing is written."""

    def tell(self, iteration: int) -> None:
        """Nothing is reported."""

    def leave_out(self, last: int) -> None:
        """What the run has needlessly done is looked at as well."""
        try:
            super().leave_out(last)
        except StageChangedError as error:
            self._looker.refuse(str(error))

    def announce(self, iteration: int, serving: Serving) -> None:
        """Nothing is reported."""


def _look_at_loop(config: RunConfig, resources: Resources, looker: _Looker) -> None:
    config = run_as_begun(config, looker.journal.events())
    tour = _Tour(config, engines_of(config, resources), looker)
    tour.run()


def _look_at_chain(pair: LoadedPair, looker: _Looker) -> None:
    config = pair.config
    assert not isinstance(config, RunConfig)
    config = init_as_begun(config, looker.journal.events())
    whole = chain_of(config, pair.resources)
    asked = [canonical(asked_of(whole, entry)) for entry in config.systems]
    known = parts.known_parts(looker.journal.events())
    given = parts.assign(known, asked, config.file.name, config.seed, looker.root)
    for part in given.parts:
        numbers = given.numbers.get(part.number, {})
        names = ", ".join(map(layout.init_config, part.entries))
        looker.draw_from(part.seed if config.seed is None else config.seed)
        worker = PartCampaign(looker, part, alone=len(given.parts) == 1)
        if known and given.new and part is given.parts[-1]:
            looker.steps.append((names, _WORDS[Fate.BEGIN], "new"))
        elif (known and not numbers) or (worker.collected and len(numbers) < len(part.entries)):
            looker.steps.append((names, _WORDS[Fate.SKIP], ""))
        else:
            _look_at_part(restricted(config, numbers), pair.resources, worker)


def _look_at_part(config: Any, resources: Resources, worker: PartCampaign) -> None:
    chain = chain_of(config, resources)
    places = chain.places
    chain = replace(chain, places=replace(places, temp=places.temp / worker.part.prefix))
    at_work = any((chain.places.temp / name).exists() for name in layout.STEPS_OF_CHAIN)
    if at_work or not worker.finished(collection_of(chain, worker)):
        for stage in stages_of(chain, worker):
            worker.run(stage)
    worker.run(collection_of(chain, worker))
