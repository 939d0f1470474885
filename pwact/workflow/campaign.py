"""A campaign: one work directory with its lock, journal, seeds and stages."""

from __future__ import annotations

import contextlib
import logging
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Optional

import numpy as np

from pwact import __version__, layout
from pwact.config.resources import ResourceBlock
from pwact.errors import StageChangedError, UsageError
from pwact.executors import executor_for as default_executor_for
from pwact.executors.base import Executor, Task, TaskResult
from pwact.executors.cancel import cancel_jobs, open_jobs
from pwact.executors.dispatcher import Dispatcher
from pwact.io import files
from pwact.io.journal import Journal
from pwact.io.lock import WorkLock
from pwact.workflow import ledger, master, retention
from pwact.workflow.ledger import StageState
from pwact.workflow.seeds import Seeds, draw_root
from pwact.workflow.stage import Stage, StageOutput

_LOG = logging.getLogger(__name__)

CAMPAIGN = "campaign_started"
Progress = Callable[[str, int], contextlib.AbstractContextManager[Any]]


@dataclass(frozen=True)
class CampaignOptions:
    """What the user wants to happen to stages that are not as they were.

    Attributes
    ----------
    redo
        Name of a stage (``iter.0000/train``) or of an iteration (``iter.0000``) to do again.
    keep_finished
        Accept finished stages whose inputs or products were changed.
    config_hash
        Hash of the input files, for the record only.
    progress
        Makes the progress bar of a dispatch from its kind and its number of tasks; the bar has an
        ``update()``.
    """

    redo: Optional[str] = None
    keep_finished: bool = False
    config_hash: str = ""
    progress: Optional[Progress] = None


