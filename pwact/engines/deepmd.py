"""DeePMD-kit with its TensorFlow backend: train, freeze, compress; run by its LAMMPS plugin."""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from pwact.engines.base import KpuEvaluator, Potential, TrainedModel, TrainingData, ValidError
from pwact.engines.deepmd_input import (
    CURVE,
    native_warnings,
    read_native,
    seeded,
    with_data,
    with_length,
)
from pwact.engines.deepmd_keys import Translation, check_compressible
from pwact.engines.deepmd_results import read_curve, read_test
from pwact.engines.task_inputs import link_files
from pwact.errors import InputError, TaskError
from pwact.io.deepmd_npy import write_deepmd
from pwact.io.files import write_json, write_text
from pwact.io.frames import read_frames
from pwact.verdict import DONE, Verdict, incomplete

if TYPE_CHECKING:
    from ase import Atoms

    from pwact.config.resources import ResourceBlock
    from pwact.config.run import RunConfig

logger = logging.getLogger(__name__)

INPUT = "input.json"
LOG = "train.log"
GRAPH = "graph.pb"
COMPRESSED = "compressed.pb"
START = "start.pb"
TEST_LOG = "test.log"
ASK_TEST = "ask_for_test"  # its presence asks for `dp test`
MODEL_ROLE = "model"
GRAPH_ROLE = "graph"


