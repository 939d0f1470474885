"""What the commands beside a campaign are tried on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.finished import finished_run
from tests.small_pictures import small_pictures

__all__ = ["finished_run", "small_pictures"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory from which commands are given."""
    place = tmp_path / "launch here"
    place.mkdir()
    monkeypatch.chdir(place)
    return place
