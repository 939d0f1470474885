"""DeePMD-kit with its PyTorch backend: one model, trained by a Kalman filter, which knows its KPU.

DeePMD-kit's LAMMPS plugin for PyTorch is not part of its package, so the MD runs in ASE.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pwact.engines.deepmd import pytorch_keys as keys
from pwact.engines.deepmd.input import CURVE, native_warnings
from pwact.engines.deepmd.kpu import KALMAN, MODEL, PROBES, START, DeepmdKpu
from pwact.engines.deepmd.results import steps_reached
from pwact.engines.deepmd.training import (
    LOG,
    MODEL_ROLE,
    TEST_LOG,
    DeepmdTraining,
)
from pwact.engines.evaluator import KpuEvaluator
from pwact.engines.potential import Potential, calculators
from pwact.engines.trainers import TrainedModel
from pwact.engines.training_end import ENDED, record_end, unless_ended
from pwact.engines.training_task import demand_files
from pwact.engines.worker import interpreter, python_module
from pwact.errors import InputError
from pwact.registry.uncertainties import UNCERTAINTIES

if TYPE_CHECKING:
    from pwact.config.resources import ResourceBlock
    from pwact.config.run import RunConfig

KALMAN_ROLE = "kpu"
SPLIT = "split.ended"  # holds the size of the model with which the training ended


class DeepmdPytorchTrainer(DeepmdTraining):
    """Writes and reads tasks of `pwact.engines.deepmd.lkf`. See `pwact.engines.trainers.Trainer`.

    The command of the resource block is the Python that has DeePMD-kit, and pwact.
    """

    model = MODEL
    start = START
    kept = 2  # each holds P, which may be large
    translation = keys.LkfTranslation

    def __init__(self, config: RunConfig, train: ResourceBlock, explore: ResourceBlock) -> None:
        super().__init__(config, train.command)
        del explore  # the MD needs the model alone

    def native_warnings(self, document: Mapping[str, Any], file: Path) -> Iterator[str]:
        """See `DeepmdTraining`."""
        keys.check_native(document, file)
        yield from native_warnings(document, file)
        yield from keys.native_warnings(document, file)

    def validate(self) -> None:
        """Refuse what DeePMD-kit's Kalman filter cannot honour, and warn of what it ignores."""
        config, strategy = self.config, self.config.strategy
        if not UNCERTAINTIES[strategy.uncertainty].single:
            message = "the engine deepmd-pytorch knows KPU only; deepmd knows committees"
            raise InputError(message, config.file, "strategy.uncertainty")
        if config.train.model_type.upper() != "DP":
            raise InputError(
                f"found {config.train.model_type!r}; the engine deepmd-pytorch trains DP",
                config.file,
                "train.model_type",
            )
        self.warn()

    def fingerprint(self) -> dict[str, Any]:
        """The input without data and seeds."""
        return {"engine": "deepmd-pytorch", "input": self.document(), "epochs": self.epochs}

    def command(self) -> str:
        """Train, or go on, and test where the learning curve does not tell all."""
        worker = python_module("pwact.engines.deepmd.lkf", python=self.program)
        test = self.test_step(f"{interpreter(self.program)} -m deepmd --pt")
        end = record_end(MODEL, KALMAN, CURVE, perhaps=(TEST_LOG,))
        trained = unless_ended(SPLIT, MODEL, f"{worker} >> {LOG} 2>&1")
        return f"rm -f {ENDED} && {trained} && {test} && {end}"

    def reached(self, directory: Path) -> float:
        """See `steps_reached`."""
        return steps_reached(directory, SPLIT)

    def read_result(self, directory: Path) -> TrainedModel:
        """The model, and the matrix P of its filter."""
        files = {MODEL_ROLE: directory / MODEL, KALMAN_ROLE: directory / KALMAN}
        demand_files(list(files.values()))
        return TrainedModel(directory, files, self.valid_error(directory))

    def kpu(self) -> KpuEvaluator:
        """By random probes, or component by component."""
        probes = self.config.strategy.kpu_probes
        return DeepmdKpu(self.program, PROBES if probes is None else probes)

    def potential(self, models: Sequence[TrainedModel]) -> Potential:
        """The one model as a calculator of ASE."""
        model = {"calculator": "deepmd.calculator:DP", "arguments": {"model": MODEL}}
        return calculators(self.types, {MODEL: models[0].files[MODEL_ROLE]}, [model])
