"""Labels frames one by one, each structure once: asks the store first, and fills it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, Union

from pwact import layout
from pwact.config.labeling import LabelConfig
from pwact.config.resources import ResourceBlock
from pwact.engines.labelers import Labeler, Purpose
from pwact.engines.ladder import ladder_of
from pwact.errors import InputError, TaskError
from pwact.executors.base import Task, TaskResult
from pwact.formats.same_frame import same_frame, structure_key
from pwact.verdict import DONE, Outcome, incomplete
from pwact.workflow.changes import free_backup
from pwact.workflow.labels.sources import Source, Sources
from pwact.workflow.labels.store import label_key
from pwact.workflow.labels.tries import CONVERGED, TAKEN, FurtherTry, write_tries
from pwact.workflow.quorum import check_quorum, demand_one, name_lost_groups
from pwact.workflow.stage import Services
from pwact.workflow.tasks.first_principles import Calculation, task_of
from pwact.workflow.tasks.untouched import Untouched

if TYPE_CHECKING:
    from ase import Atoms

logger = logging.getLogger(__name__)

_Ladder = list[tuple[Labeler, Mapping[str, Any]]]


class Spoilt(str):
    """Why a task that ended well gives no label; another try may mend that."""

    __slots__ = ()


def tell_taken(stage: str, frames: int, left: int, store: Path) -> None:
    """Tell the log how many of so many frames have a label from before, if any."""
    if left < frames:
        logger.info(
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
    config
        Of the labeler: which share of the tasks may fail, and what is tried where an SCF does not
        converge.
    lost
        What it means for a group of calculations that none of them succeeded, in words.
    own_first
        Every frame that has a directory is labelled there, as versions did that knew no store.
    """

    stage: str
    directory: Path
    block: ResourceBlock
    sources: Sources
    config: LabelConfig
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
        results, answers = self._compute(services, tasks, self._taken(kept))
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
        check_quorum(broken, self.config.max_failed_rate, self.stage, services.work_dir)
        groups = {
            self._home(number, one.place): one.calculation.group
            for one in decided
            for number in range(len(one.tries))
        }
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

    def transient(self, labelled: Sequence[Calculation]) -> list[Path]:
        """What the tasks of labelled frames leave that need not stay; all of the others stays."""
        labelers = {
            place: labeler
            for one in self._decide(labelled)
            if isinstance(one.source, Path)
            for number, labeler in enumerate(one.tries)
            if (place := self._home(number, one.source)).is_dir()
        }
        return [
            path
            for folder, labeler in labelers.items()
            for path in folder.iterdir()
            if not labeler.kept_files(path.name)
        ]

    def _decide(self, asked: Sequence[Calculation]) -> list[_Decided]:
        ladders: dict[int, _Ladder] = {}
        decided = []
        for one in asked:
            number = id(one.labeler)
            if number not in ladders:
                tries = [one.labeler, *ladder_of(one.labeler, self.config)]
                ladders[number] = [(each, each.fingerprint(Purpose.SCF)) for each in tries]
            frame = one.structure()
            structure = structure_key(frame)
            keys = [label_key(structure, fingerprint) for _, fingerprint in ladders[number]]
            source = self.sources.of(keys[0], frame, one.directory, self.own_first, keys[1:])
            if isinstance(source, Path) and not self.own_first:
                source = self._come_since(one, keys, frame, source)
            decided.append(_Decided(one, keys, source, [each for each, _ in ladders[number]]))
        self.sources.write()
        return decided

    def _come_since(
        self, asked: Calculation, keys: Sequence[str], frame: Atoms, task: Path
    ) -> Source:
        """The label, if another stage has it by now and no task of this one has it."""
        if not any(self.sources.store.path(key).exists() for key in keys):
            return task
        if task.is_dir() and asked.labeler.check(task, Purpose.SCF).done:
            return task
        if any(self._home(number, task).is_dir() for number in range(1, len(keys))):
            return task
        return self.sources.from_store(keys, frame) or task

    def _home(self, number: int, task: Optional[Path] = None) -> Path:
        """Where the tasks of a further try lie, or the one for a task of the first try."""
        home = self.directory / layout.retry_dir(number) if number else self.directory
        return home if task is None else home / task.relative_to(self.directory)

    def _taken(self, kept: Sequence[_Decided]) -> dict[Path, FurtherTry]:
        """Labels of further tries that were there already, by the task that each would have had."""
        found = {}
        for one in kept:
            number = self.sources.store.first(one.keys)
            if number:
                changes = self.config.retry[number - 1]
                found[one.place] = FurtherTry(number, changes, TAKEN)
        return found

    def _compute(
        self, services: Services, tasks: Mapping[Path, _Decided], further: dict[Path, FurtherTry]
    ) -> tuple[list[TaskResult], dict[Path, Union[Atoms, str]]]:
        """How each task ended, and its label or why there is none; `further` gets further tries."""
        found = self._round(services, tasks, 0)
        for number, changes in enumerate(self.config.retry, 1):
            left = {
                place: tasks[place]
                for place, (result, _) in found.items()
                if result.verdict.outcome is Outcome.UNUSABLE
            }
            if not left:
                break
            tried = self._round(services, left, number)
            found.update(tried)
            further.update(
                {
                    place: FurtherTry(
                        number, changes, answer if isinstance(answer, str) else CONVERGED
                    )
                    for place, (_, answer) in tried.items()
                }
            )
        write_tries(self.sources.path.with_name(layout.RETRIES), self.stage, further)
        self.sources.write()
        answers = {place: answer for place, (_, answer) in found.items()}
        return [result for result, _ in found.values()], answers

    def _round(
        self, services: Services, tasks: Mapping[Path, _Decided], number: int
    ) -> dict[Path, tuple[TaskResult, Union[Atoms, str]]]:
        """Task of the first try → how its `number`-th further try ended, and what came of it.

        0 is the first try itself.
        """
        home, places = self._home(number), {self._home(number, place): place for place in tasks}
        calculations = [
            replace(tasks[first].calculation, directory=place, labeler=tasks[first].tries[number])
            for place, first in places.items()
        ]
        home.mkdir(parents=True, exist_ok=True)
        prepared = self._prepared(calculations)
        begun = services.dispatch(Purpose.SCF.value, home, prepared, self.block)
        untouched = self._untouched
        found: dict[Path, tuple[TaskResult, Union[Atoms, str]]] = {}
        for result in list(begun):
            first = places.get(result.task.directory)
            if first is not None:
                found[first] = self._read(tasks[first], result, untouched, number)
        return found

    def _read(
        self, asked: _Decided, result: TaskResult, untouched: Untouched, number: int
    ) -> tuple[TaskResult, Union[Atoms, str]]:
        """Read and keep the label of a task that is done, unless it is of another structure."""
        place = result.task.directory
        if not result.verdict.done:
            return result, result.verdict.reason
        if path := untouched.altered(place):
            return _put_aside(result, f"its input {path.name} was altered while it waited or ran")
        try:
            frame = asked.tries[number].read_result(place, Purpose.SCF)[-1]
        except (TaskError, InputError) as error:
            reason = str(error)
        else:
            if same_frame(asked.calculation.structure(), frame):
                self.sources.store.put(asked.keys[number], frame)
                if number:
                    self.sources.note(asked.keys[number], place)
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
    """A frame to be labelled, and where its label comes from.

    Attributes
    ----------
    keys
        Names of its label, by the try that gives it.
    tries
        The labelers of all tries, the first one included.
    """

    calculation: Calculation
    keys: Sequence[str]
    source: Source
    tries: Sequence[Labeler]

    @property
    def place(self) -> Path:
        """The directory of its task, or that which it would have."""
        return self.source if isinstance(self.source, Path) else self.calculation.directory


def _as_done(kept: _Decided) -> TaskResult:
    """A label that was there, as the result of a task."""
    labeler = kept.calculation.labeler
    return TaskResult(Task(kept.place, "", lambda _: DONE, labeler.log), DONE, 0)


def with_label(
    asked: Sequence[Calculation], answers: Sequence[Union[Atoms, str]]
) -> list[Calculation]:
    """Those whose answer is a frame, not why there is none."""
    return [one for one, answer in zip(asked, answers) if not isinstance(answer, str)]
