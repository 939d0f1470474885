"""MACE: from nothing, or from a pretrained model in a file; MD in ASE.

A training that was cut off begins again: MACE would go on with other batches, to another model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pwact.config.network_keys import MACE_DEFAULTS
from pwact.engines.mace.program import FOR_LAMMPS, MODEL
from pwact.engines.network.training import NetworkTrainer
from pwact.errors import InputError


class MaceTrainer(NetworkTrainer):
    """Trains by `pwact.engines.mace.worker`. See `pwact.engines.trainers.Trainer`."""

    engine = "mace"
    worker = "pwact.engines.mace.worker"
    model = MODEL
    for_lammps = FOR_LAMMPS
    lammps_head = ("atom_modify map yes",)
    vectors = 2
    by_start = MACE_DEFAULTS

    def check_foundation(self, name: str) -> None:
        """See `NetworkTrainer`: the package holds none."""
        message = (
            f"found {name}; allowed: a file of a model. MACE's package holds none, and one "
            "by name would be downloaded by a job"
        )
        raise InputError(message, self.config.file, "train.foundation")

    def calculator(self, model: str) -> Mapping[str, Any]:
        """MACE's own, on a GPU where there is one."""
        place = "pwact.engines.mace.calculator:calculator"
        return {"calculator": place, "arguments": {"model": model}}
