"""DeePMD-kit with its TensorFlow backend: train, freeze, compress; run by its LAMMPS plugin."""

from __future__ import annotations

import copy
import logging
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import numpy as np

from pwact.config.document import plain, read_document
from pwact.engines.base import Potential, TrainedModel, TrainingData, ValidError
from pwact.engines.deepmd_keys import Translation, check_compressible
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
CURVE = "lcurve.out"
GRAPH = "graph.pb"
COMPRESSED = "compressed.pb"
START = "start.pb"
TEST_LOG = "test.log"
SEVERAL = "several_valid_systems"  # its presence asks for `dp test`
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
        self._native: Optional[dict[str, Any]] = None
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
        document = self._document(warn=True)
        if strategy.compress:
            descriptor = document["model"].get("descriptor", {})
            check_compressible(descriptor, config.file, "train.model.descriptor.network_size")
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
        training = document["training"]
        self._set_data(directory, training, train, valid)
        if "numb_steps" not in training and "numb_epoch" not in training:
            batch = training["training_data"]["batch_size"]
            size = batch if isinstance(batch, int) else 1
            training["numb_steps"] = max(1, math.ceil(self._epochs * len(frames) / size))
        if "disp_freq" not in training:
            training["disp_freq"] = max(1, int(training.get("numb_steps", 1000)) // 10)
        training.setdefault("save_freq", training.get("numb_steps", 1000))
        write_json(directory / INPUT, document)
        if len(valid) > 1:
            write_text(directory / SEVERAL, f"{len(valid)}\n")
        if start_from is not None:
            start = start_from / GRAPH if start_from.is_dir() else start_from
            link_files(directory, {START: start})

    def command(self) -> str:
        """Train, freeze, perhaps compress and test; the first failure ends it."""
        dp = self._program
        start = f'$([ -e {START} ] && echo "--init-frz-model {START}")'
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
        # one system's errors stand in the learning curve already
        test = f"{dp} test -m {GRAPH} -s data/valid -n 0 > {TEST_LOG} 2>&1"
        steps.append(f"{{ [ ! -e {SEVERAL} ] || {test}; }}")
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
        if not np.isfinite([value for value in curve.values()]).all():
            raise TaskError(f"the learning curve {directory / CURVE} ends with numbers not finite")
        valid = None
        if (directory / SEVERAL).is_file():
            valid = read_test(directory / TEST_LOG)
        elif "rmse_f_val" in curve:
            valid = ValidError(curve["rmse_e_val"], curve["rmse_f_val"])
        files = {MODEL_ROLE: model, GRAPH_ROLE: directory / GRAPH}
        return TrainedModel(directory, files, valid)

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

    def _document(self, warn: bool = False) -> dict[str, Any]:
        """A fresh copy of the input without data and seeds."""
        if self._native is None:
            self._native = self._native_input() or self._translated(warn)
        return copy.deepcopy(self._native)

    def _translated(self, warn: bool) -> dict[str, Any]:
        config = self._config
        made = Translation(config.train.settings, self._types, config.file)
        self._epochs = made.epochs
        for message in made.warnings if warn else []:
            logger.warning("%s: %s", config.file, message)
        return made.input

    def _native_input(self) -> Optional[dict[str, Any]]:
        """The user's own DeePMD-kit input, if `train_input_file` is one."""
        file = self._config.train.input_file
        if file is None:
            return None
        document: dict[str, Any] = plain(read_document(file).root)
        if "training" not in document:
            return None
        model = document.get("model")
        if not isinstance(model, dict) or not isinstance(document["training"], dict):
            raise InputError("expected an object {...}", file, "model")
        if model.get("type_map") != list(self._types):
            raise InputError(
                f"found {model.get('type_map')}; it must be train.atom_type, {list(self._types)}",
                file,
                "model.type_map",
            )
        return document

    def _set_data(
        self, directory: Path, training: dict[str, Any], train: list[Path], valid: list[Path]
    ) -> None:
        here = directory.resolve()
        names = [
            [os.path.relpath(path.resolve(), here) for path in part] for part in (train, valid)
        ]
        given = training.get("training_data", {})
        batch = training.pop("batch_size", given.get("batch_size", 1))
        training["training_data"] = {**given, "systems": names[0], "batch_size": batch}
        training.pop("validation_data", None)
        if valid:
            frames = max(len(np.load(path / "set.000" / "energy.npy")) for path in valid)
            training["validation_data"] = {
                "systems": names[1],
                "batch_size": frames,
                "numb_btch": 1,
            }
        training["disp_file"] = CURVE

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


def seeded(document: dict[str, Any], seed: int) -> dict[str, Any]:
    """The input with all four seeds of DeePMD-kit derived from one."""
    states = [int(state) % (2**31 - 1) for state in np.random.SeedSequence(seed).generate_state(4)]
    model = document["model"]
    for part, state in zip(("descriptor", "fitting_net", "type_embedding"), states):
        if isinstance(model.get(part), dict):
            model[part]["seed"] = state
    document["training"]["seed"] = states[3]
    return document


def read_curve(path: Path) -> dict[str, float]:
    """Last row of ``lcurve.out`` by column name (energies and virials per atom).

    Raises
    ------
    TaskError
        There is none.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise TaskError(f"no learning curve {path}") from error
    heads = [line[1:].split() for line in lines if line.startswith("#") and "step" in line]
    rows = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    if not heads or not rows or len(heads[0]) != len(rows[-1]):
        raise TaskError(f"the learning curve {path} has no whole row")
    try:
        return {name: float(word) for name, word in zip(heads[0], rows[-1])}
    except ValueError as error:
        raise TaskError(f"the learning curve {path} ends with {' '.join(rows[-1])}") from error


def read_test(path: Path) -> ValidError:
    """Errors over all systems, the last ones that ``dp test`` prints.

    Raises
    ------
    TaskError
        The output is incomplete.
    """
    found = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        for name, words in (("e", "Energy RMSE/Natoms"), ("f", "Force  RMSE")):
            if words in line:
                found[name] = float(line.partition(words)[2].split(":")[1].split()[0])
    if len(found) < 2:
        raise TaskError(f"{path} holds no errors of energy and forces")
    return ValidError(found["e"], found["f"])
