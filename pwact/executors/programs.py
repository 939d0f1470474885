"""Which programs a command starts, where they are, and by which MPI they run."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

from pwact.config.resources import ResourceBlock

_LAUNCHERS = ("mpirun", "mpiexec", "mpiexec.hydra", "orterun", "srun")
_SHELL = re.compile(r"[$`;|&<>(){}*?~\n]")
_ASSIGNMENT = re.compile(r"\w+=")
_TIMEOUT_S = 20.0
_BRINGS = re.compile(  # lines of env_list that may bring a program
    r"\bPATH\b|conda|mamba|module|spack|source|activate|setvars|\bml\b|\bload\b|^\s*\.\s|alias|\(\)"
)
_LAUNCHED_BY = (  # what `mpirun --version` says
    (re.compile(r"Open ?MPI|Open RTE|PRTE", re.IGNORECASE), "Open MPI"),
    (re.compile(r"Intel\(R\) MPI"), "Intel MPI"),
    (re.compile(r"HYDRA|MPICH", re.IGNORECASE), "MPICH"),
)
_LINKED_WITH = (  # what ldd lists; Intel MPI keeps to the names of MPICH
    (re.compile(r"libmpi\.so\.(20|40)|libopen-(rte|pal)"), "Open MPI"),
    (re.compile(r"libmpi(ch)?\.so\.12|libmpifort\.so\.12|libmpich"), "MPICH"),
)


@dataclass(frozen=True)
class Programs:
    """What a command starts.

    Attributes
    ----------
    launcher
        mpirun, srun or the like; "" without one.
    program
        What it starts, or the first word of the command.
    """

    launcher: str
    program: str


def programs_of(command: str) -> Optional[Programs]:
    """Find the programs in a command; None where only a shell can say."""
    if _SHELL.search(command):
        return None
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    while words and _ASSIGNMENT.match(words[0]):
        del words[0]
    if not words:
        return None
    if words[0].rpartition("/")[2] not in _LAUNCHERS:
        return Programs("", words[0])
    free = [word for word in words[1:] if not word.startswith("-") and not word.isdigit()]
    found = [word for word in free if shutil.which(word)]
    return Programs(words[0], (found or free or [""])[0])


def brought(block: ResourceBlock) -> bool:
    """Whether lines of a block may bring programs, so that those of this process tell nothing."""
    setting_up = any(_BRINGS.search(line) for line in block.env_list)
    return bool(block.source_list or block.module_list) or setting_up


def serial(command: str) -> Optional[str]:
    """A command without its parallel launcher; None where only a shell can say what that is."""
    programs = programs_of(command)
    if programs is None:
        return None if command.strip() else ""
    if not programs.launcher:
        return command
    words = shlex.split(command)
    if programs.program not in words:
        return None
    assigned = words[: words.index(programs.launcher)]
    started = words[words.index(programs.program, len(assigned) + 1) :]
    return shlex.join(["env", *assigned, *started] if assigned else started)


def missing(command: str) -> list[str]:
    """Programs of a command that are not in the PATH of this process."""
    programs = programs_of(command)
    if programs is None:
        return []
    named = (programs.launcher, programs.program)
    return [word for word in named if word and not shutil.which(word)]


def mismatch(command: str) -> str:
    """Say that launcher and program of a command belong to different MPIs; "" if not."""
    programs = programs_of(command)
    if programs is None or not programs.launcher or missing(command):
        return ""
    launcher = launched_by(_said([programs.launcher, "--version"]))
    program = shutil.which(programs.program) or programs.program
    linked = linked_with(_said(["ldd", program]))
    if not launcher or not linked or fits(launcher, linked):
        return ""
    return mismatch_words(
        f"{shutil.which(programs.launcher)} is of {launcher}", f"{program} of {linked}"
    )


def mismatch_words(launcher: str, program: str) -> str:
    """What a launcher of another MPI does."""
    return (
        f"{launcher}, {program}: it would start serial copies, which overwrite each other's "
        "files; give the full path of the mpirun that belongs to the program"
    )


def launched_by(version: str) -> str:
    """The MPI of a launcher, by what it says of its version; "" if that is unknown."""
    return next((name for pattern, name in _LAUNCHED_BY if pattern.search(version)), "")


def linked_with(libraries: str) -> str:
    """The MPI that a program is linked with; "" if that is unknown."""
    return next((name for pattern, name in _LINKED_WITH if pattern.search(libraries)), "")


def fits(launcher: str, linked: str) -> bool:
    """Whether a launcher can start a program as one parallel program."""
    return launcher == linked or (launcher, linked) == ("Intel MPI", "MPICH")


def _said(words: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            list(words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace")
