"""SevenNet: from nothing, or from one of its pretrained models; MD in ASE.

The worker gives every epoch a seed of its own, so that a training that was cut off goes on from its
last checkpoint to the same model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pwact.config.network_keys import SEVENNET_DEFAULTS
from pwact.config.schema import nearest
from pwact.engines.network.training import TRAINED, NetworkTrainer
from pwact.engines.sevennet.files import FOR_LAMMPS, MODEL, reached_epoch
from pwact.errors import InputError

# of the package sevenn 0.13.0; any of "sevennet" and "7net" stands before the hyphen
_HELD = ("7net-0", "7net-0_11july2024", "7net-0_22may2024", "7net-l3i5", "7net-mf-0")
_LOADED = ("7net-mf-ompa", "7net-omat", "7net-omni", "7net-omni-i8", "7net-omni-i12")
_TASKS = {"7net-mf-0": ("PBE", "R2SCAN")}
_UNKNOWN = frozenset(("Po", "At", "Rn", "Fr", "Ra"))  # to all that it holds, beside those after Pu
_LAST = 94  # Pu


class SevenNetTrainer(NetworkTrainer):
    """Trains by `pwact.engines.sevennet.worker`. See `pwact.engines.trainers.Trainer`."""

    engine = "sevennet"
    worker = "pwact.engines.sevennet.worker"
    model = MODEL
    for_lammps = FOR_LAMMPS
    by_start = SEVENNET_DEFAULTS

    def validate(self) -> None:
        """Refuse besides the uncertainty of a model of several tasks, and to freeze nothing."""
        super().validate()
        if self.keys["freeze"] is not None and not self._begins:
            message = "it keeps parts of a model to begin with, and there is none: foundation"
            raise InputError(message, self.config.file, "train.freeze")
        if self.alone and self.keys["modal"]:
            message = "the engine sevennet knows KPU of models of one task alone"
            raise InputError(message, self.config.file, "train.modal")

    @property
    def _begins(self) -> bool:
        return bool(self.config.train.foundation or self.config.init_model_list)

    def check_foundation(self, name: str) -> None:
        """See `NetworkTrainer`."""
        folded = name.lower().replace("sevennet-", "7net-")
        if folded in _LOADED:
            raise self._wrong(f"{name} would be downloaded by a job; name the file of its weights")
        if folded not in _HELD:
            near = nearest(folded, (*_HELD, *_LOADED))
            hint = f"; did you mean {near}?" if near else ""
            allowed = ", ".join(_HELD)
            raise self._wrong(f"found {name}; allowed: a file, or {allowed}{hint}")
        strange = [symbol for symbol in self.types if not _is_known(symbol)]
        if strange:
            raise self._wrong(f"{name} does not know {', '.join(strange)}")
        self._check_modal(name, _TASKS.get(folded, ()))

    def _check_modal(self, name: str, tasks: Sequence[str]) -> None:
        modal = self.keys["modal"]
        if modal in tasks or (modal is None and not tasks):
            return
        words = ", ".join(tasks) or "none, for it knows one task alone"
        message = f"found {modal or 'none'}; allowed with {name}: {words}"
        raise InputError(message, self.config.file, "train.modal")

    def _wrong(self, message: str) -> InputError:
        return InputError(message, self.config.file, "train.foundation")

    def calculator(self, model: str) -> Mapping[str, Any]:
        """SevenNet's own, on a GPU where there is one."""
        arguments = {"model": model}
        if self.keys["modal"]:
            arguments["modal"] = self.keys["modal"]
        return {"calculator": "sevenn.calculator:SevenNetCalculator", "arguments": arguments}

    def reached(self, directory: Path) -> float:
        """The epoch of the last checkpoint; the last one where the training itself has ended."""
        ended = (directory / TRAINED).exists()
        return float(self.keys["epochs"] or 1 if ended else reached_epoch(directory))


def _is_known(symbol: str) -> bool:
    from ase.data import atomic_numbers  # noqa: PLC0415

    return symbol not in _UNKNOWN and atomic_numbers[symbol] <= _LAST
