"""How LAMMPS is started, and what its screen output says of its start and its end."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Optional

from pwact.engines.heading import Heading
from pwact.engines.lammps.input import INPUT
from pwact.engines.md_input import MdInput
from pwact.engines.md_steps import MdProgress
from pwact.formats.thermo import last_step
from pwact.io.files import log_tail

_VARIABLE = rb"^\s*variable\s+%s\s+(?:index|equal)\s+(\S+)"
_TIMESTEP = rb"^\s*timestep\s+(\S+)"
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


def md_steps(directory: Path) -> Optional[MdProgress]:
    """Steps that an MD has made, and those asked for; None where the input does not say these."""
    text = (directory / INPUT).read_text(encoding="utf-8", errors="replace")
    found = re.search(r"^\s*variable\s+NSTEPS\s+(?:index|equal)\s+(\d+)", text, re.MULTILINE)
    return MdProgress(last_step(directory / "md.log"), int(found[1])) if found else None


def asked(directory: Path) -> MdInput:
    """What ``in.lammps`` asks for, in a file of ours or of PWact. Raises OSError."""
    text = (directory / INPUT).read_bytes()
    temp, press, steps = (
        _number(text, _VARIABLE % name) for name in (b"TEMP", b"PRESS", b"NSTEPS")
    )
    return MdInput(temp, press, _number(text, _TIMESTEP), None if steps is None else int(steps))


def _number(text: bytes, pattern: bytes) -> Optional[float]:
    found = re.search(pattern, text, re.MULTILINE)
    try:
        return float(found[1]) if found else None
    except ValueError:
        return None
