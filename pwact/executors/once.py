"""Runs a short program on this machine once, and never waits for it longer than it may take."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_SCRIPT = "once.sh"


@dataclass(frozen=True)
class Ended:
    """How a program ended.

    Attributes
    ----------
    in_time
        False if it was ended since its time was over.
    printed
        What it wrote to the screen.
    """

    in_time: bool
    printed: str


def run_once(
    lines: Sequence[str], directory: Path, limit_s: float, extra: Mapping[str, str]
) -> Ended:
    """Run lines of bash in a directory; all that they started has ended when this returns.

    Parameters
    ----------
    extra
        Environment variables besides those of this process.
    """
    script = directory / _SCRIPT
    script.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="surrogateescape")
    with tempfile.TemporaryFile() as output:  # a pipe would be held open by what is left behind
        child = subprocess.Popen(
            ["bash", os.fspath(script)],
            cwd=directory,
            env={**os.environ, **extra},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            child.wait(limit_s)
            in_time = True
        except subprocess.TimeoutExpired:
            in_time = False
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        output.seek(0)
        return Ended(in_time, output.read().decode(errors="replace"))
