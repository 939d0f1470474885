"""Pictures are an extra: without a matplotlib that works, one line says so."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pwact.errors import PwactError
from pwact.report import plots
from pwact.tools.explored.draw import Subject, draw
from pwact.uncertainties.committee import CommitteeDeviation

BROKEN = "numpy.core.multiarray failed to import\nlong story"

DEVIATION = CommitteeDeviation.measure


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A matplotlib that is installed, but was built for another numpy."""

    def fail(name: str) -> None:
        assert name.startswith("matplotlib")
        raise ImportError(BROKEN)

    monkeypatch.setattr(plots, "find_spec", lambda name: object())
    monkeypatch.setattr(plots, "import_module", fail)
    _forget()
    yield
    _forget()


def _forget() -> None:
    plots.flaw.cache_clear()
    plots._drawable.cache_clear()


def test_a_broken_matplotlib_is_named_once(
    broken: None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    values = np.array([0.1, 0.2])
    for _ in range(2):
        assert not plots.histogram(
            tmp_path / "a.png", values, (0.05, 0.15), CommitteeDeviation.measure
        )
    assert list(tmp_path.iterdir()) == []
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().endswith("ImportError: numpy.core.multiarray failed to import")


def test_the_command_that_draws_says_what_is_missing(broken: None, tmp_path: Path) -> None:
    with pytest.raises(PwactError, match="cannot be imported: ImportError: numpy.core"):
        draw(Subject({}, {}, [], tmp_path, {}), tmp_path, ["png"], lambda: None)


def test_a_matplotlib_that_is_not_there_is_no_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(plots, "find_spec", lambda name: None)
    _forget()
    caplog.set_level(logging.INFO)
    assert not plots.histogram(
        tmp_path / "a.png", np.array([0.1]), (0.05, 0.15), CommitteeDeviation.measure
    )
    _forget()
    assert [record.levelname for record in caplog.records] == ["INFO"]
    assert "matplotlib is not installed" in caplog.text
