"""Trains DeePMD-kit by its Kalman filter; run inside the job.

``python -m pwact.engines.deepmd.lkf`` does three things in the current directory that
``dp --pt train`` alone does not do. The filter draws the atoms whose forces it learns from without
a seed, so that no training could be repeated: it gets one. A training that was cut off goes on with
the matrix P of the filter (`pwact.engines.deepmd.pytorch_restart`). And the last checkpoint, which
holds weights and P, is split: ``model.pt`` for MD, and ``kalman.npz`` with the blocks of P
(float64: ``block_0``, ``block_1`` … in the order of the weights).
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Union

import numpy as np

from pwact.engines.deepmd.checkpoints import PYTORCH
from pwact.engines.deepmd.kpu import KALMAN, MODEL, START
from pwact.engines.deepmd.pytorch_restart import continued, keep_filter
from pwact.engines.deepmd.training import INPUT
from pwact.engines.worker import exit_status
from pwact.errors import TaskError
from pwact.io.files import remove, replacing

CHECKPOINT = "model.ckpt.pt"
_SAMPLE = "_KFOptimizerWrapper__sample"  # its private name, seen in DeePMD-kit 3.2.0


def seed_sampling(filter_class: Any, seed: Union[int, Sequence[int]]) -> None:
    """Let the filter draw its atoms with a seed.

    Raises
    ------
    TaskError
        This DeePMD-kit draws them in another way.
    """
    if not callable(getattr(filter_class, _SAMPLE, None)):
        raise TaskError(
            "this version of DeePMD-kit cannot be given a seed for its Kalman filter; 3.2.0 can"
        )
    rng = np.random.default_rng(seed)

    def sample(_: Any, selected: int, per_group: int, atoms: int) -> np.ndarray:
        return rng.choice(atoms, selected).reshape(-1, per_group)

    setattr(filter_class, _SAMPLE, sample)


def split(directory: Path) -> None:
    """Make ``kalman.npz`` and ``model.pt`` of the checkpoint, and delete it.

    Raises
    ------
    TaskError
        It holds no P, or one with numbers that are not finite.
    """
    import torch  # noqa: PLC0415

    checkpoint = torch.load(directory / CHECKPOINT, map_location="cpu", weights_only=True)
    try:
        blocks = [block.numpy() for block in checkpoint["optimizer"]["state"][0]["P"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise TaskError(f"{CHECKPOINT} holds no matrix P: {error!r}") from error
    if not all(np.isfinite(block).all() for block in blocks):
        raise TaskError("the training came to nothing: P holds numbers that are not finite")
    with replacing(directory / KALMAN) as aside, aside.open("wb") as stream:
        np.savez(stream, **{f"block_{number}": block for number, block in enumerate(blocks)})
    keep_weights(directory, checkpoint)


def keep_weights(directory: Path, checkpoint: Mapping[str, Any]) -> None:
    """Make ``model.pt`` of a checkpoint, without the optimizer, and delete all checkpoints."""
    import torch  # noqa: PLC0415

    with replacing(directory / MODEL) as aside, aside.open("wb") as stream:
        torch.save(checkpoint["model"], stream)  # with a path, its name would be in the file
    for path in directory.glob("model.ckpt*"):
        remove(path)


def work(directory: Path) -> None:
    """Train by ``input.json``, or go on, and leave the model."""
    os.environ.setdefault("NUM_WORKERS", "0")  # its readers of data would outlive the training
    from deepmd.main import main as dp  # noqa: PLC0415
    from deepmd.pt.optimizer import KFOptimizerWrapper, LKFOptimizer  # noqa: PLC0415

    for name in (MODEL, KALMAN):
        remove(directory / name)
    document = json.loads((directory / INPUT).read_text(encoding="utf-8"))
    seed = document["training"]["seed"]
    step = PYTORCH.going_on(directory)
    # a link that leads nowhere must fail, not start from nothing
    start = ["--init-model", START] if (directory / START).is_symlink() else []
    words = [INPUT, *start]
    if step:
        words, checkpoint = continued(directory, step)
        keep_filter(LKFOptimizer, checkpoint["optimizer"])
    seed_sampling(KFOptimizerWrapper, [seed, step] if step else seed)
    dp(["--pt", "train", *words])
    split(directory)


def main() -> int:
    """Do the work in the current directory."""
    return exit_status(work, logging.INFO)


if __name__ == "__main__":
    sys.exit(main())
