"""Finds out whether a program started as it was meant to: once, with all its processes."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

from pwact.config.resources import ResourceBlock
from pwact.engines.heading import Heading
from pwact.verdict import Verdict, unusable

logger = logging.getLogger(__name__)

_LOOKED_AT = 1 << 20  # bytes of a log: programs that start at a time begin it together
_ASKED = re.compile(
    r"\b(?:mpirun|mpiexec(?:\.hydra)?|srun)\s(?:.*?\s)?(?:-np|-n|--ntasks)[ =](\d+)\b"
)


@dataclass(frozen=True)
class Starts:
    """What a log tells of the starts of a program.

    Attributes
    ----------
    number
        How often it started before it ended for the first time.
    processes
        How many processes the first start had; None if it does not say so.
    """

    number: int
    processes: Optional[int] = None


def starts_in(text: str, heading: Heading) -> Starts:
    """Count the starts in the beginning of a log."""
    if heading.end:
        text = re.split(heading.end, text, maxsplit=1, flags=re.MULTILINE)[0]
    number = len(re.findall(heading.start, text, re.MULTILINE))
    found = re.search(heading.processes, text, re.MULTILINE) if heading.processes else None
    return Starts(number, int(found.group(1)) if found else None)


def asked_processes(command: str) -> Optional[int]:
    """How many processes a command asks for by a number in it; None if it has none."""
    found = _ASKED.search(command)
    return int(found.group(1)) if found else None


def started_once(
    check: Callable[[Path], Verdict], heading: Optional[Heading], block: ResourceBlock
) -> Callable[[Path], Verdict]:
    """Let a task count only if its program did not run several times at once in its directory.

    That is what an ``mpirun`` of another MPI than the program's makes of it: several serial
    programs, which overwrite each other's files. Fewer processes than asked for are a warning.
    """
    if heading is None:
        return check

    def judge(directory: Path) -> Verdict:
        verdict, path = check(directory), directory / heading.log
        starts = starts_in(_beginning(path), heading)
        if starts.number > 1:
            each = f", each with {starts.processes} process(es)" if starts.processes else ""
            return unusable(
                f"{heading.log}: the program started {starts.number} times at once in this "
                f"directory{each}; is the mpirun of {block.file.name}: {block.name} that of the "
                "program's MPI? Its full path, or `module load`, chooses the right one"
            )
        asked = asked_processes(block.command)
        if verdict.done and asked and starts.processes and starts.processes < asked:
            logger.warning(
                "%s: the program ran with %d processes instead of the %d that were asked for "
                "(%s: %s)",
                path,
                starts.processes,
                asked,
                block.file.name,
                block.name,
            )
        return verdict

    return judge


def _beginning(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return stream.read(_LOOKED_AT).decode("utf-8", "replace")
    except OSError:
        return ""
