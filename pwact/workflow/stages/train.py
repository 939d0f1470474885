"""Trains the committee, or keeps the previous one when there is nothing new to learn."""

from __future__ import annotations

import csv
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Optional, Union

from pwact import layout
from pwact.config.resources import ResourceBlock
from pwact.config.run import RunConfig
from pwact.engines.trainers import TrainedModel, Trainer, TrainingData
from pwact.executors.base import Task
from pwact.io import files
from pwact.workflow.checks.data_sets import DataSets
from pwact.workflow.findings import findings_at
from pwact.workflow.reports import FirstDataRecord, TrainReport
from pwact.workflow.stage import Services, StageOutput
from pwact.workflow.tasks.prepare import (
    content,
    demand_all,
    link_inside,
    prepare,
    relative,
)
from pwact.workflow.tasks.starts import started_once

if TYPE_CHECKING:
    from pwact.workflow.turn import Turn

logger = logging.getLogger(__name__)

READS = ("labelled", "start_from", "kept_models")  # labels decide whether there is a training
FIRST = "first_by_all"  # input of a training whose first member alone sees every frame


@dataclass(frozen=True)
class TrainStage:
    """One training of all members.

    Attributes
    ----------
    labelled
        Data sets that earlier iterations of this campaign labelled.
    previous
        The committee of the iteration before; empty in iteration 0.
    """

    config: RunConfig
    trainer: Trainer
    block: ResourceBlock
    iteration: int
    labelled: Sequence[Path]
    previous: Sequence[TrainedModel] = ()

    @property
    def first(self) -> Optional[Trainer]:
        """What trains the first member on all frames; None where it is trained as the others are.

        With a target, errors are those of the first member, which explores. The few rare frames
        that are labelled may be missing in a draw of all.
        """
        aims = self.config.strategy.target_force_error is not None
        return self.trainer.whole() if aims else None

    @property
    def name(self) -> str:
        """``iter.0000/train``."""
        return f"{layout.iteration_name(self.iteration)}/train"

    @property
    def directory(self) -> Path:
        """``00.train``."""
        return layout.train_dir(self.config.work_dir, self.iteration)

    @property
    def data(self) -> TrainingData:
        """All frames that this training may see."""
        train = (*self.config.init_data, *self.labelled)
        return TrainingData(train, self.config.valid_data, self.config.data_format)

    def start_from(self, member: int) -> Optional[Path]:
        """Model that `member` starts from: its own of the iteration before, or the user's."""
        if self.iteration == 0:
            models = self.config.init_model_list
            return models[member] if models else None
        if self.config.use_pre_model and self.previous:
            return self.previous[member].directory
        return None

    @property
    def reads(self) -> Collection[str]:
        """Results of earlier stages in `inputs`."""
        return READS

    def inputs(self) -> Mapping[str, Any]:
        """Trainer, data and the models to start from."""
        members = self.config.strategy.model_num
        start: list[Any] = []
        if self.iteration == 0:
            start = content(self.config.init_model_list)
        elif self.config.use_pre_model:
            start = [model_content(model) for model in self.previous]
        first = {} if self.first is None else {FIRST: True}
        return {
            "trainer": self.trainer.fingerprint(),
            "model_num": members,
            "data_format": self.config.data_format,
            "init_data": content(self.config.init_data),
            "labelled": content(self.labelled),
            "valid_data": content(self.config.valid_data),
            "start_from": start,
            **first,
        }

    def work(self, services: Services) -> StageOutput:
        """Train all members; every one of them is needed."""
        self._look_at_new_labels()
        tasks = [self._task(services, member) for member in range(self.config.strategy.model_num)]
        results = list(services.dispatch("train", self.directory, tasks, self.block))
        demand_all(results, self.name)
        models = [self.trainer.read_result(task.directory) for task in tasks]
        self._compare(models)
        made = output(services.work_dir, self.directory, models)
        paths = [relative(path, services.work_dir) for path in self.config.init_data]
        first = FirstDataRecord(tuple(paths), self.config.data_format)
        report = replace(TrainReport.from_json(made.report), init_data=first)
        return replace(made, report=report.to_json())

    def _compare(self, models: Sequence[TrainedModel]) -> None:
        """Name members that are the same model: they agree about everything, right or wrong."""
        seen: dict[str, str] = {}
        for model in models:
            mark = repr(model_content(model))
            name = model.directory.name
            first = seen.setdefault(mark, name)
            if first != name:
                logger.warning(
                    "%s: %s and %s are the same model, so that they agree about every frame; do "
                    "the seeds reach the training?",
                    self.name,
                    first,
                    name,
                )

    def _look_at_new_labels(self) -> None:
        """Name labels of the iteration before that cannot be right, before models learn them."""
        if not self.labelled:
            return
        data = DataSets()
        for path in (*self.config.init_data, *self.labelled[:-1]):
            data.read(path, self.config.data_format)
        known = len(data)
        data.read(self.labelled[-1], self.config.data_format)
        for words in data.warnings(range(known, len(data)), range(len(data))):
            logger.warning("%s: new labels: %s", self.name, words)

    def _task(self, services: Services, member: int) -> Task:
        trainer = self.first if member == 0 and self.first is not None else self.trainer
        write = partial(
            trainer.write_input,
            data=self.data,
            seed=services.seed(self.iteration, "train", member),
            start_from=self.start_from(member),
        )
        directory = layout.member_dir(self.config.work_dir, self.iteration, member)
        return training_task(trainer, directory, write, self.block)


