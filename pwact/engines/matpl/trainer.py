"""MatPL (PWMLFF): DP, compressed DP, DP with type embedding, NEP; run by its LAMMPS pair styles."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from pwact import layout
from pwact.config.elements import NUMBERS
from pwact.engines.matpl.input import document, errors, optimizer_of, own_start, warnings
from pwact.engines.matpl.kpu import CHECKPOINT_ROLE, MatplKpu, demand_p_matrix
from pwact.engines.matpl.models import INPUT, MODELS, RECORD, Model
from pwact.engines.matpl.restart import COMPRESS_ENDED, EPOCHS_ENDED, LOG
from pwact.engines.matpl.results import (
    TRAIN_CURVE,
    VALID_CURVE,
    demand_same_epoch,
    epochs_done,
    progress,
    read_errors,
)
from pwact.engines.matpl.words import remedy_for
from pwact.engines.potential import Potential
from pwact.engines.trainers import TrainedModel, TrainingData, ValidError
from pwact.engines.training_end import ENDED, record_end, unless_ended
from pwact.engines.training_task import TrainingTask
from pwact.engines.worker import python_module
from pwact.errors import InputError, TaskError
from pwact.fingerprint import ANY, Settings
from pwact.formats.frames import read_frames, write_frames
from pwact.io.files import tree_hash, write_json
from pwact.registry.uncertainties import UNCERTAINTIES
from pwact.verdict import Outcome, Verdict, incomplete

if TYPE_CHECKING:
    from ase import Atoms

    from pwact.config.resources import ResourceBlock
    from pwact.config.run import RunConfig

logger = logging.getLogger(__name__)

MODEL_ROLE = "model"
COMPRESSED = "cmp_dp_model.ckpt"
FEW = "few_frames"  # of the training data, where there are no validation data
_FEW = 4
_OLD_BUILD = "lmp_mpi"  # in the command: a LAMMPS with the pair style of MatPL 2025.3
_KOKKOS = "kokkos"
_KOKKOS_HEAD = ("package kokkos neigh half comm device", "newton on")


class MatplTrainer(TrainingTask):
    """Writes and reads MatPL tasks. See `pwact.engines.trainers.Trainer`."""

    log = LOG

    def __init__(self, config: RunConfig, train: ResourceBlock, explore: ResourceBlock) -> None:
        self._config = config
        self._train = train
        self._explore = explore
        self._said = False
        self._said_of_valid = False

    @property
    def _model(self) -> Model:
        return MODELS[self._config.train.model_type]

    @property
    def _keeps_p(self) -> bool:
        return UNCERTAINTIES[self._config.strategy.uncertainty].single

    def validate(self) -> None:
        """Refuse what MatPL would stop at."""
        config = self._config
        file = config.train.input_file or config.file
        prefix = "" if config.train.input_file else "train."
        for key, message in errors(config.train):
            raise InputError(message, file, f"{prefix}{key}")
        if config.strategy.compress and not self._model.is_scripted:
            message = f"only DP can be compressed, not {config.train.model_type}"
            raise InputError(message, config.file, "strategy.compress")
        self._check_start(file, prefix)
        for warning in warnings(config.train, self._train.gpu_per_node * self._train.number_node):
            logger.warning("%s: %s", file, warning)

    def _check_start(self, file: Optional[Path], prefix: str) -> None:
        """Look for the start model of the user, and say where another one counts."""
        found = own_start(self._config.train, self._config.work_dir)
        if found is None:
            return
        key, path = found
        if not path.is_file():
            raise InputError(f"there is no file {path}", file, f"{prefix}{key}")
        if self._config.init_model_list:
            logger.warning("%s: %s%s is not used: init_model_list is given", file, prefix, key)

    def fingerprint(self) -> dict[str, Any]:
        """All keys of the user, and how the models are compressed."""
        train, strategy = self._config.train, self._config.strategy
        compress = [strategy.compress_order, strategy.compress_dx] if strategy.compress else None
        p_matrix = {"save_p_matrix": True} if self._keeps_p else {}
        made = {
            "engine": "matpl",
            "model_type": train.model_type,
            "atom_type": list(train.atom_type),
            "settings": dict(train.settings),
            "compress": compress,
            **p_matrix,
        }
        start = own_start(train, self._config.work_dir)
        if start is None or not start[1].is_file():
            return made
        return Settings({**made, "start": tree_hash(start[1])}, {"start": ANY})

    def write_input(
        self, directory: Path, data: TrainingData, seed: int, start_from: Optional[Path]
    ) -> None:
        """Write ``train.json``; MatPL reads the data where they are."""
        train = self._config.train
        if not data.valid and self._model.needs_valid:
            few = write_few(directory, data, train.needed_frames)
            if not self._said:
                self._said = True
                logger.info("no valid_data: MatPL watches its errors on a few training frames")
            data = replace(data, valid=(few,))
        own = own_start(train, self._config.work_dir)
        if start_from is None and own is not None:
            start_from = own[1]
        made = document(train, data, seed, directory, start_from)
        if self._keeps_p:
            made["save_p_matrix"] = True
        write_json(directory / INPUT, made)

    def command(self) -> str:
        """Train, perhaps compress, and script; the first failure ends it.

        What an earlier try has done stays: MatPL goes on from its last epoch, and steps that have
        ended are left out.
        """
        program, end = self._train.command.strip(), f">> {LOG} 2>&1"
        checkpoint = f"{RECORD}/{self._model.checkpoint}"
        steps = [
            f"rm -f {ENDED}",
            *([self._probe(program, end)] if self._keeps_p else []),
            f"input=$({python_module('pwact.engines.matpl.restart')})",
            f'{{ [ -z "$input" ] || {{ {program} train "$input" {end} && '
            f"wc -c < {checkpoint} > {EPOCHS_ENDED}; }}; }}",
        ]
        model = f"{RECORD}/{self._model.for_lammps}"
        curves = (f"{RECORD}/{TRAIN_CURVE}", f"{RECORD}/{VALID_CURVE}")
        ended = record_end(model, checkpoint, curves[0], perhaps=curves[1:])
        if not self._model.is_scripted:
            return " && ".join([*steps, ended])
        strategy, source = self._config.strategy, f"./{checkpoint}"
        if strategy.compress:
            small = f"{RECORD}/{COMPRESSED}"
            made = (
                f"{program} compress {source} -d {strategy.compress_dx!r} "
                f"-o {strategy.compress_order} -s {small} {end}"
            )
            steps.append(unless_ended(COMPRESS_ENDED, small, made))
            source = f"./{small}"
        if not self._explore.gpu_per_node:
            steps.append("export CUDA_VISIBLE_DEVICES=''")
        steps += [f"rm -f {model}", f"{program} script {source} {model} {end}"]
        return " && ".join([*steps, ended])

    @staticmethod
    def _probe(program: str, end: str) -> str:
        """A pwdata that breaks the evaluation of KPU is found before the training."""
        return f"{python_module('pwact.engines.matpl.pwdata', program)} {end}"

    def check(self, directory: Path) -> Verdict:
        """Whether MatPL came to its last epoch, and its models can be read.

        After every epoch MatPL writes the model and the tables again, so that a training that was
        cut off leaves a model that can be read.
        """
        verdict = progress(directory)
        verdict = super().check(directory) if verdict.done else verdict
        if verdict.outcome is Outcome.INCOMPLETE and (remedy := remedy_for(directory / LOG)):
            return incomplete(f"{verdict.reason}; {remedy}")
        return verdict

    def reached(self, directory: Path) -> float:
        """Epochs that have their row, and one more when only what follows them is missing."""
        return float(epochs_done(directory) + (directory / EPOCHS_ENDED).exists())

    def read_result(self, directory: Path) -> TrainedModel:
        """The model that LAMMPS reads, and the checkpoint that a training can start from."""
        record = directory / RECORD
        files = {
            MODEL_ROLE: record / self._model.for_lammps,
            CHECKPOINT_ROLE: record / self._model.checkpoint,
        }
        for path in files.values():
            if not path.is_file() or not path.stat().st_size:
                raise TaskError(f"{path} is missing")
        self._model.demand(files[MODEL_ROLE])
        read_errors(record / TRAIN_CURVE)
        demand_same_epoch(record)
        return TrainedModel(directory, files, self._valid_error(record / VALID_CURVE))

    def _valid_error(self, path: Path) -> Optional[ValidError]:
        """None without data, and where they fill no batch: MatPL writes no table then."""
        if not self._config.valid_data:
            return None
        if path.exists():
            return read_errors(path)
        if not self._said_of_valid:
            self._said_of_valid = True
            logger.warning(
                "%s is not there, so no errors on valid_data are known: MatPL leaves out a batch "
                "that is not full; is optimizer.batch_size larger than the number of its frames?",
                path,
            )
        return None

    def kpu(self) -> MatplKpu:
        """By the Kalman filter that trained the model: a DP network, and LKF."""
        train, file = self._config.train, self._config.file
        if not self._model.is_scripted:
            message = f"kpu needs the model DP, not {train.model_type}"
            raise InputError(message, file, "strategy.uncertainty")
        word = optimizer_of(train)
        if word != "LKF":
            prefix = "" if train.input_file else "train."
            message = f"found {word}; kpu needs LKF"
            raise InputError(message, train.input_file or file, f"{prefix}optimizer.optimizer")
        return MatplKpu(self._train.command.strip(), self._config.strategy.kpu_format)

    def potential(self, models: Sequence[TrainedModel]) -> Potential:
        """The pair style of this kind of model in the LAMMPS of the block ``explore``."""
        if self._keeps_p:  # before the MD, not after
            demand_p_matrix(models[0].files[CHECKPOINT_ROLE])
        command = self._explore.command.lower()
        style = self._model.style
        head: tuple[str, ...] = ()
        if _OLD_BUILD in command:
            style = "matpl"
        elif _KOKKOS in command and self._model.kokkos_style:
            style, head = self._model.kokkos_style, _KOKKOS_HEAD
        names = [f"{number}_{model.files[MODEL_ROLE].name}" for number, model in enumerate(models)]
        deviation = " out_freq {out_freq} out_file model_devi.out" if len(models) > 1 else ""
        types = self._config.train.atom_type
        words = {symbol: str(NUMBERS[symbol]) for symbol in types}
        return Potential(
            types=types,
            links={name: model.files[MODEL_ROLE] for name, model in zip(names, models)},
            pair_lines=(
                f"pair_style {style} {' '.join(names)}{deviation}",
                f"pair_coeff * * {' '.join(words.values())}",
            ),
            head_lines=head,
            deviates=len(models) > 1,
            own_types=words if self._model.minds_types else {},
        )


def write_few(directory: Path, data: TrainingData, needed: int) -> Path:
    """Write the first few frames of the training data, enough for a batch, and name them."""
    count = max(needed, _FEW)
    frames: list[Atoms] = []
    for path in data.train:
        frames += read_frames(path, data.data_format)[: count - len(frames)]
        if len(frames) >= count:
            break
    few = directory / layout.part_of_data(FEW, data.data_format)
    write_frames(few, frames, data.data_format)
    return few
