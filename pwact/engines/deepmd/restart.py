"""Decides how a training of DeePMD-kit goes on that may have been cut off; run inside the job.

``python -m pwact.engines.deepmd.restart`` prints the words that follow ``dp train`` in the
current directory: the input alone or with the model to start from, or with ``--restart`` and the
last checkpoint; nothing where the training has ended and only what follows it is missing.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pwact.engines.deepmd.checkpoints import PREFIX, TENSORFLOW
from pwact.engines.deepmd.input import CURVE
from pwact.engines.deepmd.training import INPUT, LOG, TEST_LOG
from pwact.io.files import remove

ENDED = "steps.ended"  # holds the size of the learning curve with which dp ended well
START = "start.pb"
STEPS_OF = ("frozen.pb", "graph.pb", "small.pb", "compressed.pb", "freeze.ended", "compress.ended")
_STATE = "checkpoint"  # TensorFlow's list of checkpoints


def main() -> int:
    """Print the words for the current directory."""
    sys.stdout.write(plan(Path.cwd()))
    return 0


def plan(directory: Path) -> str:
    """Prepare `directory`, and name what ``dp train`` is to do; "" where nothing is left."""
    if has_ended(directory):
        return ""
    remove_products(directory)
    step = TENSORFLOW.going_on(directory)
    if step:
        with (directory / LOG).open("a", encoding="utf-8") as log:
            log.write(f"pwact: cut off; dp goes on from the checkpoint of step {step}\n")
        return f"{INPUT} --restart {PREFIX}-{step}"
    remove(directory / LOG)
    remove(directory / _STATE)
    # a link that leads nowhere must fail, not start from nothing
    return f"{INPUT} --init-frz-model {START}" if (directory / START).is_symlink() else INPUT


def remove_products(directory: Path) -> None:
    """Delete what was made of a training that did not end."""
    for name in (ENDED, TEST_LOG, *STEPS_OF):
        remove(directory / name)


def has_ended(directory: Path) -> bool:
    """Whether dp has trained to its end, and has left what it is frozen from."""
    try:
        size = int((directory / ENDED).read_text())
        same = (directory / CURVE).stat().st_size == size
    except (OSError, ValueError):
        return False
    return same and bool(TENSORFLOW.last(directory))


if __name__ == "__main__":
    sys.exit(main())