@contextlib.contextmanager
def open_campaign(
    work_dir: Path,
    command: str,
    seed: Optional[int] = None,
    options: CampaignOptions = CampaignOptions(),
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
    state_dir.mkdir(parents=True, exist_ok=True)
    with WorkLock(state_dir / layout.LOCK), master.pid_file(work_dir):
        journal = Journal(state_dir / layout.JOURNAL)
        try:
            events = journal.events()
            _check_redo(options.redo, events)
            started = _start(journal, events, command, seed, options.config_hash)
            journal.append(master.EVENT, command=command, **master.myself())
            campaign = Campaign(work_dir, journal, started, options, executor_for)
            try:
                yield campaign
            except BaseException:
                campaign.name_open_jobs()
                raise
        finally:
            journal.close()


def _check_redo(redo: Optional[str], events: Sequence[Mapping[str, Any]]) -> None:
    known = list(ledger.stages(events))
    if redo is not None and not any(_names(redo, name) for name in known):
        raise UsageError(
            f"--redo {redo}: no such stage was begun here; begun: {', '.join(known) or 'none'}"
        )


def _names(redo: Optional[str], name: str) -> bool:
    return redo is not None and (name == redo or name.startswith(f"{redo}/"))


def _start(
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
    journal.append(CAMPAIGN, version=__version__, config_hash=config_hash, **started)
    return started


class Campaign:
    """Runs stages, each once, whatever happens in between; what they ask for is in `Services`.

    Attributes
    ----------
    work_dir
        Absolute path.
    journal
        What was done so far.
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
        self._options = options
        self._executor_for = executor_for
        self._seeds = Seeds(int(started["seed"]))
        self._dispatcher = Dispatcher(journal, str(started["campaign"]), executor_for)
        self._redone: set[str] = set()

    def dispatch(
        self, kind: str, directory: Path, tasks: Sequence[Task], block: ResourceBlock
    ) -> Iterator[TaskResult]:
        """Run tasks as jobs; see `pwact.workflow.stage.Services`."""
        make = self._options.progress
        with make(kind, len(tasks)) if make else contextlib.nullcontext() as bar:
            for result in self._dispatcher.run(kind, directory, tasks, block):
                if bar is not None:
                    bar.update()
                yield result

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

    def name_open_jobs(self) -> None:
        """Tell the log which jobs go on without their master."""
        if names := self.open_jobs():
            _LOG.warning(
                "left running: %s; the next start takes them up, 'pwact kill' ends them",
                ", ".join(names),
            )

    def run(self, stage: Stage) -> Mapping[str, Any]:
        """Do a stage unless it is done already, and return its report.

        Raises
        ------
        StageChangedError
            When it was done, or begun, with other inputs, or when its products were changed.
        """
        inputs = ledger.canonical({**stage.inputs(), "seed": self._seeds.root})
        key = ledger.key_of(inputs)
        state = self.stages().get(stage.name, StageState(stage.name))
        if self._again(stage, state, inputs):
            self._set_aside(stage)
        elif state.done:
            return self._keep(state, key, inputs)
        elif state.begun and state.key != key:
            self.journal.append(ledger.KEPT, name=stage.name, key=key, inputs=inputs)
        self._finish_set_aside(stage.name)
        if not self.stages().get(stage.name, StageState(stage.name)).begun:
            self.journal.append(ledger.STARTED, name=stage.name, key=key, inputs=inputs)
        stage.directory.mkdir(parents=True, exist_ok=True)
        _LOG.info("%s", stage.name)
        return self._finish(stage, key, stage.work(self))

    def _finish(self, stage: Stage, key: str, output: StageOutput) -> Mapping[str, Any]:
        report = ledger.canonical(output.report)
        self.journal.append(
            ledger.DONE,
            name=stage.name,
            key=key,
            files={self._relative(path): files.tree_hash(path) for path in output.files},
            transient=[self._relative(path) for path in output.transient],
            report=report,
        )
        return report

    def _relative(self, path: Path) -> str:
        with contextlib.suppress(ValueError):
            return path.relative_to(self.work_dir).as_posix()
        return str(path)

    def _again(self, stage: Stage, state: StageState, inputs: Mapping[str, Any]) -> bool:
        """Whether what there is of the stage must give way, and the stage be done afresh."""
        if not state.begun:
            return False
        if _names(self._options.redo, stage.name) and stage.name not in self._redone:
            return True
        if state.done and not stage.directory.exists():
            _LOG.warning("%s: %s was deleted; done again", stage.name, stage.directory)
            return True
        changes = list(ledger.differences(dict(state.inputs), inputs))
        changes += self._damage(state) if state.done else []
        if not changes:
            return False
        if state.position < ledger.last_set_aside(self.journal.events()):
            _LOG.info("%s: done again, because an earlier stage was", stage.name)
            return True
        if not state.done and not self._asked_since(state.position):
            return True  # nothing but half-written inputs is there
        if not self._options.keep_finished:
            raise StageChangedError(_changed_text(state, changes))
        _LOG.warning("%s: kept, though %s", stage.name, "; ".join(changes))
        return False

    def _asked_since(self, position: int) -> bool:
        later = self.journal.events()[position + 1 :]
        return any(event["event"] == "job_asked" for event in later)

    def _damage(self, state: StageState) -> list[str]:
        """Say in words which products are not as the stage left them."""
        damage = []
        for name, known in state.files.items():
            path = self.work_dir / name
            if not path.exists():
                damage.append(f"its result {name} is missing")
            elif files.tree_hash(path) != known:
                damage.append(f"its result {name} was altered")
        return damage

    def _keep(self, state: StageState, key: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        """Skip a finished stage; whatever was accepted about it is recorded."""
        damaged = self._damage(state)
        stale = state.position < ledger.last_set_aside(self.journal.events())
        if damaged or stale or state.key != key:
            present = {
                name: files.tree_hash(self.work_dir / name)
                for name in state.files
                if (self.work_dir / name).exists()
            }
            self.journal.append(ledger.KEPT, name=state.name, key=key, inputs=inputs, files=present)
        _LOG.debug("%s is done", state.name)
        return state.report

    def _set_aside(self, stage: Stage) -> None:
        """Record that the stage's directory moves, before it moves."""
        self._redone.add(stage.name)
        directory = stage.directory
        number = 1
        while (to := directory.with_name(f"{directory.name}-bk-{number}")).exists():
            number += 1
        self.journal.append(
            ledger.ASIDE,
            name=stage.name,
            directory=self._relative(directory),
            to=self._relative(to),
        )

    def _finish_set_aside(self, name: str) -> None:
        """End the jobs of a stage that was set aside and move its directory, once."""
        state = self.stages().get(name, StageState(name))
        if state.aside is None:
            return
        directory, to = (self.work_dir / part for part in state.aside)
        cancel_jobs(self.journal, self._executor_for, below=state.aside[0])
        if directory.exists() and not to.exists():
            directory.rename(to)
            files.sync_directory(to.parent)
            _LOG.warning("%s is done again; what was there is now in %s", name, to)


def _changed_text(state: StageState, changes: Sequence[str], shown: int = 3) -> str:
    more = f" and {len(changes) - shown} more" if len(changes) > shown else ""
    done = "done" if state.done else "begun"
    return (
        f"{state.name}: changed since it was {done}: {'; '.join(changes[:shown])}{more}. "
        f"Undo the change, or start with --redo {state.name} to do it again (what is there is kept "
        "aside, and what follows from it is done again too), or with --keep-finished to go on "
        "with what is there"
    )