class DeepmdTrainer:
    """Writes and reads ``dp`` tasks. See `pwact.engines.base.Trainer`."""

    log = LOG
    shell_check = '[ "$rc" -eq 0 ]'

    def __init__(self, config: RunConfig, train: ResourceBlock, explore: ResourceBlock) -> None:
        del explore  # the plugin needs nothing of it
        self._config = config
        self._types = tuple(config.train.atom_type)
        self._program = train.command.strip()
        self._input: Optional[dict[str, Any]] = None
        self._descriptor_place = (config.file, "train.model.descriptor.network_size")
        self._warnings: list[str] = []
        self._epochs = 0

    def validate(self) -> None:
        """Refuse what DeePMD-kit cannot honour, and warn of what it has no key for."""
        config, strategy = self._config, self._config.strategy
        if strategy.uncertainty != "committee":
            raise InputError(
                "the engine deepmd knows committees only", config.file, "strategy.uncertainty"
            )
        if config.train.model_type.upper() != "DP":
            raise InputError(
                f"found {config.train.model_type!r}; the engine deepmd trains DP",
                config.file,
                "train.model_type",
            )
        document = self._document()
        for message in self._warnings:
            logger.warning("%s", message)
        if strategy.compress:
            check_compressible(document, *self._descriptor_place)
            if strategy.compress_order != 5:
                logger.info("dp compress always uses fifth order; compress_order is not used")

    def fingerprint(self) -> dict[str, Any]:
        """The input without data and seeds, and how it is compressed."""
        strategy = self._config.strategy
        return {
            "engine": "deepmd",
            "input": self._document(),
            "epochs": self._epochs,
            "compress": strategy.compress_dx if strategy.compress else None,
        }

    def write_input(
        self, directory: Path, data: TrainingData, seed: int, start_from: Optional[Path]
    ) -> None:
        """Write the data in deepmd/npy and the input file."""
        frames = self._frames(data.train, data.data_format)
        if not frames:
            raise TaskError(f"{directory}: no training frames")
        train = write_deepmd(directory / "data" / "train", frames, self._types)
        checked = self._frames(data.valid, data.data_format)
        valid = write_deepmd(directory / "data" / "valid", checked, self._types) if checked else []
        document = seeded(self._document(), seed)
        in_curve = with_data(document, directory, train, valid)
        in_curve = with_length(document, self._epochs, len(frames)) and in_curve
        write_json(directory / INPUT, document)
        if valid and not in_curve:
            write_text(directory / ASK_TEST, "")
        if start_from is not None:
            start = start_from / GRAPH if start_from.is_dir() else start_from
            link_files(directory, {START: start})

    def command(self) -> str:
        """Train, freeze, perhaps compress and test; the first failure ends it."""
        dp = self._program
        # a link that leads nowhere must fail, not start from nothing
        start = f'$([ -L {START} ] && echo "--init-frz-model {START}")'
        steps = [
            f"{dp} train {INPUT} {start} > {LOG} 2>&1",
            f"{dp} freeze -o frozen.pb >> {LOG} 2>&1",
            f"mv frozen.pb {GRAPH}",
        ]
        if self._config.strategy.compress:
            step = self._config.strategy.compress_dx
            steps += [
                f"{dp} compress -i {GRAPH} -o small.pb -s {step!r} >> {LOG} 2>&1",
                f"mv small.pb {COMPRESSED}",
            ]
        test = f"{dp} test -m {GRAPH} -s data/valid -n 0 > {TEST_LOG} 2>&1"
        steps.append(f"{{ [ ! -e {ASK_TEST} ] || {test}; }}")
        return " && ".join(steps)

    def check(self, directory: Path) -> Verdict:
        """Whether the model is there and its learning curve is finite."""
        try:
            self.read_result(directory)
        except TaskError as error:
            return incomplete(str(error))
        return DONE

    def read_result(self, directory: Path) -> TrainedModel:
        """The frozen model, and the compressed one if there is one."""
        model = directory / (COMPRESSED if self._config.strategy.compress else GRAPH)
        for file in (directory / GRAPH, model):
            if not file.is_file() or not file.stat().st_size:
                raise TaskError(f"{file.name} is missing in {directory}")
        curve = read_curve(directory / CURVE)
        # virials are nan where the data have none
        judged = [value for name, value in curve.items() if not name.startswith("rmse_v")]
        if not all(map(math.isfinite, judged)):
            raise TaskError(f"the learning curve {directory / CURVE} ends with numbers not finite")
        valid = None
        if (directory / ASK_TEST).is_file():
            valid = read_test(directory / TEST_LOG)
        elif "rmse_e_val" in curve and "rmse_f_val" in curve:
            valid = ValidError(curve["rmse_e_val"], curve["rmse_f_val"])
        files = {MODEL_ROLE: model, GRAPH_ROLE: directory / GRAPH}
        return TrainedModel(directory, files, valid)

    def kpu(self) -> KpuEvaluator:
        """Not known to this engine."""
        message = "the engine deepmd knows committees only"
        raise InputError(message, self._config.file, "strategy.uncertainty")

    def potential(self, models: Sequence[TrainedModel]) -> Potential:
        """``pair_style deepmd`` with all members, which also writes their deviation."""
        names = [f"{number}_{GRAPH}" for number in range(len(models))]
        deviation = " out_freq {out_freq} out_file model_devi.out" if len(models) > 1 else ""
        return Potential(
            types=self._types,
            links={name: model.files[MODEL_ROLE] for name, model in zip(names, models)},
            pair_lines=(
                f"pair_style deepmd {' '.join(names)}{deviation}",
                f"pair_coeff * * {' '.join(self._types)}",
            ),
        )

    def _document(self) -> dict[str, Any]:
        """A fresh copy of the input without data and seeds."""
        if self._input is None:
            self._input = self._native() or self._translated()
        return copy.deepcopy(self._input)

    def _native(self) -> Optional[dict[str, Any]]:
        file = self._config.train.input_file
        made = read_native(file, self._types) if file else None
        if file and made:
            self._warnings = list(native_warnings(made, file))
            self._descriptor_place = (file, "model.descriptor")
        return made

    def _translated(self) -> dict[str, Any]:
        file = self._config.file
        made = Translation(self._config.train.settings, self._types, file)
        self._epochs = made.epochs
        self._warnings = [f"{file}: {message}" for message in made.warnings]
        return made.input

    def _frames(self, paths: Sequence[Path], data_format: str) -> list[Atoms]:
        frames = [frame for path in paths for frame in read_frames(path, data_format)]
        strange = {symbol for frame in frames for symbol in frame.symbols} - set(self._types)
        if strange:
            raise InputError(
                f"the data hold {' '.join(sorted(strange))}, which it does not list",
                self._config.file,
                "train.atom_type",
            )
        return frames
