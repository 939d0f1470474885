"""TorchNEP (PyPI ``torchnep``): NEP4 models, from nothing or from a ``nep.txt``; MD in ASE.

What TorchNEP does without a word, and what is done about it here:

- it reads the numbers of any ``nep.txt`` to start from, whatever its head says: heads are compared;
- it takes a quantity ``weight`` of a frame for its weight in the loss: frames are written with
  their labels alone;
- it writes in the encoding of the machine, with signs that not all have: it gets UTF-8.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from pwact.engines.evaluator import KpuEvaluator
from pwact.engines.network import task
from pwact.engines.network.training import MODEL_ROLE, NetworkTrainer
from pwact.engines.torchnep.grades import (
    ACTIVE_SET,
    FOR_GPUMD,
    GPUMD,
    GRADES,
    Grades,
    active_set_step,
)
from pwact.engines.torchnep.input import (
    INPUT,
    MODEL,
    checkpoint_interval,
    differences,
    errors,
    nep_in,
    settings_of,
)
from pwact.engines.torchnep.results import epochs_kept
from pwact.engines.training_task import archive_is_whole, demand_files, plausible
from pwact.errors import InputError, TaskError
from pwact.fingerprint import extended
from pwact.formats.nep_txt import NepModel, read_nep
from pwact.io.files import write_text

if TYPE_CHECKING:
    from pwact.config.resources import ResourceBlock
    from pwact.config.run import RunConfig
    from pwact.engines.potential import Potential
    from pwact.engines.trainers import TrainedModel, TrainingData


class TorchnepTrainer(NetworkTrainer):
    """Trains by `pwact.engines.torchnep.worker`. See `pwact.engines.trainers.Trainer`."""

    engine = "torchnep"
    worker = "pwact.engines.torchnep.worker"
    model = for_lammps = MODEL
    vectors = 4
    draws = 16
    environment = "PYTHONUTF8=1 "

    def __init__(self, config: RunConfig, train: ResourceBlock, explore: ResourceBlock) -> None:
        super().__init__(config, train, explore)
        self.native = None  # a nep.in has been read
        self._settings = settings_of(self.keys)
        self._devices = _device(train), _device(explore)

    def validate(self) -> None:
        """Refuse what TorchNEP would stop at, and what it cannot honour."""
        super().validate()
        config = self.config
        file = config.train.input_file or config.file
        prefix = "" if config.train.input_file else "train."
        for key, message in errors(self._settings, self.types):
            raise InputError(message, file, f"{prefix}{key}")
        for place, path in enumerate(config.init_model_list):
            self._check_start(path, f"init_model_list[{place}]")
        start = self._start(None)
        if start is not None:
            self._check_start(start, "train.foundation")

    def check_foundation(self, name: str) -> None:
        """See `NetworkTrainer`."""
        message = f"found {name}; TorchNEP holds no models: name a file, nep.txt"
        raise InputError(message, self.config.file, "train.foundation")

    def _check_start(self, path: Path, key: str) -> None:
        """Refuse a model whose weights would be those of another potential here."""
        try:
            found = self._error(read_nep(path))
        except TaskError as error:
            raise InputError(str(error), self.config.file, key) from error
        if found:
            message = f"{path} cannot be trained further: {found}"
            raise InputError(message, self.config.file, key)

    def reading(self) -> None:
        """None: the text of a model tells all, and has been read."""

    def _error(self, model: NepModel) -> str:
        """What of a model is another than is asked for; "" if nothing is."""
        return next(differences(model, self._settings, self.types), "")

    def write_input(
        self, directory: Path, data: TrainingData, seed: int, start_from: Optional[Path]
    ) -> None:
        """Write ``nep.in`` as well."""
        if start_from is not None:
            key = "use_pre_model" if start_from.is_dir() else "init_model_list"
            self._check_start(start_from / MODEL if start_from.is_dir() else start_from, key)
        super().write_input(directory, data, seed, start_from)
        write_text(directory / INPUT, nep_in(self._settings, self.types))

    def resolved(self, begun: bool) -> dict[str, Any]:
        """What the worker needs, with where it computes and how many epochs it must come to."""
        # members that began with different weights differ without a bootstrap, too
        alike = begun and self.config.train.foundation is not None
        keys = {**super().resolved(alike), **self._settings}
        epochs = None if keys["early_stop"] else keys["epoch"]
        return {**keys, "epochs": epochs, "device": self._devices[0]}

    def reached(self, directory: Path) -> float:
        """Epochs that the last checkpoint holds."""
        if self._settings["early_stop"]:
            return 0.0
        return float(epochs_kept(directory, checkpoint_interval(self._settings)))

    def read_result(self, directory: Path) -> TrainedModel:
        """The model, which GPUMD and LAMMPS read as well."""
        made = super().read_result(directory)
        found = read_nep(made.files[MODEL_ROLE])
        error = self._error(found)
        if error or not plausible(found.numbers):
            path = made.files[MODEL_ROLE]
            raise TaskError(f"{path} is not what was trained: {error or 'numbers of no model'}")
        if not self.graded:
            return made
        own, other = directory / ACTIVE_SET, directory / FOR_GPUMD
        demand_files([other])
        if not archive_is_whole(own):
            raise TaskError(f"{own}: the active set of this model is not there, or not whole")
        return replace(made, files={**made.files, GRADES: own, GPUMD: other})

    def potential(self, models: Sequence[TrainedModel]) -> Potential:
        """With the active set of the first model for GPUMD, where it has one."""
        made, own = super().potential(models), models[0].files.get(GPUMD)
        if own is None:
            return made
        words = f"its active set for GPUMD: compute_extrapolation asi_file {FOR_GPUMD} …"
        return replace(made, beside={FOR_GPUMD: (own, words)})

    def fingerprint(self) -> dict[str, Any]:
        """With the active set, where one is made."""
        made = super().fingerprint()
        return extended(made, active_set=True) if self.graded else made

    def uncertain(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """The active set, where the models are judged by their grades."""
        if self.graded:
            step = active_set_step(self.program, self._devices[0], self.environment)
            yield f"{step} >> {task.LOG} 2>&1", (ACTIVE_SET, FOR_GPUMD)
        yield from super().uncertain()

    def grades(self) -> KpuEvaluator:
        """By the active set of each model; see `pwact.uncertainties.extrapolation`."""
        return Grades(self.program, self._devices[0], self.environment)

    def calculator(self, model: str) -> Mapping[str, Any]:
        """TorchNEP's own."""
        arguments = {"model_file": model, "device": self._devices[1]}
        return {"calculator": "torchnep.ase_calculator:NEP", "arguments": arguments}


def _device(block: ResourceBlock) -> str:
    """PyTorch's name of where this block computes; cards of AMD go by that of Nvidia's."""
    return "cuda" if block.gpu_per_node else "cpu"
