"""Modules of this package that jobs run: how they are started, and how they end."""

from __future__ import annotations

import logging
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pwact
from pwact.errors import PwactError

logger = logging.getLogger(__name__)


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

    What it warns of becomes a line of its log; messages below `level` do not.
    """
    logging.basicConfig(level=level, format="%(message)s")
    try:
        work(Path.cwd())
    except PwactError as error:
        logger.error("%s", error)
        return 1
    return 0
