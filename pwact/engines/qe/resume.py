"""Prepares the next start of an AIMD of pw.x; run inside its job, in the directory of the task.

pw.x goes on (restart_mode) from the structure in its directory and from ``PREFIX.md``, which it
writes one after the other at each step. So an AIMD goes on only where both agree with each other
and with the output; else it begins again. The output of each start is kept under a number of its
own, and nstep counts what is left.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Optional

import numpy as np

from pwact.engines.qe import task
from pwact.engines.qe.steps import AllSteps, read_steps
from pwact.engines.worker import exit_status
from pwact.errors import InputError, TaskError
from pwact.formats.qe_input import PwInput
from pwact.formats.qe_output import parts
from pwact.formats.qe_xml import structure_in
from pwact.io.files import remove, write_text

MEMORY = f"{task.OUT}/{task.PREFIX}.md"
_SAME_PLACE = 1e-8  # Å; the output has ten decimals


def prepare(directory: Path) -> None:
    """Write ``pw.next.in``: the rest of the steps where the AIMD can go on, else all of them.

    Raises
    ------
    TaskError
        The directory holds no task.
    """
    root = PwInput(directory / task.INPUT)
    found = _found(directory)
    done = sum(one.whole for one in found.evaluations) if found else 0
    if found is None or not done or not goes_on(directory, found, done):
        for path in [*parts(directory, task.LOG), directory / task.OUT]:
            remove(path)
        write_text(directory / task.NEXT_INPUT, root.render())
        return
    number = sum(1 for _ in parts(directory, task.LOG)) - 1
    log = directory / task.LOG
    log.replace(log.with_name(f"{log.stem}.{number}{log.suffix}"))
    left = str(task.steps_of(root) - done)
    root.put("CONTROL", [("restart_mode", "'restart'"), ("nstep", left)])
    write_text(directory / task.NEXT_INPUT, root.render())


def _found(directory: Path) -> Optional[AllSteps]:
    """What earlier starts left; None where nothing can be made of it."""
    try:
        return read_steps(directory)
    except TaskError:
        return None


def goes_on(directory: Path, found: AllSteps, done: int) -> bool:
    """Whether what pw.x remembers is the step behind the last one in the output.

    Parameters
    ----------
    done
        Whole evaluations in the output; after the last one pw.x has moved the atoms once more.
    """
    if found.last is None or found.last.step != done or done >= found.wanted:
        return False
    try:
        step = int((directory / MEMORY).read_text(encoding="ascii").split()[1])
        cell, positions = structure_in(directory / task.SCHEMA)
    except (OSError, ValueError, IndexError, TaskError, InputError):
        return False
    moved_cell, moved = found.last.moved
    if step != done or positions.shape != moved.shape:
        return False
    off = max(np.abs(positions - moved).max(), np.abs(cell - moved_cell).max())
    return bool(off < _SAME_PLACE)


if __name__ == "__main__":
    sys.exit(exit_status(prepare))
