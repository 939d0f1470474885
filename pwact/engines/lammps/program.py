"""How LAMMPS is started, and what its screen output says of its start and its end."""

from __future__ import annotations

import re
from pathlib import Path

from pwact.engines.heading import Heading
from pwact.io.files import log_tail

WALL_TIME = "Total wall time"
_WALL_TIME = re.compile(rf"\s*{WALL_TIME}: .*\d:\d\d:\d\d")


def lammps_program(command: str) -> str:
    """Return the shell text that starts LAMMPS, without the input file a user may have named.

    >>> lammps_program("mpirun -np 4 lmp -in in.lammps > md.log")
    'mpirun -np 4 lmp'
    """
    for marker in (" -in ", " -i "):
        command = command.partition(marker)[0]
    return command.strip()


def lammps_heading(log: str) -> Heading:
    """How LAMMPS begins its screen output."""
    return Heading(log, r"^LAMMPS \(\d", r"^Loop time of \S+ on (\d+) procs")


def ended_well(log: Path) -> bool:
    """Whether a LAMMPS log or screen output says that the program ended.

    MPI, or a wrapper, may print a few lines behind that.
    """
    return any(map(_WALL_TIME.match, log_tail(log).splitlines()))
