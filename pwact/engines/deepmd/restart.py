"""Decides how a training of DeePMD-kit goes on that may have been cut off; run inside the job.

``python -m pwact.engines.deepmd.restart`` prints the words that follow ``dp train`` in the
current directory: the input alone or with the model to start from, or with ``--restart`` and the
last checkpoint; nothing where the training has ended and only what follows it is missing.

A checkpoint gets one chance: where it brought none of a later step, the one before it is taken.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Optional

from pwact.engines.deepmd.input import CURVE
from pwact.engines.deepmd.training import INPUT, LOG, TEST_LOG
from pwact.io.files import remove, write_text

ENDED = "steps.ended"  # holds the size of the learning curve with which dp ended well
START = "start.pb"
STEPS_OF = ("frozen.pb", "graph.pb", "small.pb", "compressed.pb", "freeze.ended", "compress.ended")
_FROM = "continue.step"  # the step from which the last try went on
_STATE = "checkpoint"  # TensorFlow's list of checkpoints
_PREFIX = "model.ckpt"
_PARTS = (".data-00000-of-00001", ".index", ".meta")  # in the order in which they are written
_LAST_PART = re.compile(rf"{re.escape(_PREFIX)}-(\d+)\.meta")


def main() -> int:
    """Print the words for the current directory."""
    sys.stdout.write(plan(Path.cwd()))
    return 0


def plan(directory: Path) -> str:
    """Prepare `directory`, and name what ``dp train`` is to do; "" where nothing is left."""
    if has_ended(directory):
        return ""
    remove_products(directory)
    step = checkpoint_step(directory)
    if step and step == _last_start(directory):
        for path in directory.glob(f"{_PREFIX}-{step}.*"):
            remove(path)
        step = checkpoint_step(directory)
    if step:
        write_text(directory / _FROM, f"{step}\n")
        cut_curve(directory / CURVE, step)
        with (directory / LOG).open("a", encoding="utf-8") as log:
            log.write(f"pwact: cut off; dp goes on from the checkpoint of step {step}\n")
        return f"{INPUT} --restart {_PREFIX}-{step}"
    for path in [*directory.glob(f"{_PREFIX}*"), *(directory / one for one in (CURVE, LOG))]:
        remove(path)
    remove(directory / _STATE)
    remove(directory / _FROM)
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
    return same and bool(checkpoint_step(directory))


def checkpoint_step(directory: Path) -> int:
    """Step of the last checkpoint that has all its files; 0 where there is none."""
    found = (_LAST_PART.fullmatch(path.name) for path in directory.glob(f"{_PREFIX}-*.meta"))
    steps = sorted((int(one[1]) for one in found if one), reverse=True)
    return next((step for step in steps if _is_whole(directory, step)), 0)


def _is_whole(directory: Path, step: int) -> bool:
    parts = [directory / f"{_PREFIX}-{step}{ending}" for ending in _PARTS]
    return all(part.is_file() and part.stat().st_size for part in parts)


def cut_curve(path: Path, step: int) -> None:
    """Leave the rows before `step`, whose row dp writes again."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    except OSError:
        return
    kept = [line for line in lines if line.endswith("\n") and _is_before(line, step)]
    write_text(path, "".join(kept))


def _is_before(line: str, step: int) -> bool:
    words = line.split()
    return line.startswith("#") or (bool(words) and words[0].isdigit() and int(words[0]) < step)


def _last_start(directory: Path) -> Optional[int]:
    try:
        return int((directory / _FROM).read_text())
    except (OSError, ValueError):
        return None


if __name__ == "__main__":
    sys.exit(main())
