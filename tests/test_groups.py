"""Which tests go to one worker: those that share what takes long to make (tests/conftest.py)."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import group_what_shares, put_long_ones_first, shared_by, some_of_each


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


class Named:
    """What is asked of a test that was collected."""

    def __init__(self, nodeid: str, group: str = "", slow: bool = False) -> None:
        self.nodeid = nodeid
        self._markers = {"slow": pytest.mark.slow.mark} if slow else {}
        if group:
            self._markers["xdist_group"] = pytest.mark.xdist_group(group).mark

    def get_closest_marker(self, name: str) -> object:
        return self._markers.get(name)


def test_the_long_ones_come_first() -> None:
    kinds = [("a", "", False), ("b", "two", False), ("c", "", True), ("d", "two", False)]
    kinds += [("e", "three", False), ("f", "three", True), ("g", "three", False)]
    tests: list[Any] = [Named(*kind) for kind in kinds]
    put_long_ones_first(tests)
    assert "".join(test.nodeid for test in tests) == "efgcbda"


@pytest.mark.parametrize(
    ("at_most", "left"), [(1, "x1 y1 z"), (2, "x1 x5 y1 y2 z"), (3, "x1 x3 x5 y1 y2 z")]
)
def test_some_of_each(at_most: int, left: str) -> None:
    names = ["x[1]", "x[2]", "y[1]", "x[3]", "x[4]", "y[2]", "z", "x[5]"]
    tests: list[Any] = [Named(name) for name in names]
    found = some_of_each(tests, at_most)
    assert found == [test for test in tests if test in found]
    assert sorted(re.sub(r"\W", "", test.nodeid) for test in found) == left.split()


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
