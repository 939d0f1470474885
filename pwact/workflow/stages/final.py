"""The force field that a run ends with: one model of all frames, tried as others will run it.

Where the first member of a committee was trained on all frames, it is this one, and nothing is
trained again. Where it was fitted to a draw of the frames, one more is fitted to all of them; that
begins, as it did, with the first model of the last committee, unless ``use_pre_model`` is off.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from pwact import layout
from pwact.config.resources import ResourceBlock
from pwact.config.run import RunConfig
from pwact.engines.delivery import CHECK, CHECK_DATA, Delivery, Evaluated, named_plainly
from pwact.engines.explorers import Given
from pwact.engines.links import link_files
from pwact.engines.potential import Potential
from pwact.engines.trainers import TrainedModel, Trainer, TrainingData
from pwact.errors import PwactError, TaskError
from pwact.executors.base import Task, TaskResult
from pwact.formats.extxyz import write_extxyz
from pwact.formats.frames import read_frames
from pwact.formats.labels import set_labels
from pwact.formats.lammps_data import write_lammps_data
from pwact.io import files
from pwact.registry.formats import ASE
from pwact.report.parity import write_parity
from pwact.verdict import DONE, Verdict, incomplete
from pwact.workflow.ledger import StageState
from pwact.workflow.reports import FinalReport
from pwact.workflow.rows import stage_name
from pwact.workflow.stage import Services, StageOutput
from pwact.workflow.stages.train import FIRST, model_content, training_task
from pwact.workflow.tasks.given import can_be_explored, turned
from pwact.workflow.tasks.prepare import content, demand_all, prepare, relative
from pwact.workflow.validation import Validation

if TYPE_CHECKING:
    from ase import Atoms

    from pwact.workflow.turn import Engines, Turn

logger = logging.getLogger(__name__)

VALID = "valid"  # its evaluation on valid_data
DECIMALS = 8  # of the positions and the cell of the check frame, in every file the same


@dataclass(frozen=True)
class FinalStage:
    """One training at most, and one evaluation of one frame.

    Attributes
    ----------
    labelled
        Data sets that this campaign labelled.
    model
        The first of the last committee.
    trained_at
        The iteration that trained it; None where PWact did.
    whole
        What trains one model on all frames; None where the first of the last committee saw them.
    """

    config: RunConfig
    engines: Engines
    iteration: int
    labelled: Sequence[Path]
    model: TrainedModel
    trained_at: Optional[int]
    whole: Optional[Trainer]

    @property
    def name(self) -> str:
        """``iter.0003/final``."""
        return stage_name(self.iteration, layout.FINAL)

    @property
    def directory(self) -> Path:
        """``03.final``."""
        return layout.final_work_dir(self.config.work_dir, self.iteration)

    @property
    def block(self) -> ResourceBlock:
        """By which it runs first."""
        return self.engines.explore if self.whole is None else self.engines.train

    @property
    def data(self) -> TrainingData:
        """All frames."""
        train = (*self.config.init_data, *self.labelled)
        return TrainingData(train, self.config.valid_data, self.config.data_format)

    @property
    def reads(self) -> Collection[str]:
        """Results of earlier stages in `inputs`."""
        return ("labelled", "model", "start_from")

    @property
    def start_from(self) -> Optional[Path]:
        """The model with which the training on all frames begins, if there is such a training."""
        warm = self.engines.trainer.begins_with_models and self.config.use_pre_model
        return self.model.directory if warm else None

    def inputs(self) -> Mapping[str, Any]:
        """The trainer and the data, or the model that is handed on."""
        whole = self.whole
        made = {
            "data_format": self.config.data_format,
            "init_data": content(self.config.init_data),
            "labelled": content(self.labelled),
            "valid_data": content(self.config.valid_data),
        }
        if whole is None:
            return {**made, "model": model_content(self.model)}
        start = {} if self.start_from is None else {"start_from": model_content(self.model)}
        return {**made, "trainer": whole.fingerprint(), **start}

    def work(self, services: Services) -> StageOutput:
        """Fit if need be, then evaluate the check frame with what is handed on."""
        whole = self.whole
        model, seed = self.model, self._seed_of_member(services)
        if whole is not None:
            seed = services.seed(self.iteration, layout.FINAL)
            model = self._fitted(services, whole, seed)
        sets = {path: read_frames(path, self.config.data_format) for path in self.data.train}
        source, index, frame = check_frame(sets, self.config.train.atom_type)
        potential, delivery = delivered(self.engines, model, frame)
        validation = Validation(
            *(self.name, self.directory / VALID, self.engines.explorer, potential),
            self.engines.explore,
        )
        lots = services.rng(self.iteration, layout.FINAL, VALID)
        given = validation.tasks(self._valid_frames(), lots)
        found, results = self._evaluated(services, (potential, delivery), frame, given)
        compared = validation.compared(given, results)
        set_labels(frame, found.energy, found.forces)
        checked = self.directory / CHECK
        write_extxyz(checked, [frame], ASE)
        place = partial(relative, work_dir=services.work_dir)
        own = list(model.files.values()) if whole is not None else []
        if compared:
            table = self.directory / layout.PARITY
            write_parity(table, compared)
            own.append(table)
        return StageOutput(
            [*own, checked],
            [] if self.config.reserve_work or not given else [self.directory / VALID],
            lasting=[model.directory],
            report=FinalReport(
                place(model.directory),
                seed,
                tuple(len(frames) for frames in sets.values()),
                sum(self._counted(path) for path in self.data.valid),
                {"data": place(source), "frame": index, "energy": found.energy},
                dict(found.programs),
                tuple(validation.errors(compared)),
            ).to_json(),
        )

    def _valid_frames(self) -> list[Atoms]:
        sets = (read_frames(path, self.config.data_format) for path in self.data.valid)
        return [frame for frames in sets for frame in frames]

    def _counted(self, path: Path) -> int:
        return len(read_frames(path, self.config.data_format))

    def _seed_of_member(self, services: Services) -> Optional[int]:
        return None if self.trained_at is None else services.seed(self.trained_at, "train", 0)

    def _fitted(self, services: Services, trainer: Trainer, seed: int) -> TrainedModel:
        directory = self.directory / "train"
        write = partial(trainer.write_input, data=self.data, seed=seed, start_from=self.start_from)
        task = training_task(trainer, directory, write, self.engines.train)
        results = services.dispatch("train", self.directory, [task], self.engines.train)
        demand_all(list(results), self.name)
        return trainer.read_result(directory)

    def _evaluated(
        self,
        services: Services,
        handed: tuple[Potential, Delivery],
        frame: Atoms,
        given: Sequence[tuple[Task, Given]],
    ) -> tuple[Evaluated, list[TaskResult]]:
        """The check frame, which must be evaluated, and what became of the given ones."""
        directory = self.directory / "check"
        potential, delivery = handed
        prepare(directory, partial(self._write, potential, delivery, frame))

        def check(place: Path) -> Verdict:
            try:
                demand_forces(delivery.result(place), frame, place)
            except PwactError as error:
                return incomplete(str(error))
            return DONE

        task = Task(directory, delivery.command, check, delivery.log)
        tasks = [task, *(one for one, _ in given)]
        results = list(services.dispatch("check", self.directory, tasks, self.engines.explore))
        mine = [result for result in results if result.task.directory == directory]
        demand_all(mine, self.name)
        return delivery.result(directory), [one for one in results if one not in mine]

    @staticmethod
    def _write(potential: Potential, delivery: Delivery, frame: Atoms, directory: Path) -> None:
        write_folder(directory, delivery, frame)
        write_extxyz(directory / CHECK, [frame])
        link_files(directory, potential.links)


def delivered(engines: Engines, model: TrainedModel, frame: Atoms) -> tuple[Potential, Delivery]:
    """A model under the names that its files get, and what stands beside them."""
    potential = named_plainly(engines.trainer.potential([model]))
    elements = frozenset(frame.get_chemical_symbols())
    return potential, engines.explorer.deliver(potential, elements)


def write_folder(directory: Path, delivery: Delivery, frame: Atoms) -> None:
    """Write what stands beside the files of a model, but for `CHECK`."""
    for name, text in delivery.texts.items():
        files.write_text(directory / name, text)
    if delivery.data_types:
        write_lammps_data(directory / CHECK_DATA, frame, delivery.data_types)


def demand_forces(found: Evaluated, frame: Atoms, place: Path) -> None:
    """Raise TaskError unless there is a force on each atom of the frame."""
    if len(found.forces) != len(frame):
        raise TaskError(f"{place}: {len(found.forces)} forces on {len(frame)} atoms")


def check_frame(
    sets: Mapping[Path, Sequence[Atoms]], elements: Collection[str]
) -> tuple[Path, int, Atoms]:
    """A small frame with as many elements as there are, of the last data set that has one.

    Returns
    -------
    tuple
        Data set, index, and the frame: without labels, with a lower-triangular cell and atoms in
        it, rounded, so that it is the same in all formats.

    Raises
    ------
    TaskError
        No frame can be given to an explorer.
    """
    for path, frames in reversed(list(sets.items())):
        if good := sorted(_rated(frames, frozenset(elements))):
            index = good[0][-1]
            return path, index, _plain(frames[index])
    raise TaskError("no frame of the data is periodic and has forces, so no model can be tried")


def _rated(frames: Sequence[Atoms], known: Collection[str]) -> Iterator[tuple[int, int, int]]:
    """The best is the smallest: many elements, few atoms, and early."""
    for index, frame in enumerate(frames):
        found = set(frame.get_chemical_symbols())
        if found <= set(known) and can_be_explored(frame):
            yield -len(found), len(frame), index


def _plain(frame: Atoms) -> Atoms:
    plain = turned(frame)
    plain.calc = None
    plain.info.clear()
    for name in set(plain.arrays) - {"numbers", "positions"}:
        del plain.arrays[name]
    plain.wrap()
    plain.set_cell(plain.cell.array.round(DECIMALS))
    plain.positions = plain.positions.round(DECIMALS)
    return plain


def trained_at(stages: Mapping[str, StageState], iteration: int) -> Optional[int]:
    """The iteration that trained the models of this one; None where PWact did."""
    for number in range(iteration, -1, -1):
        state = stages.get(stage_name(number, "train"))
        if state is None or not state.version:  # none: taken over
            return None
        if "kept_models" not in state.inputs:
            return number
    return None


class FinalStep:
    """Makes the force field of the campaign, at its end."""

    def asked(self, turn: Turn) -> bool:
        """At the end, unless the input wants none."""
        return turn.last and bool(turn.config.final)

    def stage(self, turn: Turn) -> FinalStage:
        """The fit, if need be, and the trial."""
        stages = turn.stages()
        at = trained_at(stages, turn.iteration)
        saw_all = at is not None and FIRST in stages[stage_name(at, "train")].inputs
        whole = None if saw_all else turn.engines.trainer.whole()
        data, first = tuple(turn.data_sets), turn.committee[0]
        return FinalStage(turn.config, turn.engines, turn.iteration, data, first, at, whole)

    def done(self, turn: Turn, report: Mapping[str, Any]) -> None:
        """Nothing follows."""
        del turn, report
