"""What is added takes one new file and one line of a registry: tried on a copy of the package.

A step, an uncertainty, a data format, a scheduler, a labeler, a trainer with keys of its own and an
explorer are put into a copy, each as its page in docs/contributing.md says; then one campaign
uses all of them, by the commands of a user.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import pwact
from pwact.io.journal import Journal
from tests.workflow.force_size import ForceSize
from tests.workflow.toys import RUN

REPOSITORY = Path(__file__).parents[1]
_ENGINES = "pwact/engines/toy.py"


def _begin(table: str) -> str:
    """Where the lines of a registry begin, as a pattern."""
    return rf"(?m)^{table}: Registry\[\w+\] = Registry\(\n    {{\n"


@dataclass(frozen=True)
class Addition:
    """A new file, and a line that is put into a registry at a place."""

    source: str
    target: str
    registry: str
    place: str
    line: str


ADDITIONS = {
    "step": Addition(
        "tests/workflow/dedup.py",
        "pwact/workflow/stages/dedup.py",
        "pwact/workflow/steps.py",
        r"(?=    Step\(\n        layout\.DIRECT,\n)",
        '    Step("toy-dedup", "pwact.workflow.stages.dedup:DedupStep", LABEL, '
        "(FRAMES, CANDIDATES), (CANDIDATES,), entry=True, by_system=False, "
        'folder=(layout.EXPLORE, "toy-dedup")),\n',
    ),
    "uncertainty": Addition(
        "tests/workflow/force_size.py",
        "pwact/uncertainties/force_size.py",
        "pwact/registry/uncertainties.py",
        _begin("UNCERTAINTIES"),
        '        "force-size": Judges("pwact.uncertainties.force_size:ForceSize", single=True),\n',
    ),
    "format": Addition(
        "tests/tools/toy_formats.py",
        "pwact/formats/toy.py",
        "pwact/registry/formats.py",
        _begin("FORMATS"),
        '        "toy/file": DataFormat("pwact.formats.toy:ToyFile", writes=True, '
        'ending=".toy.json", campaign=True),\n',
    ),
    "scheduler": Addition(
        "tests/added/scheduler.py",
        "pwact/executors/own.py",
        "pwact/registry/schedulers.py",
        _begin("EXECUTORS"),
        '        "own": Scheduler("pwact.executors.own:OwnExecutor", directive="#OWN"),\n',
    ),
    "labeler": Addition(
        "tests/added/engines.py",
        _ENGINES,
        "pwact/registry/engines.py",
        _begin("LABELERS"),
        '        "toy": Labels("pwact.engines.toy:ToyLabeler"),\n',
    ),
    "trainer": Addition(
        "tests/added/engines.py",
        _ENGINES,
        "pwact/registry/engines.py",
        _begin("TRAINERS"),
        '        "toy": Trains("pwact.engines.toy:ToyTrainer", explored_by="toy", '
        'keys="pwact.engines.toy:KEYS"),\n',
    ),
    "explorer": Addition(
        "tests/added/engines.py",
        _ENGINES,
        "pwact/registry/engines.py",
        _begin("EXPLORERS"),
        '        "toy": Explores("pwact.engines.toy:ToyExplorer", '
        'asks="pwact.engines.toy:asked"),\n',
    ),
}


def put(root: Path, one: Addition) -> None:
    """A new file and a line."""
    shutil.copy(REPOSITORY / one.source, root / one.target)
    path = root / one.registry
    text, count = re.subn(
        one.place, lambda place: place.group() + one.line, path.read_text(encoding="utf-8")
    )
    assert count == 1
    path.write_text(text, encoding="utf-8")


def programs(folder: Path) -> None:
    folder.mkdir()
    for name in (*RUN, "toy-size"):
        program = folder / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tests.added.program {name}\n')
        program.chmod(0o755)


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a user has worked with a package to which all of them were added."""
    root = tmp_path_factory.mktemp("a copy")
    shutil.copytree(Path(pwact.__file__).parent, root / "pwact")
    for one in ADDITIONS.values():
        put(root, one)
    programs(root / "bin")
    work_dir = root / "work"
    work_dir.mkdir()
    paths = {"PYTHONPATH": f"{root}{os.pathsep}{REPOSITORY}", "MPLBACKEND": "Agg"}
    found = {**paths, "PATH": f"{root / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    words = [sys.executable, "-m", "tests.added.campaign"]
    env = {**os.environ, **found}
    done = subprocess.run(words, check=False, cwd=work_dir, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    ends = json.loads((work_dir / "ends.json").read_text())
    assert set(ends.values()) == {0}, (ends, done.stderr)
    return work_dir


def said(used: Path, command: str) -> str:
    return (used / f"{command}.out").read_text(encoding="utf-8")


def test_help_and_check_know_what_was_added(used: Path) -> None:
    assert "toy/file" in said(used, "help")
    assert "are valid input of pwact run" in said(used, "check")


def test_a_campaign_uses_what_was_added(used: Path) -> None:
    events = Journal(used / ".pwact/journal.jsonl").events()
    done = [event["name"] for event in events if event["event"] == "stage_done"]
    steps = ("train", "explore", "kpu", "select", "toy-dedup", "label")
    assert done[:6] == [f"iter.0000/{step}" for step in steps]
    assert (used / "iter.0000/02.label/result/train.toy.json").is_file()
    headers = [path.read_text() for path in used.rglob("*.job")]
    assert headers
    assert all("#OWN -cpus 1" in text for text in headers)
    assert json.loads((used / "iter.0000/00.train/train.000/model").read_text())["frames"] == [3]


def test_tools_know_what_was_added(used: Path) -> None:
    assert ForceSize.measure.words in said(used, "filter")
    pictures = [path.read_text() for path in (used / "drawn").rglob("*by_step.svg")]
    assert any("largest force (eV/Å)" in text for text in pictures)
    assert list((used / "drawn").rglob("*by_temperature.svg"))
    assert "toy-dedup" in said(used, "status")
    made = {path.name for path in (used / "final_pwdata").rglob("*.toy.json")}
    assert made == {"train.toy.json", "valid.toy.json"}
    assert list((used / "made").rglob("*.npy"))
    with (used / "iter.0000/01.explore/toy-dedup/candidate.csv").open() as stream:
        assert len(list(csv.DictReader(stream))) == 1


def test_pages_that_are_made_know_what_was_added(used: Path, tmp_path: Path) -> None:
    """In both languages, with no words but those of the new key."""
    shutil.copytree(REPOSITORY / "docs", tmp_path / "docs")
    words = tmp_path / "docs/zh/parameters.json"
    known = json.loads(words.read_text(encoding="utf-8"))
    words.write_text(json.dumps({**known, "How long it waits.": "等多久。"}), encoding="utf-8")
    env = {**os.environ, "PYTHONPATH": f"{used.parent}{os.pathsep}{REPOSITORY}"}
    for maker in ("pwact.config.manual", "pwact.registry.formats_page"):
        made = subprocess.run(
            [sys.executable, "-m", maker], check=False, cwd=tmp_path, env=env, capture_output=True
        )
        assert (made.returncode, made.stderr) == (0, b""), maker
    for page in ("parameters.md", "zh/parameters.md", "schema/resource.json", "formats.md"):
        text = (tmp_path / "docs" / page).read_text(encoding="utf-8")
        assert ("toy/file" if page == "formats.md" else "#OWN") in text, page
