"""One task of each sort, timed: a label, and for ``check --plan --try`` a training and an MD."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Union

from pwact.config.resources import ResourceBlock
from pwact.config.run import RunConfig
from pwact.engines.trainers import TrainedModel, TrainingData
from pwact.executors.base import Task, TaskResult
from pwact.executors.dispatcher import Dispatcher
from pwact.workflow.stages.train import training_task
from pwact.workflow.systems import systems_of
from pwact.workflow.tasks.origin import explored_start
from pwact.workflow.tasks.prepare import prepare
from pwact.workflow.turn import Engines

_SECONDS = "seconds.txt"
_SEED = 1


class Probes:
    """Runs tasks in a directory that is deleted in the end, and keeps how long each took.

    Attributes
    ----------
    seconds
        Kind of task → seconds of the one that was done.
    errors
        Why others came to nothing.
    """

    def __init__(self, place: Path, dispatcher: Dispatcher) -> None:
        self.place = place
        self.seconds: dict[str, float] = {}
        self.errors: list[str] = []
        self._dispatcher = dispatcher

    def run(self, kind: str, task: Task, block: ResourceBlock) -> TaskResult:
        """Run a task below `place`, with a watch in its shell."""
        timed = (
            f"begin=$EPOCHREALTIME\n(\n{task.command}\n)\ntried=$?\n"
            f'echo "$begin $EPOCHREALTIME" > {_SECONDS}\n(exit $tried)'
        )
        one = replace(task, command=timed)
        (result,) = self._dispatcher.run(kind, task.directory.parent, [one], block)
        if result.verdict.done:
            self.seconds[kind] = _seconds(task.directory)
        else:
            self.errors.append(result.explanation)
        return result

    def of_run(self, config: RunConfig, engines: Engines) -> Iterator[str]:
        """Train one model of the data at the beginning, and run one MD with it; a line for each."""
        model = self._model(config, engines)
        if isinstance(model, str):
            yield f"one training: {model}"
            return
        yield f"one training: done, {self.seconds['train']:.1f} s"
        yield self._md(config, engines, model)

    def _model(self, config: RunConfig, engines: Engines) -> Union[TrainedModel, str]:
        """A trained model, or why there is none."""
        missing = [path for path in config.init_data if not path.exists()]
        if missing or not config.init_data:
            return f"not tried ({missing[0] if missing else 'init_data'} is not there yet)"
        trainer = engines.trainer
        data = TrainingData(tuple(config.init_data), config.valid_data, config.data_format)
        start = config.init_model_list[0] if config.init_model_list else None
        write = partial(trainer.write_input, data=data, seed=_SEED, start_from=start)
        place = self.place / "training" / "train.000"
        task = training_task(trainer, place, write, engines.train)
        if not self.run("train", task, engines.train).verdict.done:
            return "failed"
        return trainer.read_result(place)

    def _md(self, config: RunConfig, engines: Engines, model: TrainedModel) -> str:
        """The first MD, by that model in the place of each member."""
        explorer, system = engines.explorer, systems_of(config, 0)[0]
        potential = engines.trainer.potential([model] * config.strategy.model_num)
        motion = next(iter(system.runs())).motion
        atoms = explored_start(system.structure, config.dft)
        place = self.place / "explored" / "md"
        write = partial(explorer.write_input, atoms=atoms, potential=potential, motion=motion)
        prepare(place, partial(write, seed=_SEED))
        task = Task(
            place,
            explorer.command(potential),
            partial(explorer.check, tolerance=True, motion=motion, potential=potential),
            explorer.log,
            explorer.shell_check,
            explorer.reached,
        )
        where = f"({system.structure.path})"
        if not self.run("md", task, engines.explore).verdict.done:
            return f"one MD: failed {where}"
        early = "" if explorer.read_result(place).ended_normally else ", though it died early"
        return f"one MD: done, {self.seconds['md']:.1f} s{early} {where}"


def _seconds(directory: Path) -> float:
    try:
        begin, end = (directory / _SECONDS).read_text().replace(",", ".").split()
        return float(end) - float(begin)
    except (OSError, ValueError):
        return float("nan")
