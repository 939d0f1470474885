"""How an MD ended that did not reach its last step, in words: after which step, and why."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import Optional

from pwact.io.files import log_tail

_TAIL_LINES = 60
_ERROR = re.compile(r"\bERROR(?: on proc \d+)?:\s*(.*)")
_PLACE = re.compile(r"\s*\((?:\S*/)?\w+\.(?:cpp|h):\d+\)\s*$")  # of LAMMPS's source
_CRASH = re.compile(r"segmentation fault|bus error|floating point exception|out of memory", re.I)
_MEANINGS = (
    (re.compile(r"lost atoms", re.I), "atoms were lost"),
    (re.compile(r"non-numeric|no numbers|not finite|\bnan\b", re.I), "numbers became NaN"),
    (re.compile(r"out of range atoms|bond atoms .* missing", re.I), "atoms flew away"),
)


# exit codes of a shell or wrapper whose program was killed by SIGHUP, INT, KILL or TERM
_KILLED = frozenset(code for one in (1, 2, 9, 15) for code in (128 + one, 256 - one))


def was_killed(code: int) -> bool:
    """Whether an exit status tells that somebody ended the program from outside."""
    return code in _KILLED


def death(log: Path, code: Optional[int], last_step: Optional[int], nsteps: Optional[int]) -> str:
    """Say after which step an MD died and why: ``it died after step 120 of 1000: …``.

    Parameters
    ----------
    log
        What the program printed.
    code
        Its exit status, if it is known.
    last_step, nsteps
        Step of the last frame, and of the last one that was asked for, if they are known.
    """
    whole = f" of {nsteps}" if nsteps is not None else ""
    where = "before its first frame" if last_step is None else f"after step {last_step}{whole}"
    return f"it died {where}: {cause(log, code)}"


def cause(log: Path, code: Optional[int]) -> str:
    """Why a program ended early, in its own words where it has any."""
    lines = log_tail(log, _TAIL_LINES).splitlines()
    errors = [found[1] for found in map(_ERROR.search, lines) if found and found[1].strip()]
    if errors:
        words = _PLACE.sub("", errors[0]).strip()
        return f"{_meaning(words)}{words}"
    crashes = [line.strip() for line in lines if _CRASH.search(line)]
    if crashes:
        return crashes[-1]
    name = _signal(code)
    if name:
        return f"it was ended by {name}"
    if code:
        return f"exit status {code}, and {log.name} names no error"
    return f"{log.name} does not end with the wall time"


def _meaning(words: str) -> str:
    meanings = [meaning for pattern, meaning in _MEANINGS if pattern.search(words)]
    return f"{meanings[0]}: " if meanings else ""


def _signal(code: Optional[int]) -> str:
    """Name of the signal that an exit status tells of: 128 + N of a shell, 256 - N of a wrapper.

    The last ones, such as 255, are errors of many programs.
    """
    if code is None or code <= 128:
        return ""
    names = {one.value: one.name for one in signal.Signals}
    return names.get(code - 128) or (names.get(256 - code, "") if code <= 252 else "")
