"""The package as a user gets it: by the line of the pages, from a copy, in a new environment."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from ase.build import bulk

from pwact import __version__
from tests.commands import ROOT
from tests.pages import PAGES, commands_of

INSTALL = re.compile(r"\bpip3? install\b[^`\n#]*")
OURS = re.compile(r"pip install --use-pep517 (?:\.|'\.\[([a-z,]+)\]')")
SAID = ("pip install pwact", "pip install pwact==0.4.8")
# what a clone holds, without what is ignored there
LEFT_OUT = (".git", ".venv*", "build", "dist", "*.egg-info", "__pycache__", "*.pyc", ".*_cache")


def extras() -> set[str]:
    text = (ROOT / "setup.py").read_text(encoding="utf-8")
    return set(re.findall(r'^ {8}"([a-z]+)": \[', text, re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_no_page_installs_the_predecessor(page: Path) -> None:
    """The index has PWact under the name `pwact`; that is said, and done nowhere."""
    lines = [line.strip() for line in INSTALL.findall(page.read_text(encoding="utf-8"))]
    for line in lines:
        found = OURS.fullmatch(line)
        if found is None:
            assert "pwact" not in line or line in SAID, line
            assert "." not in line.split(), f"{line}: needs --use-pep517, see docs/tutorial.md"
        else:
            assert set((found[1] or "demo").split(",")) <= extras(), line
    shown = [block.text for block in commands_of(page) if "install pwact" in block.text]
    assert shown == [], "a command that installs PWact"


def test_the_pages_agree_on_the_line() -> None:
    assert len({text for text in install_blocks() if "--use-pep517 '.[demo]'" in text}) == 1


def install_blocks() -> list[str]:
    """The commands of the pages that these tests run."""
    blocks = [block for page in PAGES for block in commands_of(page)]
    return [
        block.text
        for block in blocks
        if "pip install" in block.text and "tests/test_install.py" in block.mark
    ]


def typed(text: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """What a user types into a new shell, without this checkout on any path."""
    foreign = ("PYTHONPATH", "VIRTUAL_ENV")
    env = {name: value for name, value in os.environ.items() if name not in foreign}
    words = ["bash", "-c", f"set -e\n{text}"]
    return subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy with nothing beside it, and an environment made as the pages say."""
    place = tmp_path_factory.mktemp("a new machine") / "copy of pwact"
    shutil.copytree(ROOT, place, ignore=shutil.ignore_patterns(*LEFT_OUT))
    done = typed(install_blocks()[0], place)
    assert done.returncode == 0, done.stderr
    return place


@pytest.mark.slow
def test_the_program_runs(checkout: Path, tmp_path: Path) -> None:
    example = tmp_path / "quick start"
    shutil.copytree(ROOT / "examples" / "quickstart_window", example)
    active = f". {shlex.quote(str(checkout))}/.venv/bin/activate\n"
    assert typed(f"{active}pwact --version", example).stdout == f"pwact {__version__}\n"
    checked = typed(f"{active}pwact check init_param.json resource.json", example)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "pwact init_bulk" in checked.stdout
    assert typed(f"{active}command -v lmp", example).returncode == 0
    copied = typed(f"{active}pwact init --example al_qe", tmp_path)
    assert copied.returncode == 0, copied.stderr
    names = {path.name for path in (ROOT / "examples" / "al_qe").iterdir()}
    assert {path.name for path in (tmp_path / "al_qe").iterdir()} == names
    bulk("Cu").write(example / "Cu.cif")
    (example / "new").mkdir()
    words = "init ../Cu.cif --train pod --label emt --scheduler local --temps 300 --target 0.1"
    begun = typed(f"{active}cd new && pwact {words} && pwact check *t_param.json *e.json", example)
    assert begun.returncode == 0, begun.stderr


PREDECESSOR = """
from setuptools import setup
setup(name="pwact", version="0.4.8", packages=["pwact"], scripts=["PWact"])
"""


@pytest.mark.slow
def test_a_predecessor_is_replaced(checkout: Path, tmp_path: Path) -> None:
    """As docs/migration.md says; a program of the same name and version stands in for it."""
    (tmp_path / "setup.py").write_text(PREDECESSOR, encoding="utf-8")
    (tmp_path / "PWact").write_text("#!/usr/bin/env python3\n", encoding="utf-8")
    (tmp_path / "pwact").mkdir()
    (tmp_path / "pwact" / "__init__.py").touch()
    (tmp_path / "pwact" / "old.py").touch()
    modules = next((checkout / ".venv").glob("lib/python*/site-packages")) / "pwact"
    pip = ".venv/bin/python -m pip"
    old = typed(f"{pip} install --use-pep517 '{tmp_path}'; {pip} list", checkout)
    assert re.search(r"^pwact +0\.4\.8$", old.stdout, re.MULTILINE), old.stderr
    assert (modules / "old.py").exists()
    (line,) = [line for line in install_blocks()[0].splitlines() if line.startswith("pip ")]
    new = typed(f". .venv/bin/activate\n{line}\npwact --version", checkout)
    assert new.returncode == 0, new.stderr
    assert new.stdout.endswith(f"pwact {__version__}\n")
    assert not (modules / "old.py").exists()
    assert not (checkout / ".venv/bin/PWact").exists()


