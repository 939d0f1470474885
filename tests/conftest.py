"""Settings of every test, and what tests in several places need.

Random inputs are the same in every run, and are not timed.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.commands import ROOT, pwact
from tests.requirements import need_deepmd

settings.register_profile(
    "steady",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("steady")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests on files beside the repository, unless PWACT_REAL_OUTPUTS names them."""
    if os.environ.get("PWACT_REAL_OUTPUTS"):
        return
    extra = [item for item in items if item.get_closest_marker("real_outputs")]
    if extra:
        config.hook.pytest_deselected(items=extra)
        items[:] = [item for item in items if not item.get_closest_marker("real_outputs")]


@pytest.fixture(scope="session")
def samples() -> Path:
    """Outputs of programs, made by us: see tests/data/README.md."""
    return Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def copper(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The example with DeePMD-kit, finished on this machine, and what its run printed."""
    need_deepmd()
    work_dir = tmp_path_factory.mktemp("a folder of copper") / "cu deepmd"
    shutil.copytree(ROOT / "examples" / "cu_deepmd", work_dir)
    pwact(work_dir, "init_bulk", "init_param.json", "resource.json")
    return work_dir, pwact(work_dir, "run", "run_param.json", "resource.json")
