"""Trains MACE in the current directory; run inside the job by the Python that has mace.

``python -m pwact.engines.mace.worker`` writes ``config.yaml`` for ``mace_run_train`` and runs it in
this process. The reference energies (E0s) are those of the model to begin with, fitted to the
labels. The model that is left is that of the last epoch; the program alone would take the one with
the smallest loss on the validation data.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pwact.engines.mace.calculator import calculator, device
from pwact.engines.mace.program import (
    BEGIN,
    FOLDER,
    FOR_LAMMPS,
    MODEL,
    NAME,
    curve_of,
    curve_text,
    input_of,
    merged,
    native_keys,
)
from pwact.engines.network import task
from pwact.engines.worker import exit_status
from pwact.errors import TaskError, UnfitModelError
from pwact.io.files import remove, write_text

if TYPE_CHECKING:
    from ase import Atoms

INPUT = "config.yaml"
CURVE = "curve.csv"


def work(directory: Path) -> None:
    """Train by ``settings.json``, and leave the model and ``result.json``."""
    os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"  # else no pretrained model can be read
    settings, native = task.read_settings(directory), task.native_of(directory)
    if native:
        settings = replace(settings, keys={**settings.keys, **native_keys(native)})
    for name in (MODEL, FOR_LAMMPS, task.RESULT):
        remove(directory / name)
    shutil.rmtree(directory / FOLDER, ignore_errors=True)
    train, valid = (task.frames_of(directory, name) for name in (task.TRAIN, task.VALID))
    begun = settings.begin is not None
    references = _prepared(directory, settings, train, valid) if begun else _references(train)
    document = input_of(settings, train, bool(valid), references, device())
    _write_input(directory, merged(native, document) if native else document)
    _run()
    _demand_epochs(directory, settings.keys["epochs"])
    (directory / FOLDER / f"{NAME}.model").replace(directory / MODEL)
    error = task.valid_error(valid, calculator(str(directory / MODEL))) if valid else None
    if settings.for_lammps:
        _leave_for_lammps(settings)
    task.write_result(directory, settings.keys["epochs"], error)
    shutil.rmtree(directory / FOLDER)
    remove(directory / BEGIN)


def _references(train: Sequence[Atoms]) -> dict[int, float]:
    """Atomic number → reference energy in eV of a training from nothing."""
    from ase.data import atomic_numbers  # noqa: PLC0415

    shifts = task.energy_shifts(train, [0.0] * len(train))
    return {atomic_numbers[symbol]: value for symbol, value in shifts.items()}


def _prepared(
    directory: Path, settings: task.Settings, train: Sequence[Atoms], valid: Sequence[Atoms]
) -> dict[int, float]:
    """The reference energies of the model to begin with, which is put into `BEGIN` with them.

    MACE copies those of the model, whatever it is given as E0s, where the elements are the same.
    """
    import torch  # noqa: PLC0415

    assert settings.begin is not None
    network, symbols, place = _opened(settings)
    head = settings.keys["head"]
    model, shifts = calculator(settings.begin, head), {}
    if settings.keys["refit_references"]:
        shifts = task.energy_shifts(train, task.energies_of(train, model))
    energies = network.atomic_energies_fn.atomic_energies
    energies += torch.tensor([shifts.get(symbol, 0.0) for symbol in symbols], dtype=energies.dtype)
    torch.save(network, directory / BEGIN)
    begun = calculator(str(directory / BEGIN), head)
    task.write_begun(directory, shifts, task.valid_error(valid, begun) if valid else None)
    row = energies.reshape(-1, len(symbols))[place].tolist()
    return {int(number): value for number, value in zip(network.atomic_numbers, row)}


def _opened(settings: task.Settings) -> tuple[Any, list[str], int]:
    """The model to begin with, the elements that it knows, and which of its heads is trained."""
    import mace  # noqa: F401, PLC0415 - what is missing is named, whatever the file holds
    import torch  # noqa: PLC0415
    from ase.data import chemical_symbols  # noqa: PLC0415

    network = torch.load(str(settings.begin), map_location="cpu", weights_only=False)
    if not hasattr(network, "atomic_numbers"):
        raise UnfitModelError(
            f"{settings.begin} holds no whole model of MACE, but {type(network).__name__}: name "
            "the file that mace_run_train left (NAME.model), no checkpoint"
        )
    symbols = [chemical_symbols[int(number)] for number in network.atomic_numbers]
    task.demand_elements(symbols, settings)
    return network, symbols, _head(network, settings)


def read_begin(asked: Mapping[str, Any]) -> None:
    """See `pwact.engines.model_reading`."""
    _opened(task.settings_from(asked))


def _head(network: Any, settings: task.Settings) -> int:
    """Which head of the model to begin with; UnfitModelError unless it is one of its heads."""
    heads = list(getattr(network, "heads", None) or ["Default"])
    head = settings.keys["head"]
    if head is None and len(heads) == 1:
        return 0
    if head not in heads:
        words = ", ".join(heads)
        message = f"{settings.begin} has the heads {words}: train.head must be one of them"
        raise UnfitModelError(message, "train.head")
    return heads.index(head)


def _write_input(directory: Path, document: dict[str, Any]) -> None:
    import yaml  # noqa: PLC0415

    text = yaml.safe_dump(document, sort_keys=False)
    (directory / INPUT).write_text(text, encoding="utf-8")


def _run() -> None:
    """``mace_run_train`` in this process, with one checkpoint at a time, of the last epoch."""
    from mace.cli.run_train import main as train  # noqa: PLC0415
    from mace.tools.checkpoint import CheckpointHandler  # noqa: PLC0415

    save = CheckpointHandler.save

    def save_one(self: Any, state: Any, epochs: int, keep_last: bool = False) -> None:
        del keep_last
        save(self, state, epochs, keep_last=False)

    CheckpointHandler.save = save_one
    sys.argv = ["mace_run_train", "--config", INPUT]
    train()


def _leave_for_lammps(settings: task.Settings) -> None:
    """What the pair style mace loads."""
    from mace.cli.create_lammps_model import main as create  # noqa: PLC0415

    sys.argv = ["mace_create_lammps_model", MODEL, "--dtype", settings.keys["dtype"]]
    create()


def _demand_epochs(directory: Path, epochs: int) -> None:
    """Leave the learning curve. Raises TaskError unless it has the last epoch."""
    results = sorted((directory / FOLDER / "results").glob("*_train.txt"))
    rows = curve_of("".join(path.read_text(encoding="utf-8") for path in results))
    write_text(directory / CURVE, curve_text(rows))
    done = max((epoch for epoch, _ in rows), default=0)
    if done != epochs:
        raise TaskError(f"mace_run_train ended after {done} of {epochs} epochs")


def main() -> int:
    """Do the work in the current directory."""
    return exit_status(work, logging.INFO)


if __name__ == "__main__":
    sys.exit(main())
