"""Which tests go to one worker: those that share what takes long to make (tests/conftest.py)."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import group_what_shares, shared_by


@pytest.fixture(scope="module")
def made() -> str:
    return "what takes long"


def test_what_shares_a_fixture_of_its_module(made: str, request: pytest.FixtureRequest) -> None:
    group_what_shares([request.node])
    group = request.node.get_closest_marker("xdist_group")
    assert group is not None
    assert group.args == ("tests/test_groups.py:made",)


@pytest.mark.spread
def test_what_need_not(made: str, request: pytest.FixtureRequest) -> None:
    group_what_shares([request.node])
    assert request.node.get_closest_marker("xdist_group") is None


def test_what_stands_alone(tmp_path: object, request: pytest.FixtureRequest) -> None:
    assert shared_by(request.node) == ""


def test_the_workers_know_the_groups() -> None:
    words = "-p no:cacheprovider -n 1 --dist loadgroup -v tests/test_groups.py -k what_"
    command = [sys.executable, "-m", "pytest", *words.split()]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    found = {line.split()[-1] for line in done.stdout.splitlines() if " PASSED " in line}
    assert found == {
        f"tests/test_groups.py::test_{name}"
        for name in (
            "what_shares_a_fixture_of_its_module@tests/test_groups.py:made",
            "what_need_not",
            "what_stands_alone",
        )
    }


def test_ctrl_c_is_heeded_here() -> None:
    """A shell lets what it starts in the background ignore it (see below)."""
    assert signal.getsignal(signal.SIGINT) != signal.SIG_IGN


def test_ctrl_c_is_heeded_in_the_background_too() -> None:
    words = "-m pytest -q -p no:cacheprovider tests/test_groups.py -k test_ctrl_c_is_heeded_here"
    ignoring = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    run = f"{ignoring}os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    done = subprocess.run(
        [sys.executable, "-c", run, *words.split()],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
