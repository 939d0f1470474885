"""Labels frames one by one, each structure once: asks the store first, and fills it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, Union

from pwact import layout
from pwact.config.resources import ResourceBlock
from pwact.engines.labelers import Purpose
from pwact.errors import InputError, TaskError
from pwact.executors.base import Task, TaskResult
from pwact.formats.same_frame import same_frame, structure_key
from pwact.io.appended import Appended
from pwact.verdict import DONE, Outcome, incomplete
from pwact.workflow.changes import free_backup
from pwact.workflow.labels.store import LabelStore, label_key
from pwact.workflow.quorum import check_quorum, demand_one, name_lost_groups
from pwact.workflow.stage import Services
from pwact.workflow.tasks.first_principles import Calculation, task_of
from pwact.workflow.tasks.untouched import Untouched

if TYPE_CHECKING:
    from ase import Atoms

log = logging.getLogger(__name__)

_STORE = ""  # in place of a directory: the label was in the store when it was asked for
Source = Union[Path, "Atoms"]


class Spoilt(str):
    """Why a task that ended well gives no label; another try may mend that."""

    __slots__ = ()


class Sources:
    """Where the label of each structure of a stage comes from: a task, or the store.

    It is written down before anything is done, so that a stage that is taken up again decides as
    it did before.

    Parameters
    ----------
    path
        The file; directories in it are relative to its own.
    """

    def __init__(self, path: Path, store: LabelStore) -> None:
        self.store = store
        self.path = path
        self._kept = Appended(path)
        self._places = {key: str(place) for key, place in self._kept.values.items()}
        self._new: dict[str, str] = {}

    def of(self, key: str, frame: Atoms, own: Path, own_first: bool = False) -> Source:
        """The label itself, or the directory of the task that computes it.

        Parameters
        ----------
        own
            Directory of a task for this very frame, if there must be one.
        own_first
            Whether such a directory counts when it exists, whatever was written down.
        """
        if own_first and own.is_dir():
            return own
        place = self._places.get(key)
        if place:
            return self.path.parent / place
        kept = self.store.get(key, frame)
        new = _STORE if kept is not None else own.relative_to(self.path.parent).as_posix()
        self._put(key, new)
        return own if kept is None else kept

    def from_store(self, key: str, frame: Atoms) -> Optional[Atoms]:
        """The label itself, whatever was decided before; None if the store has none."""
        kept = self.store.get(key, frame)
        if kept is not None:
            self._put(key, _STORE)
        return kept

    def _put(self, key: str, place: str) -> None:
        if self._places.get(key) != place:
            self._places[key] = self._new[key] = place

    def write(self) -> None:
        """Put on record what was decided."""
        self._kept.add(self._new)
        self._new = {}


def tell_taken(stage: str, frames: int, left: int, store: Path) -> None:
    """Tell the log how many of so many frames have a label from before, if any."""
    if left < frames:
        log.info(
            "%s: %d frames: %d labels are taken from those that are there (%s), %d are computed",
            stage,
            frames,
            frames - left,
            store,
            left,
        )


@dataclass(frozen=True)
class Labelling:
    """The single points of one stage.

    Attributes
    ----------
    stage
        The stage in words.
    directory
        Where job scripts are.
    max_failed_rate
        Share of the tasks that may fail.
    lost
        What it means for a group of calculations that none of them succeeded, in words.
    own_first
        Every frame that has a directory is labelled there, as versions did that knew no store.
    """

    stage: str
    directory: Path
    block: ResourceBlock
    sources: Sources
    max_failed_rate: float
    lost: str
    own_first: bool = False

    def answers(self, services: Services, asked: Sequence[Calculation]) -> list[Union[Atoms, str]]:
        """Each frame labelled, or why it is not.

        Raises
        ------
        QuorumError
            Too many tasks failed; frames that do not converge are no failures.
        """
        decided = self._decide(asked)
        tasks: dict[Path, _Decided] = {}
        kept: list[_Decided] = []
        for one in decided:
            if isinstance(one.source, Path):
                tasks.setdefault(one.source, one)
            else:
                kept.append(one)
        tell_taken(self.stage, len(asked), len(asked) - len(kept), self.sources.store.directory)
        results, answers = self._compute(services, tasks)
        self._judge(services, [*map(_as_done, kept), *results], [*tasks.values(), *kept])
        return [
            answers[one.source] if isinstance(one.source, Path) else one.source for one in decided
        ]

    def _judge(
        self, services: Services, results: Sequence[TaskResult], decided: Sequence[_Decided]
    ) -> None:
        """Raise QuorumError if too little succeeded; a label that was there counts as success."""
        demand_one(results, self.stage, services.work_dir)
        broken = [one for one in results if one.verdict.outcome is not Outcome.UNUSABLE]
        check_quorum(broken, self.max_failed_rate, self.stage, services.work_dir)
        groups = {one.place: one.calculation.group for one in decided}
        name_lost_groups(results, groups, self.stage, self.lost)

    def ahead(self, asked: Sequence[Calculation]) -> list[Task]:
        """Tasks of those calculations that must be done, and for which there is no other task."""
        own = [one for one in self._decide(asked) if one.source == one.calculation.directory]
        return self._prepared(list({one.source: one.calculation for one in own}.values()))

    def _prepared(self, calculations: Sequence[Calculation]) -> list[Task]:
        """Write what is not written yet. Raises StageChangedError for what was altered since."""
        untouched = self._untouched
        begun = [one.directory for one in calculations if one.directory.is_dir()]
        untouched.demand(begun, self.stage)
        tasks = [task_of(one, Purpose.SCF, self.block) for one in calculations]
        written = {one.directory for one in calculations} - set(begun)
        untouched.note([task.directory for task in tasks if task.directory in written])
        return tasks

    @cached_property
    def _untouched(self) -> Untouched:
        return Untouched(self.sources.path.parent / layout.TASK_INPUTS)

    def transient(self, asked: Sequence[Calculation]) -> list[Path]:
        """What the tasks of these frames leave that need not stay."""
        labelers = {
            one.source: one.calculation.labeler
            for one in self._decide(asked)
            if isinstance(one.source, Path) and one.source.is_dir()
        }
        return [
            path
            for folder, labeler in labelers.items()
            for path in folder.iterdir()
            if not labeler.kept_files(path.name)
        ]

    def _decide(self, asked: Sequence[Calculation]) -> list[_Decided]:
        fingerprints: dict[int, Mapping[str, Any]] = {}
        decided = []
        for one in asked:
            number = id(one.labeler)
            if number not in fingerprints:
                fingerprints[number] = one.labeler.fingerprint(Purpose.SCF)
            frame = one.structure()
            key = label_key(structure_key(frame), fingerprints[number])
            source = self.sources.of(key, frame, one.directory, self.own_first)
            if isinstance(source, Path) and not self.own_first:
                source = self._come_since(one, key, frame, source)
            decided.append(_Decided(one, key, source))
        self.sources.write()
        return decided

    def _come_since(self, asked: Calculation, key: str, frame: Atoms, task: Path) -> Source:
        """The label, if another stage has it by now and this one's task for it is not done."""
        if not self.sources.store.path(key).exists():
            return task
        if task.is_dir() and asked.labeler.check(task, Purpose.SCF).done:
            return task
        return self.sources.from_store(key, frame) or task

    def _compute(
        self, services: Services, tasks: Mapping[Path, _Decided]
    ) -> tuple[list[TaskResult], dict[Path, Union[Atoms, str]]]:
        """How each task ended, and its label or why there is none."""
        calculations = [replace(one.calculation, directory=place) for place, one in tasks.items()]
        self.directory.mkdir(parents=True, exist_ok=True)
        prepared = self._prepared(calculations)
        begun = services.dispatch(Purpose.SCF.value, self.directory, prepared, self.block)
        results: list[TaskResult] = []
        untouched = self._untouched
        answers: dict[Path, Union[Atoms, str]] = {}
        for result in list(begun):
            place = result.task.directory
            if place in tasks:
                judged, answers[place] = self._read(tasks[place], result, untouched)
                results.append(judged)
        return results, answers

    def _read(
        self, asked: _Decided, result: TaskResult, untouched: Untouched
    ) -> tuple[TaskResult, Union[Atoms, str]]:
        """Read and keep the label of a task that is done, unless it is of another structure."""
        place = result.task.directory
        if not result.verdict.done:
            return result, result.verdict.reason
        if path := untouched.altered(place):
            return _put_aside(result, f"its input {path.name} was altered while it waited or ran")
        try:
            frame = asked.calculation.labeler.read_result(place, Purpose.SCF)[-1]
        except (TaskError, InputError) as error:
            reason = str(error)
        else:
            if same_frame(asked.calculation.structure(), frame):
                self.sources.store.put(asked.key, frame)
                return result, frame
            return _put_aside(result, "the result is of another structure than was asked for")
        story = f"{place}: {reason}"
        return replace(result, verdict=incomplete(reason), explanation=story), reason


def _put_aside(result: TaskResult, why: str) -> tuple[TaskResult, str]:
    """A result that is no label: its files make way for another try."""
    place = result.task.directory
    aside = free_backup(place)
    place.rename(aside)
    reason = Spoilt(f"{why}, so it is no label; its files are now in {aside}")
    story = f"{place}: {reason}"
    return replace(result, verdict=incomplete(reason), explanation=story), reason


@dataclass(frozen=True)
class _Decided:
    """A frame to be labelled, the name of its label, and where that comes from."""

    calculation: Calculation
    key: str
    source: Source

    @property
    def place(self) -> Path:
        """The directory of its task, or that which it would have."""
        return self.source if isinstance(self.source, Path) else self.calculation.directory


def _as_done(kept: _Decided) -> TaskResult:
    """A label that was there, as the result of a task."""
    labeler = kept.calculation.labeler
    return TaskResult(Task(kept.place, "", lambda _: DONE, labeler.log), DONE, 0)
