"""Trains DeePMD-kit's PyTorch backend by gradients; run inside the job.

``python -m pwact.engines.deepmd.dpa_worker`` runs ``dp --pt train input.json`` in the current
directory. A link `PRETRAINED` is a model of the user's, which is fine-tuned: DeePMD-kit takes its
descriptor and fitting network, drops the elements that are not asked for, and adds to the energies
of the elements what the labels ask for. `START` is a model that an iteration before has left, which
is trained on as it is. What DeePMD-kit does with a warning is refused here: elements that the model
does not know would get random weights, and so would the fitting network of a model with several
branches of which none is named.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pwact.engines.deepmd.checkpoints import PYTORCH
from pwact.engines.deepmd.kpu import MODEL, START
from pwact.engines.deepmd.lkf import CHECKPOINT, keep_weights
from pwact.engines.deepmd.pytorch_restart import continued
from pwact.engines.deepmd.training import INPUT
from pwact.engines.worker import exit_status
from pwact.errors import TaskError, UnfitModelError
from pwact.io.files import remove

PRETRAINED = "pretrained.pt"
BRANCH = "train.model_branch"


def words_to_begin(directory: Path) -> list[str]:
    """What ``dp train`` gets to begin with. Raises TaskError if it cannot begin so."""
    # a link that leads nowhere must fail, not start from nothing
    if (directory / START).is_symlink():
        return [INPUT, "--init-model", START, "--use-pretrain-script"]
    if (directory / PRETRAINED).is_symlink():
        document = json.loads((directory / INPUT).read_text(encoding="utf-8"))
        check_pretrained(params_of(directory / PRETRAINED), document["model"])
        return [INPUT, "--finetune", PRETRAINED, "--use-pretrain-script"]
    return [INPUT]


def params_of(path: Path) -> Mapping[str, Any]:
    """The section ``model`` with which a model was made.

    Raises
    ------
    TaskError
        It is no checkpoint of DeePMD-kit's PyTorch backend.
    """
    import torch  # noqa: PLC0415

    wrong = (OSError, RuntimeError, EOFError, pickle.UnpicklingError)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        params: Mapping[str, Any] = state.get("model", state)["_extra_state"]["model_params"]
    except (*wrong, KeyError, TypeError, AttributeError) as error:
        why = (str(error).splitlines() or [""])[0].partition(". ")[0]
        message = "is no checkpoint (.pt) of a training by DeePMD-kit's PyTorch backend"
        raise TaskError(f"{path.resolve()} {message}: {why}") from error
    return params


def check_pretrained(params: Mapping[str, Any], model: Mapping[str, Any]) -> None:
    """Raise UnfitModelError unless it has the branch that is asked for, and knows all elements."""
    branch = model.get("finetune_head")
    branches = params.get("model_dict")
    if branches is None and branch not in (None, "Default"):
        message = f"the pretrained model has no branches: leave out model_branch ({branch})"
        raise UnfitModelError(message, BRANCH)
    if branches is not None:
        names = {
            alias: name
            for name, one in branches.items()
            for alias in (name, *one.get("model_branch_alias", ()))
        }
        if branch not in names:
            words = f"the pretrained model has the branches {', '.join(branches)}"
            message = f"{words}: train.model_branch must be one of them, found {branch}"
            raise UnfitModelError(message, BRANCH)
        params = branches[names[branch]]
    missing = [symbol for symbol in model["type_map"] if symbol not in params["type_map"]]
    if missing:
        known = " ".join(params["type_map"])
        raise UnfitModelError(
            f"the pretrained model does not know {', '.join(missing)}; it knows {known}"
        )


def read_begin(asked: Mapping[str, Any]) -> None:
    """See `pwact.engines.model_reading`."""
    check_pretrained(params_of(Path(asked["begin"])), asked["model"])


def work(directory: Path) -> None:
    """Train by ``input.json``, or go on, and leave the model."""
    os.environ.setdefault("NUM_WORKERS", "0")  # its readers of data would outlive the training
    remove(directory / MODEL)
    step = PYTORCH.going_on(directory)
    words = continued(directory, step)[0] if step else words_to_begin(directory)
    from deepmd.main import main as dp  # noqa: PLC0415

    dp(["--pt", "train", *words])
    import torch  # noqa: PLC0415

    checkpoint = torch.load(directory / CHECKPOINT, map_location="cpu", weights_only=True)
    keep_weights(directory, checkpoint)


def main() -> int:
    """Do the work in the current directory."""
    return exit_status(work, logging.INFO)


if __name__ == "__main__":
    sys.exit(main())
