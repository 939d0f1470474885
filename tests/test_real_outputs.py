"""The suite is whole inside the repository; files beside it are an extra that is asked for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Optional

import pytest

from tests.commands import ROOT

ONE = "tests/real_outputs/test_pwmlff_npy.py"
STEPS_UP = re.compile(r"__file__\)(?:\.resolve\(\))?\.parents\[(\d+)\]")


def run_pytest(path: str, folder: Optional[Path]) -> tuple[int, str]:
    """Exit status and output of pytest, with `folder` as PWACT_REAL_OUTPUTS."""
    environment = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    environment.pop("PWACT_REAL_OUTPUTS", None)
    if folder is not None:
        environment["PWACT_REAL_OUTPUTS"] = str(folder)
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", path]
    ended = subprocess.run(
        words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    return ended.returncode, ended.stdout


def test_they_are_not_selected_unless_asked_for() -> None:
    status, said = run_pytest(ONE, None)
    assert status == 5  # nothing was collected
    assert re.search(r"^1 deselected in", said, re.MULTILINE)


def test_a_file_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    status, said = run_pytest(ONE, tmp_path)
    assert status == 1
    assert f"PWACT_REAL_OUTPUTS: {tmp_path} holds no vasp/OUTCAR.h2o.md" in said
    status, said = run_pytest(ONE, tmp_path / "absent")
    assert status == 1
    assert f"PWACT_REAL_OUTPUTS: there is no folder {tmp_path / 'absent'}" in said


@pytest.mark.parametrize("path", sorted((ROOT / "tests" / "real_outputs").glob("test_*.py")))
def test_all_of_them_are_marked(path: Path) -> None:
    assert "\npytestmark = pytest.mark.real_outputs\n" in path.read_text()


def test_no_test_looks_beside_the_repository() -> None:
    """The parents of a test file lead as far as the repository and no further."""
    paths = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "bin").iterdir()]
    for path in paths:
        text = path.read_text()
        deepest = len(path.relative_to(ROOT).parents) - 1
        steps = [int(number) for number in STEPS_UP.findall(text)]
        assert max(steps, default=0) <= deepest, path
        assert "ROOT.parent" not in text or path == Path(__file__), path


def test_the_files_are_small() -> None:
    sizes = [p.stat().st_size for p in (ROOT / "tests" / "data").rglob("*") if p.is_file()]
    assert max(sizes) < 100_000
    assert sum(sizes) < 1_000_000
