"""MatPL (PWMLFF): DP, compressed DP, DP with type embedding, NEP; run by its LAMMPS pair styles."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from pwact.config.elements import NUMBERS
from pwact.engines.base import Potential, TrainedModel, TrainingData, ValidError
from pwact.engines.matpl.input import (
    CHECKPOINTS,
    INPUT,
    NEP_TEXT,
    RECORD,
    document,
    faults,
    optimizer_of,
    warnings,
)
from pwact.engines.matpl.kpu import CHECKPOINT_ROLE, MatplKpu, demand_p_matrix
from pwact.engines.matpl.restart import COMPRESS_ENDED, EPOCHS_ENDED, LOG
from pwact.engines.matpl.results import (
    TRAIN_CURVE,
    VALID_CURVE,
    demand_archive,
    demand_nep,
    demand_same_epoch,
    epochs_done,
    progress,
    read_errors,
)
from pwact.engines.matpl.words import remedy_for
from pwact.engines.training_end import ENDED, record_end, unless_ended
from pwact.engines.training_task import TrainingTask
from pwact.engines.worker import python_module
from pwact.errors import InputError, TaskError
from pwact.io.files import write_json
from pwact.verdict import Outcome, Verdict, incomplete

if TYPE_CHECKING:
    from pwact.config.resources import ResourceBlock
    from pwact.config.run import RunConfig

logger = logging.getLogger(__name__)

MODEL_ROLE = "model"
SCRIPTED = "torch_script_module.pt"
COMPRESSED = "cmp_dp_model.ckpt"
_OLD_BUILD = "lmp_mpi"  # in the command: a LAMMPS with the pair style of MatPL 2025.3
_KOKKOS = "kokkos"
_KOKKOS_HEAD = ("package kokkos neigh half comm device", "newton on")


class MatplTrainer(TrainingTask):
    """Writes and reads MatPL tasks. See `pwact.engines.base.Trainer`."""

    log = LOG

    def __init__(self, config: RunConfig, train: ResourceBlock, explore: ResourceBlock) -> None:
        self._config = config
        self._train = train
        self._explore = explore
        self._said = False
        self._said_of_valid = False

    @property
    def _is_nep(self) -> bool:
        return self._config.train.model_type == "NEP"

    @property
    def _keeps_p(self) -> bool:
        return self._config.strategy.uncertainty == "kpu"

    def validate(self) -> None:
        """Refuse what MatPL would stop at."""
        config = self._config
        file = config.train.input_file or config.file
        prefix = "" if config.train.input_file else "train."
        for key, message in faults(config.train):
            raise InputError(message, file, f"{prefix}{key}")
        if config.strategy.compress and self._is_nep:
            message = f"only DP can be compressed, not {config.train.model_type}"
            raise InputError(message, config.file, "strategy.compress")
        for path in config.init_model_list if self._is_nep else ():
            if path.suffix.lower() != ".txt":
                logger.warning(
                    "%s: init_model_list: %s: MatPL trains NEP from the beginning where it is "
                    "given a checkpoint; give its nep5.txt",
                    config.file,
                    path,
                )
        for remark in warnings(config.train, self._train.gpu_per_node * self._train.number_node):
            logger.warning("%s: %s", file, remark)

    def fingerprint(self) -> dict[str, Any]:
        """All keys of the user, and how the models are compressed."""
        train, strategy = self._config.train, self._config.strategy
        compress = [strategy.compress_order, strategy.compress_dx] if strategy.compress else None
        p_matrix = {"save_p_matrix": True} if self._keeps_p else {}
        return {
            "engine": "matpl",
            "model_type": train.model_type,
            "atom_type": list(train.atom_type),
            "settings": dict(train.settings),
            "compress": compress,
            **p_matrix,
        }

    def write_input(
        self, directory: Path, data: TrainingData, seed: int, start_from: Optional[Path]
    ) -> None:
        """Write ``train.json``; MatPL reads the data where they are."""
        if not data.valid and not self._said and not self._is_nep:
            self._said = True
            logger.info("no valid_data: MatPL watches its errors on %s", data.train[0])
        made = document(self._config.train, data, seed, directory, start_from)
        if self._keeps_p:
            made["save_p_matrix"] = True
        write_json(directory / INPUT, made)

    def command(self) -> str:
        """Train, perhaps compress, and script; the first failure ends it.

        What an earlier try has done stays: MatPL goes on from its last epoch, and steps that have
        ended are left out.
        """
        program, end = self._train.command.strip(), f">> {LOG} 2>&1"
        checkpoint = f"{RECORD}/{CHECKPOINTS[self._config.train.model_type]}"
        steps = [
            f"rm -f {ENDED}",
            f"input=$({python_module('pwact.engines.matpl.restart')})",
            f'{{ [ -z "$input" ] || {{ {program} train "$input" {end} && '
            f"wc -c < {checkpoint} > {EPOCHS_ENDED}; }}; }}",
        ]
        model = f"{RECORD}/{NEP_TEXT if self._is_nep else SCRIPTED}"
        curves = (f"{RECORD}/{TRAIN_CURVE}", f"{RECORD}/{VALID_CURVE}")
        ended = record_end(model, checkpoint, curves[0], perhaps=curves[1:])
        if self._is_nep:
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

    def check(self, directory: Path) -> Verdict:
        """Whether MatPL came to its last epoch, and its models can be read.

        After every epoch MatPL writes the model and the tables afresh, so that a training that was
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
            MODEL_ROLE: record / (NEP_TEXT if self._is_nep else SCRIPTED),
            CHECKPOINT_ROLE: record / CHECKPOINTS[self._config.train.model_type],
        }
        for path in files.values():
            if not path.is_file() or not path.stat().st_size:
                raise TaskError(f"{path} is missing")
        (demand_nep if self._is_nep else demand_archive)(files[MODEL_ROLE])
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
        if self._is_nep:
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
        style = "matpl/nep" if self._is_nep else "matpl/dp"
        head: tuple[str, ...] = ()
        if _OLD_BUILD in command:
            style = "matpl"
        elif _KOKKOS in command and self._is_nep:
            style, head = "matpl/nep/kk", _KOKKOS_HEAD
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
            own_types={} if self._is_nep else words,  # DP takes declared types into its descriptor
        )
