"""DeePMD-kit with its TensorFlow backend: train, freeze, compress; run by its LAMMPS plugin."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pwact.engines.deepmd.checkpoints import TENSORFLOW
from pwact.engines.deepmd.input import CURVE, native_warnings, seed_warnings
from pwact.engines.deepmd.keys import check_compressible
from pwact.engines.deepmd.restart import ENDED as STEPS_ENDED
from pwact.engines.deepmd.restart import START
from pwact.engines.deepmd.training import (
    LOG,
    MODEL_ROLE,
    TEST_LOG,
    DeepmdTraining,
)
from pwact.engines.evaluator import KpuEvaluator
from pwact.engines.potential import Potential
from pwact.engines.trainers import TrainedModel
from pwact.engines.training_end import ENDED, record_end, unless_ended
from pwact.engines.training_task import demand_files
from pwact.engines.worker import python_module
from pwact.errors import InputError
from pwact.registry.uncertainties import UNCERTAINTIES

if TYPE_CHECKING:
    from pwact.config.resources import ResourceBlock
    from pwact.config.run import RunConfig

logger = logging.getLogger(__name__)

GRAPH = "graph.pb"
COMPRESSED = "compressed.pb"
GRAPH_ROLE = "graph"


class DeepmdTrainer(DeepmdTraining):
    """Writes and reads ``dp`` tasks. See `pwact.engines.trainers.Trainer`."""

    model = GRAPH
    start = START

    def __init__(self, config: RunConfig, train: ResourceBlock, explore: ResourceBlock) -> None:
        super().__init__(config, train.command)
        del explore  # the plugin needs nothing of it

    def native_warnings(self, document: Mapping[str, Any], file: Path) -> Iterator[str]:
        """See `DeepmdTraining`."""
        yield from native_warnings(document, file)
        yield from seed_warnings(document, file)

    def validate(self) -> None:
        """Refuse what DeePMD-kit cannot honour, and warn of what it has no key for."""
        config, strategy = self.config, self.config.strategy
        if UNCERTAINTIES[strategy.uncertainty].single:
            self.kpu()
        if config.train.model_type.upper() != "DP":
            raise InputError(
                f"found {config.train.model_type!r}; the engine deepmd trains DP",
                config.file,
                "train.model_type",
            )
        self.warn()
        if strategy.compress:
            check_compressible(self.document(), *self.descriptor_place)
            if strategy.compress_order != 5:
                logger.info("dp compress always uses fifth order; compress_order is not used")

    def fingerprint(self) -> dict[str, Any]:
        """The input without data and seeds, and how it is compressed."""
        strategy = self.config.strategy
        return {
            "engine": "deepmd",
            "input": self.document(),
            "epochs": self.epochs,
            "compress": strategy.compress_dx if strategy.compress else None,
        }

    def command(self) -> str:
        """Train, freeze, perhaps compress and test; the first failure ends it.

        What an earlier try has done stays: dp goes on from its last checkpoint, and steps that have
        ended are left out.
        """
        dp = self.program
        steps = [
            f"rm -f {ENDED}",
            f"how=$({python_module('pwact.engines.deepmd.restart')})",
            f'{{ [ -z "$how" ] || {{ {dp} train $how >> {LOG} 2>&1 && '
            f"wc -c < {CURVE} > {STEPS_ENDED}; }}; }}",
            unless_ended(
                "freeze.ended",
                GRAPH,
                f"{dp} freeze -o frozen.pb >> {LOG} 2>&1 && mv frozen.pb {GRAPH}",
            ),
        ]
        models = [GRAPH]
        if self.config.strategy.compress:
            step = self.config.strategy.compress_dx
            made = f"{dp} compress -i {GRAPH} -o small.pb -s {step!r} >> {LOG} 2>&1"
            made = f"{made} && mv small.pb {COMPRESSED}"
            steps.append(unless_ended("compress.ended", COMPRESSED, made))
            models.append(COMPRESSED)
        ended = record_end(*models, CURVE, perhaps=(TEST_LOG,))
        return " && ".join([*steps, self.test_step(dp), ended])

    def reached(self, directory: Path) -> float:
        """The step of the last checkpoint, and one more when only what follows is missing."""
        return float(TENSORFLOW.last(directory) + (directory / STEPS_ENDED).exists())

    def read_result(self, directory: Path) -> TrainedModel:
        """The frozen model, and the compressed one if there is one."""
        model = directory / (COMPRESSED if self.config.strategy.compress else GRAPH)
        demand_files([directory / GRAPH, model])
        files = {MODEL_ROLE: model, GRAPH_ROLE: directory / GRAPH}
        return TrainedModel(directory, files, self.valid_error(directory))

    def kpu(self) -> KpuEvaluator:
        """Not known to this engine."""
        message = "the engine deepmd knows committees only; deepmd-pytorch knows KPU"
        raise InputError(message, self.config.file, "strategy.uncertainty")

    def potential(self, models: Sequence[TrainedModel]) -> Potential:
        """``pair_style deepmd`` with all members, which also writes their deviation."""
        names = [f"{number}_{GRAPH}" for number in range(len(models))]
        deviation = " out_freq {out_freq} out_file model_devi.out" if len(models) > 1 else ""
        return Potential(
            types=self.types,
            links={name: model.files[MODEL_ROLE] for name, model in zip(names, models)},
            pair_lines=(
                f"pair_style deepmd {' '.join(names)}{deviation}",
                f"pair_coeff * * {' '.join(self.types)}",
            ),
            by_atom="atomic" if len(models) > 1 else "",
            in_ase={"calculator": "deepmd.calculator:DP", "arguments": {"model": names[0]}},
        )
