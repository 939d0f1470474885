"""A training that can begin with a pretrained network, by a worker in the Python of its library."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import numpy as np

from pwact.config.document import read_text
from pwact.config.nep_in import is_json
from pwact.config.train_keys import defaults
from pwact.engines.evaluator import KpuEvaluator
from pwact.engines.gradients.covariance import (
    GRADIENT_COVARIANCE,
    covariance_step,
    read_covariance,
)
from pwact.engines.gradients.evaluator import ROLE, GradientKpu
from pwact.engines.links import link_files
from pwact.engines.model_reading import BEGIN, ModelReading
from pwact.engines.network import task
from pwact.engines.potential import Potential, calculators, pair_sets
from pwact.engines.trainers import TrainedModel, Trainer, TrainingData
from pwact.engines.training_end import ENDED, record_end, unless_ended
from pwact.engines.training_task import TrainingTask, demand_files, known_frames
from pwact.engines.worker import python_module
from pwact.errors import InputError, TaskError
from pwact.fingerprint import Settings
from pwact.formats.extxyz import write_extxyz
from pwact.io.files import tree_hash, write_json, write_text
from pwact.registry.engines import TRAINERS
from pwact.registry.formats import ASE
from pwact.registry.uncertainties import UNCERTAINTIES

if TYPE_CHECKING:
    from pwact.config.resources import ResourceBlock
    from pwact.config.run import RunConfig

MODEL_ROLE, LAMMPS_ROLE = "model", "lammps"
TRAINED = "trained.ended"  # holds the size of the model with which the worker ended


class NetworkTrainer(TrainingTask):
    """Writes and reads tasks of a worker. See `pwact.engines.trainers.Trainer`.

    The command of the resource block is the Python that has the library, and pwact.

    Attributes
    ----------
    engine, worker
        Its name in the input, and the module that trains; beside it lies ``gradients``.
    model, for_lammps
        Name of the trained model, and of what LAMMPS loads of it; both may be one.
    lammps_head
        Commands that must stand first in inputs of LAMMPS.
    alone, graded
        Whether one model tells its uncertainty: by a covariance, or as its library does it.
    by_start
        Key → its default with a model to begin with, and from nothing.
    environment
        Shell text before the worker, which sets variables for it.
    vectors, draws
        Random vectors and drawn weights by which KPU judges a frame, unless the user says how many
        vectors: as many as cost less than four evaluations of energy and forces.
    """

    log = task.LOG
    engine = ""
    worker = ""
    model = ""
    for_lammps = ""
    lammps_head: tuple[str, ...] = ()
    by_start: Mapping[str, tuple[Any, Any]] = {}
    environment = ""
    vectors = 1
    draws = 0

    def __init__(self, config: RunConfig, train: ResourceBlock, explore: ResourceBlock) -> None:
        del explore  # the MD needs the models alone
        self.config = config
        self.types = tuple(config.train.atom_type)
        file = config.train.input_file
        self.native = None if file is None or is_json(file) else file
        self.pair_style = config.explore.pair_style
        self.block = train
        self.program = train.command
        judge = config.strategy.uncertainty
        self.graded = judge in TRAINERS[self.engine].measures
        self.alone = UNCERTAINTIES[judge].single and not self.graded
        self.keys = {**defaults(self.engine), **config.train.settings}

    def whole(self) -> Optional[Trainer]:
        """A training without bootstrap, if the members of a committee have one."""
        config = self.config
        begun = config.train.foundation or config.init_model_list or config.use_pre_model
        if not self.resolved(bool(begun))["bootstrap"]:
            return None
        made = copy.copy(self)
        made.keys = {**self.keys, "bootstrap": False}
        return made

    @property
    def adapter(self) -> str:
        """The module by which `pwact.engines.gradients` reads the models."""
        return f"{self.worker.rpartition('.')[0]}.gradients"

    def calculator(self, model: str) -> Mapping[str, Any]:
        """What an explorer makes of a model: ``calculator`` and its ``arguments``."""
        raise NotImplementedError

    def check_foundation(self, name: str) -> None:
        """Raise InputError unless the library holds a model of this name for our elements."""
        raise NotImplementedError

    def validate(self) -> None:
        """Refuse what this engine cannot honour."""
        config, strategy = self.config, self.config.strategy
        refused = [
            (strategy.compress, "strategy.compress", "no compression"),
            (
                bool(config.init_model_list) and config.train.foundation is not None,
                "init_model_list",
                "one model to begin with, and train.foundation names it",
            ),
        ]
        for wrong, key, what in refused:
            if wrong:
                raise InputError(f"the engine {self.engine} knows {what}", config.file, key)
        if config.train.foundation and not self._foundation_file:
            self.check_foundation(config.train.foundation)

    @property
    def _foundation_file(self) -> Optional[Path]:
        found = self.config.train.foundation
        return Path(found) if found and Path(found).is_absolute() else None

    def reading(self) -> Optional[ModelReading]:
        """By the Python of the library, which alone knows what a model of it holds."""
        config = self.config
        named = {
            f"init_model_list[{n}]": str(self._start(p))
            for n, p in enumerate(config.init_model_list)
        }
        if config.train.foundation:
            named["train.foundation"] = config.train.foundation
        asked = {"seed": 0, "elements": list(self.types), "keys": self.resolved(True)}
        models = {key: {**asked, BEGIN: model} for key, model in named.items()}
        if not models:
            return None
        return ModelReading(config.file, self.block, self.worker, self.environment, models)

    @property
    def _converts(self) -> bool:
        """Whether LAMMPS loads another file than the one that is trained on."""
        return self.pair_style is not None and self.for_lammps != self.model

    def fingerprint(self) -> dict[str, Any]:
        """The engine, the order of elements, the foundation and all settings."""
        file = self._foundation_file
        known = {**defaults(self.engine), **dict.fromkeys(self.by_start)}
        return Settings(
            {
                "engine": self.engine,
                "atom_type": list(self.types),
                "foundation": tree_hash(file) if file else self.config.train.foundation,
                "settings": Settings({**known, **self.keys}, known),
                "covariance": self.alone,
                "for_lammps": self._converts,
                "native": None if self.native is None else tree_hash(self.native),
            },
            {"covariance": False, "for_lammps": False, "native": None},
        )

    def write_input(
        self, directory: Path, data: TrainingData, seed: int, start_from: Optional[Path]
    ) -> None:
        """Write the frames, the settings, and a link to the model to begin with."""
        train = known_frames(data.train, data.data_format, self.types, self.config.file)
        valid = known_frames(data.valid, data.data_format, self.types, self.config.file)
        if not train:
            raise TaskError(f"{directory}: no training frames")
        start = self._start(start_from)
        if start is not None:
            link_files(directory, {task.START: start})
        begin = task.START if start is not None else self.config.train.foundation
        keys = self.resolved(begin is not None)
        if keys["bootstrap"]:
            picks = np.random.default_rng(seed).integers(0, len(train), len(train))
            train = [train[pick] for pick in sorted(picks)]
        write_extxyz(directory / task.TRAIN, train, ASE)
        if valid:
            write_extxyz(directory / task.VALID, valid, ASE)
        written = {"seed": seed % 2**31, "elements": list(self.types), "begin": begin, "keys": keys}
        if self._converts:
            written["for_lammps"] = True
        if self.native is not None:
            keys["epochs"] = None  # they stand in that file, which the worker reads
            write_text(directory / task.NATIVE, read_text(self.native))
        write_json(directory / task.SETTINGS, written)

    def _start(self, start_from: Optional[Path]) -> Optional[Path]:
        if start_from is None:
            return self._foundation_file
        return start_from / self.model if start_from.is_dir() else start_from

    def resolved(self, begun: bool) -> dict[str, Any]:
        """All keys, with the defaults that depend on whether there is a model to begin with."""
        usual = {name: pair[0 if begun else 1] for name, pair in self.by_start.items()}
        usual["bootstrap"] = begun and self.config.strategy.model_num > 1
        given = {name: value for name, value in self.keys.items() if value is not None}
        return {**dict.fromkeys(self.keys), **usual, **given}

    def command(self) -> str:
        """Shell text that runs the worker."""
        worker = f"{self.environment}{python_module(self.worker, python=self.program)}"
        steps = [f"rm -f {ENDED}", unless_ended(TRAINED, self.model, f"{worker} > {task.LOG} 2>&1")]
        made = [self.model, task.RESULT, *([self.for_lammps] if self._converts else [])]
        for step, products in self.uncertain():
            steps.append(step)
            made += products
        return " && ".join([*steps, record_end(*made)])

    def uncertain(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Steps by which a model alone knows how sure it is, and the files that each leaves."""
        if self.alone:
            data = (self.adapter, self.program, self.model, [task.TRAIN])
            yield covariance_step(*data, log=task.LOG), (GRADIENT_COVARIANCE,)

    def read_result(self, directory: Path) -> TrainedModel:
        """The model, which was trained for the epochs that were asked for."""
        valid = task.read_result(directory)
        files = {MODEL_ROLE: directory / self.model}
        if self._converts:
            files[LAMMPS_ROLE] = directory / self.for_lammps
        demand_files(list(files.values()))
        if self.alone:
            files[ROLE] = directory / GRADIENT_COVARIANCE
            read_covariance(files[ROLE])
        return TrainedModel(directory, files, valid)

    def kpu(self) -> KpuEvaluator:
        """By gradients of the forces by the weights."""
        probes = self.config.strategy.kpu_probes
        vectors, draws = (self.vectors, self.draws) if probes is None else (probes, 0)
        return GradientKpu(self.adapter, self.program, MODEL_ROLE, vectors, draws)

    def potential(self, models: Sequence[TrainedModel]) -> Potential:
        """One calculator of ASE a model, or one set of pair commands."""
        names = [f"{number}_{self.model}" for number in range(len(models))]
        links = {name: model.files[MODEL_ROLE] for name, model in zip(names, models)}
        if self.pair_style is None:
            return calculators(self.types, links, [self.calculator(name) for name in names])
        return self._for_lammps(models, names[0])

    def _for_lammps(self, models: Sequence[TrainedModel], first: str) -> Potential:
        role = LAMMPS_ROLE if self._converts else MODEL_ROLE
        named = {f"{n}_{self.for_lammps}": one.files[role] for n, one in enumerate(models)}
        elements = " ".join(self.types)
        sets = [
            (f"pair_style {self.pair_style}", f"pair_coeff * * {name} {elements}") for name in named
        ]
        links = {**named, first: models[0].files[MODEL_ROLE]}
        made = pair_sets(self.types, links, sets, self.lammps_head)
        return replace(made, in_ase=self.calculator(first))
