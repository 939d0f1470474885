"""The kinds of model that MatPL trains: what each writes and reads, and what it starts from."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pwact.engines.training_task import plausible
from pwact.errors import TaskError
from pwact.formats.nep_txt import read_nep

INPUT = "train.json"
RECORD = "model_record"
START = "start.ckpt"  # link to a checkpoint that is laid into model_record before the training
LOAD, TEXT = "model_load_file", "nep_txt_file"
LAID = "laid into model_record"


def demand_archive(path: Path) -> None:
    """Raise TaskError unless what ``torch.save`` or a script made, a ZIP archive, has its end."""
    if not zipfile.is_zipfile(path):
        raise TaskError(f"{path} is missing, or was cut off")


def demand_nep(path: Path) -> None:
    """Raise TaskError unless ``nep5.txt`` has its head and as many numbers as that asks for.

    What comes after these numbers is not looked at.
    """
    model = read_nep(path)
    found = model.numbers
    asked = model.asked if model.version == "nep5" else 1
    if len(found) < asked or not any(found) or not plausible(found):
        raise TaskError(f"{path}: {len(found)} of {asked} numbers, or numbers of no model")


@dataclass(frozen=True)
class Model:
    """What MatPL does with one kind of model.

    Attributes
    ----------
    checkpoint
        Name of the checkpoint below ``model_record``, written after every epoch.
    for_lammps
        Name of the model that LAMMPS reads.
    is_scripted
        Whether that is made of the checkpoint, by ``MatPL script``; only such models can be
        compressed, and tell their KPU.
    demand
        Raises TaskError unless the model for LAMMPS is whole.
    start
        Which file below ``model_record`` the member's next training starts from.
    start_keys
        How a training is given a start model: ending of the file → key of ``train.json``, or
        `LAID`; ``""`` stands for all other endings.
    own_keys
        Keys in which the user may name a start model, the first that is given counts.
    needs_valid
        Whether MatPL fails without validation data.
    minds_types
        Whether LAMMPS types without atoms change energies and forces.
    ends_with_one
        Whether the last layer of its fitting network must be given as 1.
    filter_on_one_gpu
        Whether the Kalman filters cannot train it on several GPUs.
    style, kokkos_style
        Pair styles of the LAMMPS of 2026; without one of Kokkos the plain one.
    """

    checkpoint: str
    for_lammps: str
    is_scripted: bool
    demand: Callable[[Path], None]
    start: str
    start_keys: Mapping[str, str]
    own_keys: tuple[str, ...]
    style: str
    kokkos_style: str = ""
    needs_valid: bool = False
    minds_types: bool = False
    filter_on_one_gpu: bool = False
    ends_with_one: bool = False

    def key_for(self, start: Path) -> str:
        """How a training is given this start model."""
        return self.start_keys.get(start.suffix.lower(), self.start_keys[""])


MODELS: Mapping[str, Model] = {
    "DP": Model(
        checkpoint="dp_model.ckpt",
        for_lammps="torch_script_module.pt",
        is_scripted=True,
        demand=demand_archive,
        start="dp_model.ckpt",
        start_keys={"": LOAD},
        own_keys=(LOAD,),
        style="matpl/dp",
        needs_valid=True,
        minds_types=True,
        ends_with_one=True,
    ),
    "NEP": Model(
        checkpoint="nep_model.ckpt",
        for_lammps="nep5.txt",
        is_scripted=False,
        demand=demand_nep,
        start="nep5.txt",
        start_keys={".txt": TEXT, "": LAID},  # its training ignores model_load_file
        own_keys=(TEXT, LOAD),
        style="matpl/nep",
        kokkos_style="matpl/nep/kk",
        filter_on_one_gpu=True,
    ),
}
