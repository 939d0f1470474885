"""What the files and commands of several engines have in common."""

from __future__ import annotations

import logging
import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pwact
from pwact.engines.heading import Heading
from pwact.errors import PwactError
from pwact.io.files import link, log_tail

logger = logging.getLogger(__name__)

WALL_TIME = "Total wall time"


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
    return any(line.lstrip().startswith(WALL_TIME) for line in log_tail(log).splitlines())


def link_files(directory: Path, links: Mapping[str, Path]) -> None:
    """Make links with relative targets, so that a moved work directory stays whole."""
    for name, target in zip(links, relative_paths(list(links.values()), directory)):
        link(Path(target), directory / name)


def relative_paths(paths: Sequence[Path], directory: Path) -> list[str]:
    """Paths as seen from a task directory, so that a moved work directory stays whole."""
    start = directory.resolve()
    return [os.path.relpath(path.resolve(), start) for path in paths]


def python_module(module: str, *args: object, python: str = "") -> str:
    """Shell text that runs a module of this package with the Python that runs now.

    `python` is shell text of the user's that starts another one (see `interpreter`).
    """
    words = " ".join(shlex.quote(str(word)) for word in ("-m", module, *args))
    words = f"{interpreter(python)} {words}"
    root = Path(pwact.__file__).resolve().parent.parent
    if root.name in ("site-packages", "dist-packages"):
        return words
    return f'PYTHONPATH={shlex.quote(str(root))}"${{PYTHONPATH:+:$PYTHONPATH}}" {words}'


def interpreter(python: str) -> str:
    """Shell text that starts the user's Python, or the one that runs now."""
    return python.strip() or shlex.quote(sys.executable)


def exit_status(work: Callable[[Path], None], level: int = logging.WARNING) -> int:
    """Exit status of a module that a job runs: it works in the current directory.

    What it complains of becomes a line of its log; messages below `level` do not.
    """
    logging.basicConfig(level=level, format="%(message)s")
    try:
        work(Path.cwd())
    except PwactError as error:
        logger.error("%s", error)
        return 1
    return 0
