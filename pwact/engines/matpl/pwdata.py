"""Looks for a pwdata that breaks ``MatPL kpu``, before a training is paid for; run inside the job.

``python -m pwact.engines.matpl.pwdata COMMAND``: exit status 1, with the reason, if the Python of
that MatPL has pwdata 0.5.3 or newer. Where its Python or pwdata is not found, nothing is said.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Optional

BROKEN_FROM = (0, 5, 3)
_ASK = "from importlib.metadata import version; print(version('pwdata'))"
_BY_SHELL = re.compile(r"""'''exec' (?:"([^"]+)"|(\S+)) """)
_LONGEST_S = 120


def main() -> int:
    """Look, for the command in the arguments."""
    version = version_for(" ".join(sys.argv[1:]))
    if not version or _numbers(version) < BROKEN_FROM:
        return 0
    sys.stderr.write(
        f"pwdata {version} in MatPL's Python breaks MatPL kpu, which would end after training and "
        "MD; install pwdata 0.4.7 there\n"
    )
    return 1


def version_for(command: str) -> Optional[str]:
    """Version of pwdata in the Python that runs the last program of a command, if it is known."""
    python = _python_of(command)
    if not python:
        return None
    try:
        done = subprocess.run(
            [python, "-c", _ASK],
            capture_output=True,
            text=True,
            check=False,
            timeout=_LONGEST_S,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _python_of(command: str) -> str:
    """The Python that the program's first lines name; "" where it is no script of Python.

    Where its path has a space or is long, pip writes a script of the shell that starts it. Another
    wrapper may set up a Python of its own, of which nothing is known here.
    """
    words = shlex.split(command)
    program = shutil.which(words[-1]) if words else None
    if program is None:
        return ""
    with Path(program).open("rb") as stream:
        first, second = (stream.readline(1000).decode("utf-8", "replace") for _ in range(2))
    by_shell = _BY_SHELL.match(second)
    if by_shell:
        return by_shell[1] or by_shell[2]
    head = first.split()
    if not head or not head[0].startswith("#!") or "python" not in " ".join(head):
        return ""
    return head[1] if head[0].endswith("/env") and len(head) > 1 else head[0][2:]


def _numbers(version: str) -> tuple[int, ...]:
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(word) for word in found[0].split(".")) if found else ()


if __name__ == "__main__":
    sys.exit(main())
