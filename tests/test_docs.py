"""What the documents say is true where a machine can tell."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from pwact import __version__
from pwact.cli.main import COMMANDS, _parser, main
from pwact.formats.frames import write_frames
from pwact.formats.labels import set_labels
from tests import pages
from tests.engines.qe_inputs import head_only
from tests.stubs.potcars import write_dummy_potcar
from tests.stubs.pwmat import write_pseudo, write_skf

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
EXAMPLES = sorted((ROOT / "examples").glob("*"))
INPUTS = sorted(
    path for path in (ROOT / "examples").glob("*/*_param.json") if "valid" not in path.name
)
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
# Places of one machine, and words about how the work is organised.
FOREIGN = re.compile(r"(/work/|/root/|/tmp/|/home/|\bissue ?#?\d+|\bsession\b)", re.IGNORECASE)


def page_name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_links_lead_somewhere(page: Path) -> None:
    links = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_pages_are_about_pwact_only(page: Path) -> None:
    assert FOREIGN.findall(page.read_text(encoding="utf-8")) == []


def test_every_page_is_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    ahead = {ROOT / "README.md"}
    while ahead:
        page = ahead.pop()
        reached.add(page)
        links = LINK.findall(page.read_text(encoding="utf-8"))
        found = {(page.parent / link).resolve() for link in links if link.endswith(".md")}
        ahead |= found - reached
    assert set(PAGES) <= reached


def test_every_page_has_its_place_in_the_site() -> None:
    text = (ROOT / ".mkdocs.yml").read_text(encoding="utf-8")
    placed = re.findall(r"^      - (\S+\.md)$", text, re.MULTILINE)
    data = ROOT / "tests" / "data" / "README.md"
    shown = {*PAGES, *(ROOT / "examples").glob("*/README.md"), data}
    assert sorted(placed) == sorted(page_name(page) for page in shown)


BLOCKS = [block for page in pages.PAGES for block in pages.commands_of(page)]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.place)
def test_every_command_has_somebody_who_runs_it(block: pages.Commands) -> None:
    kind, _, words = block.mark.partition(" ")
    if block.mark.startswith("run by "):
        tests = re.findall(r"tests/\S+?\.py", words)
        assert tests or "continuous integration" in words
        assert [name for name in tests if not (ROOT / name).is_file()] == []
    elif block.mark.startswith("not run: "):
        assert re.match(r"run: needs .+", words)
        assert all((ROOT / name).is_file() for name in re.findall(r"tests/\S+?\.py", words))
    elif block.mark == "form":
        name = block.text.split()[1]
        asked = set(re.findall(r"--[a-z_]+", block.text))
        assert asked <= set(re.findall(r"--[a-z_]+", help_of(name)))
    else:
        assert kind in ("run", "output"), f"{block.place}: who runs this? see tests/pages.py"


def help_of(name: str) -> str:
    """What ``pwact NAME -h`` shows."""
    text: str = _parser(name, COMMANDS[name]).format_help()
    return text


def test_the_pages_name_every_command_and_the_version() -> None:
    running = (ROOT / "docs" / "running.md").read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f"pwact {name}" not in running] == []
    assert f"\n## {__version__}\n" in (ROOT / "docs" / "changelog.md").read_text(encoding="utf-8")


def test_every_module_is_in_the_design() -> None:
    design = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    modules = (path for path in (ROOT / "pwact").rglob("*.py") if not path.stem.startswith("__"))
    assert sorted(path.name for path in modules if path.name not in design) == []


def copied(example: Path, target: Path) -> Path:
    """A copy of an example that has the data which an earlier command would have made."""
    shutil.copytree(example, target)
    (target / "pseudo").mkdir(exist_ok=True)
    resource = target / "resource.json"
    if example.name == "gpaw_al":  # of another Python
        resource.write_text(resource.read_text().replace("/usr/bin/python3", "python"))
    if not (target / "run_param.json").exists():
        return target
    param = json.loads((target / "run_param.json").read_text(encoding="utf-8"))
    symbols = param["train"]["atom_type"]
    frame = Atoms(symbols, [(3.0 * place, 0.0, 0.0) for place in range(len(symbols))])
    frame.set_cell([9.0, 9.0, 9.0])
    frame.set_pbc(True)
    for name in (*param["init_data"], *param.get("valid_data", ())):
        frame.positions += 0.1
        set_labels(frame, 0.0, np.full((len(frame), 3), 0.001))
        if not (target / name).exists():
            (target / name).parent.mkdir(parents=True)
            write_frames(target / name, [frame], "extxyz")
    for name in param["DFT"].get("pseudo", ()):
        if name.startswith("POTCAR."):  # users have them, and may not give them away
            assert not (target / name).exists()
            write_dummy_potcar(target / name, name.partition(".")[2])
        if name.endswith(".UPF"):
            assert not (target / name).exists()
            write_pseudo(target, name.partition(".")[0], name)
    if "in_skf" in param["DFT"]:
        write_skf(target / param["DFT"]["in_skf"], symbols)
    if param["DFT"]["dft_style"] == "qe":
        for symbol in symbols:
            head_only(target / "pseudo", symbol).rename(target / "pseudo" / f"{symbol}.pz-vbc.UPF")
    if param["DFT"]["dft_style"] == "dftb+":
        write_skf(target / "skf", symbols)
    if (target / "foundation.py").exists():  # the script makes it
        (target / "foundation.model").write_text("weights")
    return target


# explore small cells, to be quick
NARROW = {
    *("al_qe", "cu_deepmd", "cu_deepmd_kpu", "foundation_si", "gpaw_al", "pwmat_agau"),
    *("pwmat_agau_dftb", "quickstart", "quickstart_kpu", "quickstart_window", "torchnep_agau"),
    "vasp_agau",
}


LIBRARIES = {  # that read the models with which trainings of examples begin
    "mace": "",
    "torch": "class Model:\n    atomic_numbers = [28, 29, 47]\n\n\n"
    "def load(*path, **how):\n    return Model()\n",
    "sevenn/util": "class Checkpoint:\n    config = {'chemical_species': ['Ag', 'Au']}\n\n\n"
    "def load_checkpoint(name):\n    return Checkpoint()\n",
}
GPAW = """
class GPAW:
    def __init__(self, *, mode, xc, kpts, occupations, convergence, txt):
        assert sorted(mode) == ["ecut", "name"]