def training_task(
    trainer: Trainer, directory: Path, write: Callable[[Path], None], block: ResourceBlock
) -> Task:
    """One training; `write` writes its input, unless the directory is there."""
    prepare(directory, write)
    check = started_once(trainer.check, trainer.heading, block)
    command, reached = trainer.command(), trainer.reached
    return Task(directory, command, check, trainer.log, trainer.shell_check, reached)


@dataclass(frozen=True)
class ReuseStage:
    """Takes over the committee of the iteration before, which labelled nothing.

    Attributes
    ----------
    because
        Why nothing was labelled, in short; the words are for the log alone.
    """

    config: RunConfig
    trainer: Trainer
    iteration: int
    previous: Sequence[TrainedModel]
    because: str = ""

    @property
    def name(self) -> str:
        """The same as that of a training."""
        return f"{layout.iteration_name(self.iteration)}/train"

    @property
    def directory(self) -> Path:
        """``00.train``."""
        return layout.train_dir(self.config.work_dir, self.iteration)

    @property
    def reads(self) -> Collection[str]:
        """Results of earlier stages in `inputs`."""
        return READS

    def inputs(self) -> Mapping[str, Any]:
        """The models that are kept."""
        return {"kept_models": [model_content(model) for model in self.previous]}

    def work(self, services: Services) -> StageOutput:
        """Link to the previous members."""
        logger.info(
            "%s: the iteration before labelled nothing%s; its models are kept",
            layout.iteration_name(self.iteration),
            f" ({self.because})" if self.because else "",
        )
        models = []
        for member, model in enumerate(self.previous):
            directory = layout.member_dir(self.config.work_dir, self.iteration, member)
            link_inside(model.directory, directory)
            models.append(self.trainer.read_result(directory))
        return output(services.work_dir, self.directory, models)


def model_content(model: TrainedModel) -> dict[str, str]:
    """Role → hash of each file of a model."""
    return {role: files.tree_hash(path) for role, path in sorted(model.files.items())}


def output(work_dir: Path, directory: Path, models: Sequence[TrainedModel]) -> StageOutput:
    """What a training leaves; errors on the validation data are written beside the members."""
    products = [path for model in models for path in model.files.values()]
    rows = [(model.directory.name, model.valid) for model in models if model.valid is not None]
    if rows:
        path = directory / layout.VALID_ERROR
        with files.replacing(path) as aside, aside.open("w", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(("model", "rmse_energy_per_atom", "rmse_force"))
            writer.writerows((name, f"{e.rmse_e:.8g}", f"{e.rmse_f:.8g}") for name, e in rows)
        products.append(path)
    first = models[0].valid if models else None
    report = TrainReport(
        None if first is None else first.rmse_e,
        None if first is None else first.rmse_f,
        tuple(relative(model.directory, work_dir) for model in models),
    )
    lasting = [model.directory for model in models]
    return StageOutput(products, report=report.to_json(), lasting=lasting)


class TrainStep:
    """Trains the committee of an iteration, or keeps that of the one before."""

    def asked(self, turn: Turn) -> bool:
        """Always."""
        del turn
        return True

    def stage(self, turn: Turn) -> Union[TrainStage, ReuseStage]:
        """A training, unless there is nothing new to learn."""
        config, engines, previous = turn.config, turn.engines, tuple(turn.committee)
        if turn.labelled_last or not previous:
            return TrainStage(
                config,
                engines.trainer,
                engines.train,
                turn.iteration,
                tuple(turn.data_sets),
                previous,
            )
        found = findings_at(turn.stages(), turn.iteration - 1)
        because = found[0].kind.value if found else ""
        return ReuseStage(config, engines.trainer, turn.iteration, previous, because)

    def done(self, turn: Turn, report: Mapping[str, Any]) -> None:
        """The committee."""
        del report
        members = range(turn.config.strategy.model_num)
        places = [
            layout.member_dir(turn.config.work_dir, turn.iteration, member) for member in members
        ]
        turn.committee = [turn.engines.trainer.read_result(place) for place in places]
