"""Which of the processes that a command starts for one task may write: the first one.

A parallel calculator (GPAW, or anything with mpi4py) computes in all of its processes, each of
which runs the same program. Without such a calculator they know nothing of each other, and all do
the same work; then the launcher's variables tell them apart.
"""

from __future__ import annotations

import os
from pathlib import Path

# those of MPI first: its processes on a cluster inherit that of SLURM from what started them
RANKS = (
    "OMPI_COMM_WORLD_RANK",
    "PMIX_RANK",
    "PMI_RANK",
    "MV2_COMM_WORLD_RANK",
    "PALS_RANKID",
    "SLURM_PROCID",
)
# shell text before the user's command: what is set by then speaks of another program
FORGET = f"unset {' '.join(RANKS)}; "
_MARK = "also_started."


def rank() -> int:
    """Number of this process among those that do the same task, 0 for the one that may write.

    To be asked when the calculator is made, for that imports the parallel library.
    """
    from ase.parallel import world  # noqa: PLC0415

    if world.size > 1:
        return int(world.rank)
    told = next((os.environ[name] for name in RANKS if name in os.environ), "0")
    return int(told) if told.isdigit() else 0


def leave_mark(directory: Path, number: int) -> None:
    """Tell the first process that this one does the same work, unless they share it."""
    from ase.parallel import world  # noqa: PLC0415

    if world.size == 1:
        (directory / f"{_MARK}{number}").touch()


def take_marks(directory: Path) -> int:
    """How many others have done the same work as the process that asks."""
    marks = list(directory.glob(f"{_MARK}*"))
    for mark in marks:
        mark.unlink(missing_ok=True)
    return len(marks)
