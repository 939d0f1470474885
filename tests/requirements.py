"""What a test needs beyond Python: asked for here, so that nothing is skipped silently.

A missing program or module skips the test with the reason, except where ``PWACT_TEST_REQUIRE=1``
(continuous integration): there it is a failure. ``PWACT_TEST_PROGRAMS`` names further directories
with programs, separated as in PATH.
"""

from __future__ import annotations

import importlib.util
import os
import shutil

import pytest


def _missing(what: str) -> None:
    if os.environ.get("PWACT_TEST_REQUIRE") == "1":
        pytest.fail(f"{what}, but PWACT_TEST_REQUIRE=1 asks for everything", pytrace=False)
    pytest.skip(what)


def need_program(name: str) -> str:
    """Path of an executable."""
    found = shutil.which(name)
    for folder in os.environ.get("PWACT_TEST_PROGRAMS", "").split(os.pathsep):
        found = found or (shutil.which(name, path=folder) if folder else None)
    if not found:
        _missing(f"the program {name} is not installed")
    return str(found)


def need_root(what: str) -> None:
    """Skip or fail unless this is root, who alone can make `what`."""
    if os.geteuid() != 0:
        _missing(f"only root can make {what}")


def need_module(name: str) -> None:
    """Skip or fail unless the Python module `name` can be imported."""
    if importlib.util.find_spec(name) is None:
        _missing(f"the Python module {name} is not installed")


def need_deepmd() -> str:
    """Path of ``dp``, beside an ``lmp`` that knows ``pair_style deepmd``."""
    need_module("deepmd")
    return need_program("dp")
