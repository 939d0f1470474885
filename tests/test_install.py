"""The package as a user gets it: a wheel and what it declares to need, nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from pwact import __version__

ROOT = Path(__file__).parent.parent
PARTS = ("pwact", "setup.py", "README.md", "LICENSE")


def run(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a program without this checkout on its path."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    texts = [str(word) for word in words]
    return subprocess.run(texts, cwd=cwd, env=env, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of programs of an environment that holds the wheel only."""
    place = tmp_path_factory.mktemp("a user's machine")
    source = place / "source"
    source.mkdir()
    for part in PARTS:
        path = ROOT / part
        copy = shutil.copytree if path.is_dir() else shutil.copy
        copy(path, source / part)
    pip = (sys.executable, "-m", "pip", "--quiet")
    made = run(*pip, "wheel", "--no-deps", "-w", place, source, cwd=place)
    assert made.returncode == 0, made.stderr
    venv.create(place / "env", with_pip=True)
    (wheel,) = place.glob("*.whl")
    installed = run(place / "env/bin/python", "-m", "pip", "install", "--quiet", wheel, cwd=place)
    assert installed.returncode == 0, installed.stderr
    return place / "env/bin"


@pytest.mark.slow
def test_the_program_runs(scripts: Path, tmp_path: Path) -> None:
    assert run(scripts / "pwact", "--version", cwd=tmp_path).stdout == f"pwact {__version__}\n"
    example = tmp_path / "quick start"
    shutil.copytree(ROOT / "examples" / "quickstart", example)
    checked = run(scripts / "pwact", "check", "init_param.json", "resource.json", cwd=example)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "pwact init_bulk" in checked.stdout