"""


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_examples_are_sound(
    path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    place, kind = copied(path.parent, tmp_path / "example"), path.name.partition("_")[0]
    monkeypatch.chdir(place)
    modules = tmp_path / "modules"
    modules.mkdir()
    for name, text in {"gpaw": GPAW, **LIBRARIES}.items():
        file = modules / f"{name}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    monkeypatch.syspath_prepend(modules)
    monkeypatch.setenv("PYTHONPATH", str(modules), prepend=os.pathsep)
    programs = tmp_path / "programs"  # check looks for those that run on this machine
    programs.mkdir()
    real = f'exec {shlex.quote(sys.executable)} "$@"\n'
    for name in ("lmp", "dp", "cp2k.psmp", "pw.x", "dftb+", "python"):
        (programs / name).write_text(f"#!/bin/sh\n{real if name == 'python' else ''}")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    before = sorted(path.name for path in place.rglob("*"))
    own = f"{kind}_resource.json"  # where a block of both commands names different programs
    resource = own if (place / own).exists() else "resource.json"
    words = ["check", f"{kind}_param.json", resource]
    strict = main([*words, "--strict"])
    if kind == "run" and path.parent.name in NARROW:  # it is looked at last
        shown = capsys.readouterr()
        assert (strict, shown.err.count("\n")) == (2, 1)
        assert "less than twice the cutoff of the models" in shown.err
        strict = main(words)
    shown = capsys.readouterr()
    assert (strict, shown.err) == (0, "")
    assert f"input of pwact {kind}" in shown.out
    assert sorted(path.name for path in place.rglob("*")) == before


def test_there_are_examples() -> None:
    assert {"quickstart", "cu_deepmd", "si_cp2k", "al_qe", "pwmat_si_dftb"} <= {
        path.name for path in EXAMPLES
    }
