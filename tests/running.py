"""A pytest plugin: each process writes down what it works at, for tests/watchdog.py.

The file has the name of the process and holds one line: the test that runs, the file that is being
collected, or nothing. Where the watchdog has named no folder, nothing is written.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

FOLDER_VARIABLE = "PWACT_TEST_PROGRESS"


def _say(text: str) -> None:
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder:
        (Path(folder) / str(os.getpid())).write_text(text, encoding="utf-8")


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    """Name the file that is imported."""
    if isinstance(collector, pytest.File):
        _say(f"{collector.nodeid} (collecting)")
    yield


def pytest_collection_finish() -> None:
    """Nothing runs now."""
    _say("")


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Name the test for as long as it, its fixtures and their ends take."""
    _say(item.nodeid)
    yield
    _say("")
