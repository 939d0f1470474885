"""What setup.py declares, and what goes into a source distribution.

`tests/test_install.py` builds and installs both, which takes a minute.
"""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.commands import ROOT

NEEDED = {"ase", "matplotlib", "numpy", "pandas", "pwdata", "tqdm"}


class Sdist:
    """Plays the command of setuptools; `filelist` gets what is to be packed."""

    def __init__(self) -> None:
        self.filelist: list[str] = []
        self.made = False

    def make_distribution(self) -> None:
        self.made = True


class BuildPy:
    """Plays the command of setuptools, which puts the modules into `build_lib`."""

    def __init__(self, build_lib: Path, editable_mode: bool) -> None:
        self.build_lib = str(build_lib)
        self.editable_mode = editable_mode

    def run(self) -> None:
        (Path(self.build_lib) / "pwact").mkdir(parents=True)


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What setup.py hands to setuptools, which need not be installed."""
    found: dict[str, Any] = {}
    commands = ("setuptools.command.sdist", "setuptools.command.build_py")
    names = ("setuptools", "setuptools.command", *commands)
    modules = {name: ModuleType(name) for name in names}
    modules["setuptools"].setup = found.update  # type: ignore[attr-defined]
    modules["setuptools"].find_packages = SimpleNamespace  # type: ignore[attr-defined]
    modules["setuptools.command.sdist"].sdist = Sdist  # type: ignore[attr-defined]
    modules["setuptools.command.build_py"].build_py = BuildPy  # type: ignore[attr-defined]
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    runpy.run_path(str(ROOT / "setup.py"), run_name="__main__")
    return found


def test_it_says_what_it_is(declared: dict[str, Any]) -> None:
    assert declared["name"] == "pwact"
    assert declared["license"] == "GPL-3.0-or-later"
    assert declared["long_description"] == (ROOT / "README.md").read_text(encoding="utf-8")
    assert declared["long_description_content_type"] == "text/markdown"
    assert len(declared["description"]) > 40
    assert "active learning" in declared["keywords"]
    versions = {f"Programming Language :: Python :: 3.{minor}" for minor in range(9, 14)}
    assert {*versions, "Typing :: Typed"} <= set(declared["classifiers"])
    assert [ROOT / name for name in declared["license_files"]] == [ROOT / "LICENSE"]
    assert (ROOT / "LICENSE").is_file()


def test_it_asks_for_what_it_needs(declared: dict[str, Any]) -> None:
    assert declared["python_requires"] == ">=3.9"
    lowest = dict(words.split(">=") for words in declared["install_requires"])
    assert set(lowest) == NEEDED
    assert lowest["ase"] == "3.26"  # FrechetCellFilter, MTKNPT
    assert {"demo", "deepmd", "test", "lint"} <= set(declared["extras_require"])


def test_all_of_the_package_is_installed(declared: dict[str, Any]) -> None:
    assert vars(declared["packages"]) == {"include": ["pwact", "pwact.*"]}
    folders = {path.parent for path in (ROOT / "pwact").rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []
    patterns = declared["package_data"]["pwact"]
    assert list(declared["package_data"]) == ["pwact"]
    packed = {path for pattern in patterns for path in (ROOT / "pwact").glob(pattern)}
    there = {path for path in (ROOT / "pwact").rglob("*") if path.is_file()}
    assert {one for one in there - packed if one.suffix not in {".py", ".pyc"}} == set()
    assert (ROOT / "pwact" / "py.typed").is_file()
    assert declared["entry_points"] == {"console_scripts": ["pwact = pwact.cli.main:main"]}


def test_the_examples_are_installed_with_it(declared: dict[str, Any], tmp_path: Path) -> None:
    for editable in (False, True):
        command = declared["cmdclass"]["build_py"](tmp_path / str(editable), editable)
        command.run()
        place = tmp_path / str(editable) / "pwact" / "examples"
        assert place.exists() is not editable
    built = tmp_path / "False" / "pwact" / "examples"
    names = {path.relative_to(built) for path in built.rglob("*") if path.is_file()}
    examples = ROOT / "examples"
    assert {path.relative_to(examples) for path in examples.rglob("*") if path.is_file()} == names


def test_a_source_distribution_is_whole(declared: dict[str, Any]) -> None:
    """With tests, pages, examples, and the settings of the tools that check it."""
    command = declared["cmdclass"]["sdist"]()
    command.make_distribution()
    assert command.made
    packed = set(command.filelist)
    assert [name for name in packed if "__pycache__" in name or name.startswith(".venv")] == []
    for part in ("bin", "docs", "examples", "tests", ".ci"):
        files = (path for path in (ROOT / part).rglob("*") if path.is_file())
        names = {path.relative_to(ROOT).as_posix() for path in files}
        assert {name for name in names - packed if "__pycache__" not in name} == set()
    assert {".pytest.ini", ".mypy.ini", ".ruff.toml", "CITATION.cff"} <= packed


def test_what_git_holds_is_in_it(declared: dict[str, Any]) -> None:
    """But for links, what belongs to git, and what setuptools adds by itself."""
    words = ["git", "ls-files", "-z"]
    listed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    command = declared["cmdclass"]["sdist"]()
    command.make_distribution()
    itself = {"LICENSE", "README.md", "setup.py"}
    left = {name for name in listed.split("\0") if name} - set(command.filelist) - itself
    left = {name for name in left if Path(name).parts[0] not in ("pwact", ".gitignore")}
    assert [name for name in sorted(left) if not (ROOT / name).is_symlink()] == []
