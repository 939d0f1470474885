"""How a training of DeePMD-kit's PyTorch backend goes on that was cut off; inside the job.

``dp --pt train --restart`` takes weights, learning rate and the state of the optimizer from the
checkpoint, but for the matrix P of the Kalman filter, which `keep_filter` puts back. It trains the
step of the checkpoint once more, and draws its batches from the beginning, so that the model is not
bit for bit that of a training in one go.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pwact.engines.deepmd.checkpoints import PREFIX
from pwact.engines.deepmd.training import INPUT
from pwact.errors import TaskError
from pwact.io.files import write_json

logger = logging.getLogger(__name__)

CONTINUED = "continue.json"


def continued(directory: Path, step: int) -> tuple[list[str], Mapping[str, Any]]:
    """What ``dp train`` gets to go on from the checkpoint of a step, and what that holds.

    The network is that of the checkpoint: the input of a fine-tuning does not say it.
    """
    import torch  # noqa: PLC0415

    name = f"{PREFIX}-{step}.pt"
    checkpoint = torch.load(directory / name, map_location="cpu", weights_only=True)
    document = json.loads((directory / INPUT).read_text(encoding="utf-8"))
    document["model"] = checkpoint["model"]["_extra_state"]["model_params"]
    write_json(directory / CONTINUED, document)
    logger.info("pwact: cut off; dp goes on from the checkpoint of step %s", step)
    return [CONTINUED, "--restart", name], checkpoint


def keep_filter(filter_class: Any, state: Mapping[str, Any]) -> None:
    """Let a Kalman filter begin with the P and the memory factor of a checkpoint.

    DeePMD-kit 3.2.0 saves both, and does not read them.

    Parameters
    ----------
    state
        The optimizer's part of the checkpoint.
    """
    saved = state["state"][0]
    begin = filter_class.__init__

    def begin_with_it(optimizer: Any, *arguments: Any, **more: Any) -> None:
        begin(optimizer, *arguments, **more)
        own = optimizer.state[optimizer.param_groups[0]["params"][0]]
        if [block.shape for block in own["P"]] != [block.shape for block in saved["P"]]:
            raise TaskError("the checkpoint holds the P of another network")
        own["P"] = [block.to(mine) for block, mine in zip(saved["P"], own["P"])]
        own["kalman_lambda"] = saved["kalman_lambda"]

    filter_class.__init__ = begin_with_it