@pytest.mark.slow
def test_the_checkout_runs_without_being_installed(checkout: Path, tmp_path: Path) -> None:
    """With the modules of its environment; without them it says which is missing."""
    shutil.copytree(ROOT / "examples" / "quickstart_window", tmp_path, dirs_exist_ok=True)
    words = f"{shlex.quote(str(ROOT))}/bin/pwact check init_param.json resource.json"
    checked = typed(f"{shlex.quote(str(checkout))}/.venv/bin/python {words}", tmp_path)
    assert (checked.returncode, checked.stderr) == (0, "")
    bare = typed(f"python3 -m venv --without-pip bare\nbare/bin/python {words}", tmp_path)
    assert bare.returncode == 1
    assert "pwact: the Python module numpy is not installed for " in bare.stderr
    assert "pip install --use-pep517 '.[demo]'" in bare.stderr
    assert bare.stderr.count("\n") == 1


@pytest.fixture(scope="module")
def unpacked(checkout: Path) -> Path:
    """The source distribution, unpacked, and its wheel in place of what was installed."""
    python = shlex.quote(str(checkout / ".venv/bin/python"))
    commands = [
        f"{python} setup.py --quiet sdist --dist-dir made",
        "tar -C made -xf made/pwact-*.tar.gz",
        f"{python} -m pip wheel --use-pep517 --no-deps -w made made/pwact-*.tar.gz",
        f"{python} -m pip install --no-deps --force-reinstall made/pwact-*.whl",
    ]
    made = typed("\n".join(commands), checkout)
    assert made.returncode == 0, made.stderr
    return checkout / "made" / f"pwact-{__version__}"


@pytest.mark.slow
def test_the_source_distribution_is_whole(checkout: Path, unpacked: Path) -> None:
    """It holds what the copy holds, but for what belongs to git."""
    given = {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*")}
    for part in ("pwact", "bin", "docs", "examples", "tests"):
        files = (path for path in (ROOT / part).rglob("*") if path.is_file())
        names = {path.relative_to(ROOT).as_posix() for path in files}
        assert {name for name in names - given if "__pycache__" not in name} == set()
    assert {"LICENSE", "README.md", "CITATION.cff", ".pytest.ini", "setup.py"} <= given
    assert [name for name in given if name.startswith((".venv", "made", ".git/"))] == []


METADATA = """
import importlib.metadata as m, json
meta = m.metadata("pwact")
print(json.dumps([list(item) for item in meta.items()]))
"""


@pytest.mark.slow
def test_its_wheel_runs_and_says_what_it_is(checkout: Path, unpacked: Path) -> None:
    said = typed(". ../../.venv/bin/activate\ncd /\npwact --version", unpacked)
    assert said.stdout == f"pwact {__version__}\n", said.stderr
    modules = next((checkout / ".venv").glob("lib/python*/site-packages")) / "pwact"
    assert (modules / "py.typed").is_file()
    python = shlex.quote(str(checkout / ".venv/bin/python"))
    shown = typed(f"cd /\n{python} -c {shlex.quote(METADATA)}", checkout)
    items = json.loads(shown.stdout)
    fields = {name: [value for key, value in items if key == name] for name, _ in items}
    assert fields["Requires-Python"] == [">=3.9"]
    assert "GPL-3.0-or-later" in str(fields.get("License-Expression") or fields["License"])
    assert {"Keywords", "Summary", "Description", "Description-Content-Type"} <= set(fields)
    assert "Typing :: Typed" in fields["Classifier"]
    needed = [words for words in fields["Requires-Dist"] if "extra" not in words]
    assert [words for words in needed if ">=" not in words] == []
    assert {re.split("[>=]", words)[0] for words in needed} == {
        "ase", "matplotlib", "numpy", "pandas", "pwdata", "tqdm"
    }  # fmt: skip


def test_the_citation_is_of_this_version() -> None:
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {__version__}\n" in text
    assert "\nlicense: GPL-3.0-or-later\n" in text
