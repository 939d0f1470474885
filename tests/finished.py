"""A finished campaign that tests of several folders read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workflow.pairs import run_param, write_files
from tests.workflow.toy_campaign import ToyExecutor, run_loop, use_toys


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
