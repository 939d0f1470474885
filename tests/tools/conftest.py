"""What the commands beside a campaign are tried on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.small_pictures import small_pictures
from tests.workflow.pairs import run_param, write_files
from tests.workflow.toy_campaign import ToyExecutor, run_loop, use_toys

__all__ = ["small_pictures"]


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole campaign of ours with deviations of 0.25 eV/Å and less; not to be changed."""
    work_dir = tmp_path_factory.mktemp("finished") / "with a space"
    work_dir.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        use_toys(patch)
        write_files(work_dir, {"calculator": "emt"})
        run_loop(work_dir, run_param(), ToyExecutor())
    return work_dir


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory from which commands are given."""
    place = tmp_path / "launch here"
    place.mkdir()
    monkeypatch.chdir(place)
    return place
