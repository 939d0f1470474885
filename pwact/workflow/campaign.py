"""A campaign: one work directory with its lock, journal, seeds and stages."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Optional

import numpy as np

from pwact import layout
from pwact.config.resources import ResourceBlock
from pwact.errors import PwactError, StageChangedError
from pwact.executors import executor_for as default_executor_for
from pwact.executors.base import Executor, Task, TaskResult
from pwact.executors.cancel import cancel_jobs, open_jobs
from pwact.executors.dispatcher import Dispatcher
from pwact.fingerprint import extended
from pwact.io.journal import Journal
from pwact.workflow import again, changes, crash, ledger, master, retention, retry
from pwact.workflow.facts import Teller
from pwact.workflow.fate import Decision, Fate, decide
from pwact.workflow.ledger import StageState
from pwact.workflow.opening import (
    UNCHANGED,
    CampaignOptions,
    held,
    name_left_running,
    refused,
    start,
    written_by,
)
from pwact.workflow.postponed import Postponed
from pwact.workflow.retry import Losses
from pwact.workflow.seeds import Seeds
from pwact.workflow.stage import Stage, StageOutput
from pwact.workflow.tasks.prepare import relative
from pwact.workflow.watching import Watching

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def open_campaign(
    work_dir: Path,
    command: str,
    seed: Optional[int] = None,
    options: CampaignOptions = UNCHANGED,
    executor_for: Callable[[ResourceBlock], Executor] = default_executor_for,
) -> Iterator[Campaign]:
    """Hold a work directory and give its campaign, new or taken up again.

    ``init_bulk`` and ``run`` may share a work directory, one after the other: both write to the
    same journal, and each has its own root seed.

    Parameters
    ----------
    command
        ``init_bulk`` or ``run``.
    seed
        Root of all random numbers; None draws one, once.

    Raises
    ------
    LockedError
        When another process works in `work_dir`.
    UsageError
        When ``options.redo`` names no stage that was ever begun.
    """
    state_dir = work_dir / layout.STATE_DIR
    with held(state_dir, options.redo) as lock, master.pid_file(work_dir):
        journal = Journal(state_dir / layout.JOURNAL, permit=lock.demand)
        try:
            started = start(journal, journal.events(), command, seed)
            journal.hold(master.EVENT, **master.beginning(command, work_dir, options.inputs))
            if redo := again.record(journal.events(), work_dir, options.redo):
                journal.hold(ledger.REDO, **redo)
            campaign = Campaign(work_dir, journal, started, options, executor_for)
            try:
                yield campaign
                campaign.catch_up()
            except BaseException as error:
                if journal.holds and refused(error):
                    raise  # and nothing is written
                name_left_running(campaign.open_jobs())
                with contextlib.suppress(PwactError):  # the disk may be full
                    journal.append(master.ENDED, command=command, **master.ending(error))
                raise
            journal.append(master.ENDED, command=command, **master.ending(None, campaign.left))
        finally:
            journal.close()


class Campaign:
    """Runs stages, each once, whatever happens in between; what they ask for is in `Services`.

    Attributes
    ----------
    work_dir
        Absolute path.
    journal, options, left
        What was done so far, what the user wants of it, and why work is left at a good end.
    """

    def __init__(
        self,
        work_dir: Path,
        journal: Journal,
        started: Mapping[str, Any],
        options: CampaignOptions,
        executor_for: Callable[[ResourceBlock], Executor],
    ) -> None:
        self.work_dir = work_dir
        self.journal = journal
        self.options, self.left = options, ""
        self._executor_for = executor_for
        self._seeds = Seeds(int(started["seed"]))
        self._worked: set[str] = set()
        self._early: set[str] = set()
        self._teller = Teller(journal, work_dir)
        self._losses = Losses()
        self._postponed = Postponed()
        self._watching = Watching(options.progress, self._postponed.do_one)
        self._dispatcher = Dispatcher(
            journal, str(started["campaign"]), executor_for, meanwhile=self._watching.meanwhile
        )

    def dispatch(
        self, kind: str, directory: Path, tasks: Sequence[Task], block: ResourceBlock
    ) -> Iterator[TaskResult]:
        """Run tasks as jobs; see `pwact.workflow.stage.Services`."""
        stage = self._teller.stage  # another one may be begun meanwhile
        self._teller.tasks(kind, directory, len(tasks))
        with self._watching.over(stage, kind, tasks) as ended:
            for result in self._dispatcher.run(kind, directory, tasks, block):
                ended()
                self._teller.result(stage, result)
                place = relative(result.task.directory, self.work_dir)
                self._losses.note(stage, place, result)
                yield result

    def begin_ahead(
        self, kind: str, directory: Path, tasks: Sequence[Task], block: ResourceBlock
    ) -> None:
        """Begin tasks of a later dispatch; see `pwact.workflow.stage.Services`."""
        self._teller.tasks(kind, directory, len(tasks), ahead=True)
        self._dispatcher.begin_ahead(kind, directory, tasks, block)

    def later(self, work: Callable[[], object]) -> None:
        """Do this when there is nothing to do but to wait; see `pwact.workflow.stage.Services`."""
        self._postponed.add(work)

    def catch_up(self) -> None:
        """Do all that was put off."""
        self._postponed.do_all()

    def draw_from(self, root: int) -> None:
        """Take random numbers from another root from now on."""
        self._seeds = Seeds(root)

    @property
    def root(self) -> int:
        """The root seed."""
        return self._seeds.root

    def seed(self, *spawn_key: int | str) -> int:
        """A reproducible integer in 1..2**31-1 for this place of the campaign."""
        return self._seeds.seed(*spawn_key)

    def rng(self, *spawn_key: int | str) -> np.random.Generator:
        """A reproducible random generator for this place of the campaign."""
        return self._seeds.rng(*spawn_key)

    def stages(self) -> dict[str, StageState]:
        """All stages that the journal knows, by name."""
        return ledger.stages(self.journal.events())

    def clean(self, names: Sequence[str]) -> None:
        """Delete what these finished stages have left for deletion; see `retention`."""
        retention.clean(self.work_dir, self.stages(), names)

    def open_jobs(self) -> list[str]:
        """Names of the jobs that were asked for and have not ended as far as is known."""
        return [job.name for job in open_jobs(self.journal)]

    def finished(self, stage: Stage) -> bool:
        """Whether a stage is done, unchanged and intact, so that nothing before it is needed.

        Raises
        ------
        StageChangedError
            When it is done, but was changed.
        """
        state = self._state(stage)
        asked = ledger.pending(self.journal.events())
        order = list(self.stages())
        if not state.done or any(ledger.comes_before(one, stage.name, order) for one in asked):
            return False
        return self._decide(stage, state, self.inputs_of(stage)).fate is Fate.SKIP

    def run(self, stage: Stage) -> Mapping[str, Any]:
        """Do a stage unless it is done already, and return its report.

        Raises
        ------
        StageChangedError
            When it was done, or begun, with other inputs, or when its products were changed.
        """
        report = self.begin(stage)
        if report is not None:
            return report
        logger.info("%s", stage.name)
        return self._record(stage, stage.work(self))

    def begin(self, stage: Stage) -> Optional[Mapping[str, Any]]:
        """Put on record that a stage is begun; return its report if it is done already.

        Raises
        ------
        StageChangedError
            As `run`.
        """
        inputs = self.inputs_of(stage)
        state = retry.caught_up(self.journal, self._state(stage), inputs)
        key = ledger.key_of(inputs)
        decision = self._decide(stage, state, inputs)
        if decision.fate is Fate.REDO:
            logger.info("%s is done again: %s", stage.name, decision.why)
            self.set_aside(stage)
        elif decision.fate is Fate.SKIP:
            self._keep(state, inputs, decision)
            if not self._tries_again(state):
                return state.report
        elif decision.fate is Fate.GO_ON and any(changes.differences(state.inputs, inputs)):
            self.journal.append(ledger.KEPT, name=stage.name, key=key, inputs=inputs)
        self.finish_set_aside(stage)
        if not self._state(stage).begun:
            self.journal.append(
                ledger.STARTED, name=stage.name, key=key, inputs=inputs, **written_by()
            )
        self._worked.add(stage.name)
        self._teller.begins(stage)
        self.journal.flush()
        self.options.begun()
        stage.directory.mkdir(parents=True, exist_ok=True)
        return None

    def _tries_again(self, state: StageState) -> bool:
        """Whether a finished stage is opened again for tasks that an earlier start lost."""
        leave, fresh = self.options.leave_failed, state.name not in self._worked
        return fresh and retry.tried_again(self.journal, state, self.stages(), leave)

    def remakes(self, source: Stage, stage: Stage) -> bool:
        """Put on record that a finished stage is remade for files that another one needs by now."""
        if not (made := self._state(source)).done or not again.is_thinned(self.work_dir, made):
            return False
        inputs = self.inputs_of(stage)
        state = retry.caught_up(self.journal, self._state(stage), inputs)
        skips = self._decide(stage, state, inputs).fate is Fate.SKIP
        if skips and not retry.will_be_tried(state, self.stages(), self.options.leave_failed):
            return False
        self.journal.append(ledger.REDO, **again.remake(source.name, stage.name))
        return True

    def begin_early(self, stage: Stage, before: Stage) -> bool:
        """Begin a stage though the one before it is not done yet; whether that may be.

        What is done, or was begun from other results, waits for its turn: it may yet be kept. The
        one before is put aside now if it will be done again, or it would seem so to this one.
        What was begun so by this start stays so, and is not looked at for each of many systems.
        """
        if stage.name in self._early:
            self._teller.stage = stage.name
            return True
        if not self.asked(stage.name):
            state = self._state(stage)
            if state.done or (state.begun and self._follows(state)):
                return False
        early = self._state(before)
        if early.begun and (self.asked(before.name) or self._follows(early)):
            self.set_aside(before)
        self.finish_set_aside(before)
        self._worked.add(before.name)
        if self.begin(stage) is None:
            self._early.add(stage.name)
        return stage.name in self._early

    def _follows(self, state: StageState) -> bool:
        return ledger.set_aside_before(self.journal.events(), state)

    def asked(self, name: str) -> bool:
        """Whether the user wants a stage done again, and it was not yet."""
        return ledger.pending(self.journal.events()).get(name, False)

    def _state(self, stage: Stage) -> StageState:
        return self.stages().get(stage.name, StageState(stage.name))

    def inputs_of(self, stage: Stage) -> dict[str, Any]:
        """What the key of a stage is made of."""
        return ledger.canonical(extended(stage.inputs(), seed=self._seeds.root))

    def _record(self, stage: Stage, output: StageOutput) -> Mapping[str, Any]:
        report = ledger.canonical(output.report)
        key = self._state(stage).key
        left = crash.settled(self.work_dir, output)
        left = self._losses.recorded(stage.name, left, self.options.leave_failed)
        self.journal.append(ledger.DONE, name=stage.name, key=key, **left, report=report)
        return report

    def _decide(self, stage: Stage, state: StageState, inputs: Mapping[str, Any]) -> Decision:
        """What becomes of a stage. Raises StageChangedError where the user has to say."""
        events = self.journal.events()
        found = replace(
            changes.situation(self.work_dir, events, stage, inputs),
            asked=self.asked(stage.name),
            remake=stage.name in ledger.pending(events),
            late=state.begun and retry.made_again(events, state),
            keep=self.options.keep_finished,
        )
        decision = decide(found)
        if decision.fate is Fate.REFUSE and crash.has_taken(self.work_dir, state, events):
            decision = decide(replace(found, taken=True))
        if decision.fate is Fate.REFUSE:
            raise StageChangedError(changes.changed_text(state, found.changes))
        if found.deleted:
            logger.warning("%s: %s was deleted", stage.name, stage.directory)
        return decision

    def _keep(self, state: StageState, inputs: Mapping[str, Any], decision: Decision) -> None:
        """Record what was accepted about a finished stage, so that it is not asked again."""
        if decision.why:
            logger.warning("%s: %s", state.name, decision.why)
        if decision.why or self._follows(state):
            known = {"key": ledger.key_of(inputs), "inputs": inputs}
            products = changes.hashes(self.work_dir, state.files)
            self.journal.append(ledger.KEPT, name=state.name, **known, files=products)

    def set_aside(self, stage: Stage) -> None:
        """Record that the stage's directory moves, before it moves."""
        places = changes.places_aside(self.work_dir, stage.directory)
        self.journal.append(ledger.ASIDE, name=stage.name, **places)

    def finish_set_aside(self, stage: Stage) -> None:
        """End the jobs of a stage that was set aside and move its directory, once."""
        if (aside := self._state(stage).aside) is not None:
            cancel_jobs(self.journal, self._executor_for, below=aside[0])
            changes.move_aside(self.work_dir / aside[0], self.work_dir / aside[1])
