"""Trains a model by TorchNEP; run inside the job: ``python -m pwact.engines.torchnep.worker``.

It reads ``nep.in``, ``settings.json`` and the frames of the current directory, and leaves
``nep.txt``: the model of the epoch with the smallest loss. A training that was cut off goes on from
its last checkpoint, which gets one chance, and comes to the same model.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any, Optional

from pwact.engines.network import task
from pwact.engines.torchnep.input import (
    CHECKPOINT,
    CURVE,
    INPUT,
    MODEL,
    OWN_LOG,
    checkpoint_interval,
)
from pwact.engines.torchnep.results import last_epoch, read_valid_error
from pwact.engines.training_task import archive_is_whole
from pwact.engines.worker import exit_status
from pwact.errors import TaskError
from pwact.io.files import remove

BEST = "nep_best.txt"
RESUMED = "resumed.pt"
_PREDICTED = ("energy", "force", "virial", "stress")
_MADE_BESIDE = (
    CHECKPOINT,
    "checkpoint_stage1.pt",
    RESUMED,
    "nep_final.txt",
    OWN_LOG,  # as the log, but with all tries
    *(f"{what}_train.out" for what in _PREDICTED),
    *(f"{what}_test.out" for what in _PREDICTED),
)


def begin(directory: Path, start: Optional[str], goes_on: bool) -> dict[str, Any]:
    """Prepare `directory`; from where the training starts, as TorchNEP's keywords.

    Parameters
    ----------
    start
        The model to begin with, where it does not go on.
    """
    for name in (MODEL, task.RESULT):
        remove(directory / name)
    checkpoint = directory / CHECKPOINT
    if goes_on and (directory / BEST).is_file() and archive_is_whole(checkpoint):
        checkpoint.replace(directory / RESUMED)
        return {"resume_from": RESUMED}
    for name in (BEST, CURVE, *_MADE_BESIDE):
        remove(directory / name)
    return {} if start is None else {"finetune_from": start}


def train(directory: Path, settings: task.Settings) -> None:
    """Train by the input to its end."""
    from torchnep import train_nep  # noqa: PLC0415

    keys = settings.keys
    train_nep(
        INPUT,
        task.TRAIN,
        output_dir=".",
        device=keys["device"],
        precision=keys["precision"],
        run_seed=settings.seed,
        valid_file=task.VALID if (directory / task.VALID).exists() else None,
        checkpoint_interval=checkpoint_interval(keys),
        prediction_interval=0,
        **begin(directory, settings.begin, not keys["early_stop"]),
    )


def work(directory: Path) -> None:
    """Train, and leave the model and its errors."""
    settings = task.read_settings(directory)
    train(directory, settings)
    if not (directory / BEST).is_file():
        raise TaskError("TorchNEP ended without a model: no epoch had a loss that is a number")
    valid = read_valid_error(directory) if (directory / task.VALID).exists() else None
    task.write_result(directory, last_epoch(directory / CURVE), valid)
    for name in _MADE_BESIDE:  # first: without its model no checkpoint may be left to go on from
        remove(directory / name)
    (directory / BEST).replace(directory / MODEL)


def main() -> int:
    """Do the work in the current directory."""
    return exit_status(work, logging.INFO)


if __name__ == "__main__":
    sys.exit(main())
