"""DeePMD-kit with its PyTorch backend, trained by gradients: DPA and all its other models.

A training begins from nothing, or with a pretrained model (``train.foundation``), whose shape it
takes over (``dp --pt train --finetune --use-pretrain-script``). DeePMD-kit's LAMMPS plugin for
PyTorch is not part of its package, so the MD runs in ASE.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import numpy as np

from pwact.engines.deepmd import dpa_keys as keys
from pwact.engines.deepmd.dpa_worker import PRETRAINED
from pwact.engines.deepmd.input import CURVE, native_warnings
from pwact.engines.deepmd.kpu import MODEL, START
from pwact.engines.deepmd.pytorch_keys import PytorchTranslation
from pwact.engines.deepmd.results import steps_reached
from pwact.engines.deepmd.training import LOG, MODEL_ROLE, TEST_LOG, DeepmdTraining
from pwact.engines.evaluator import KpuEvaluator
from pwact.engines.links import link_files
from pwact.engines.model_reading import BEGIN, ModelReading
from pwact.engines.potential import Potential, calculators
from pwact.engines.trainers import TrainedModel, Trainer, TrainingData
from pwact.engines.training_end import ENDED, record_end, unless_ended
from pwact.engines.training_task import demand_files
from pwact.engines.worker import interpreter, python_module
from pwact.errors import InputError
from pwact.io.files import tree_hash
from pwact.registry.uncertainties import UNCERTAINTIES

if TYPE_CHECKING:
    from ase import Atoms

    from pwact.config.resources import ResourceBlock
    from pwact.config.run import RunConfig

TRAINED = "trained.ended"  # holds the size of the model with which the worker ended


class DpaTrainer(DeepmdTraining):
    """Writes and reads tasks of `dpa_worker`. See `pwact.engines.trainers.Trainer`.

    The command of the resource block is the Python that has DeePMD-kit.
    """

    model = MODEL
    start = START
    kept = 2

    def __init__(self, config: RunConfig, train: ResourceBlock, explore: ResourceBlock) -> None:
        super().__init__(config, train.command)
        self.block = train
        del explore  # the MD needs the models alone
        self.foundation = config.train.foundation
        self.draws = self.foundation is not None and config.strategy.model_num > 1
        self.translation = keys.FinetuneTranslation if self.foundation else PytorchTranslation

    def whole(self) -> Optional[Trainer]:
        """A training without drawn frames, if the members of a committee have those."""
        if not self.draws:
            return None
        made = copy.copy(self)
        made.draws = False
        return made

    def native_warnings(self, document: Mapping[str, Any], file: Path) -> Iterator[str]:
        """See `DeepmdTraining`."""
        keys.check_native(document, file, self.foundation is not None)
        yield from native_warnings(document, file)

    def validate(self) -> None:
        """Refuse what this engine cannot honour, and warn of what it ignores."""
        config, strategy = self.config, self.config.strategy
        if UNCERTAINTIES[strategy.uncertainty].single:
            self.kpu()
        found = self.foundation
        refused = [
            (strategy.compress, "strategy.compress", "the engine dpa knows no compression"),
            (
                found and config.init_model_list,
                "init_model_list",
                "the engine dpa begins with one model, and train.foundation names it",
            ),
            (
                found and not Path(found).is_absolute(),
                "train.foundation",
                f"found {found}; allowed: a file of a model. DeePMD-kit's package holds none",
            ),
            (
                not found and keys.BRANCH in config.train.settings,
                f"train.{keys.BRANCH}",
                "a branch needs train.foundation, the model that has it",
            ),
        ]
        for wrong, key, message in refused:
            if wrong:
                raise InputError(message, config.file, key)
        self.warn()

    def reading(self) -> Optional[ModelReading]:
        """By the Python of DeePMD-kit, which alone knows what a checkpoint holds."""
        config, model = self.config, self.document()["model"]
        named = {f"init_model_list[{n}]": str(p) for n, p in enumerate(config.init_model_list)}
        if self.foundation:
            named["train.foundation"] = self.foundation
        if not named:
            return None
        models = {key: {BEGIN: path, "model": model} for key, path in named.items()}
        return ModelReading(config.file, self.block, "pwact.engines.deepmd.dpa_worker", "", models)

    def fingerprint(self) -> dict[str, Any]:
        """The input without data and seeds, and the model to begin with."""
        return {
            "engine": "dpa",
            "input": self.document(),
            "epochs": self.epochs,
            "foundation": tree_hash(Path(self.foundation)) if self.foundation else None,
        }

    def write_input(
        self, directory: Path, data: TrainingData, seed: int, start_from: Optional[Path]
    ) -> None:
        """Write data and input, and a link to the model to begin with."""
        ours = start_from if start_from is not None and start_from.is_dir() else None
        super().write_input(directory, data, seed, ours)
        begin = start_from or (Path(self.foundation) if self.foundation else None)
        if begin is not None and ours is None:
            link_files(directory, {PRETRAINED: begin})

    def input_for(self, start_from: Optional[Path]) -> dict[str, Any]:
        """The same without a branch where it begins with a model of ours, which has none."""
        document = self.document()
        if start_from is not None:
            document["model"].pop(keys.HEAD, None)
        return document

    def drawn(self, frames: list[Atoms], seed: int) -> list[Atoms]:
        """With repetition, where models of a committee would agree for having begun as one."""
        if not self.draws or not frames:
            return frames
        picks = np.random.default_rng(seed).integers(0, len(frames), len(frames))
        return [frames[pick] for pick in sorted(picks)]

    def command(self) -> str:
        """Train, or go on, and test where the learning curve does not tell all."""
        worker = python_module("pwact.engines.deepmd.dpa_worker", python=self.program)
        test = self.test_step(f"{interpreter(self.program)} -m deepmd --pt")
        trained = unless_ended(TRAINED, MODEL, f"{worker} >> {LOG} 2>&1")
        end = record_end(MODEL, CURVE, perhaps=(TEST_LOG,))
        return f"rm -f {ENDED} && {trained} && {test} && {end}"

    def reached(self, directory: Path) -> float:
        """See `steps_reached`."""
        return steps_reached(directory, TRAINED)

    def read_result(self, directory: Path) -> TrainedModel:
        """The model, trained for the steps that were asked for."""
        files = {MODEL_ROLE: directory / MODEL}
        demand_files(list(files.values()))
        return TrainedModel(directory, files, self.valid_error(directory))

    def kpu(self) -> KpuEvaluator:
        """Not known to this engine."""
        message = "the engine dpa knows committees only; deepmd-pytorch knows KPU"
        raise InputError(message, self.config.file, "strategy.uncertainty")

    def potential(self, models: Sequence[TrainedModel]) -> Potential:
        """One calculator of ASE a model."""
        names = [f"{number}_{MODEL}" for number in range(len(models))]
        links = {name: model.files[MODEL_ROLE] for name, model in zip(names, models)}
        place = "deepmd.calculator:DP"
        made = [{"calculator": place, "arguments": {"model": name}} for name in names]
        return calculators(self.types, links, made)
