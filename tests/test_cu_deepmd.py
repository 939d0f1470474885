"""The example with DeePMD-kit, for real: train, freeze, compress, explore, label, train again."""

from __future__ import annotations

import csv
import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.requirements import need_deepmd

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "cu_deepmd"
MEMBERS = [f"train.{number:03d}" for number in range(3)]


def pwact(work_dir: Path, *words: str) -> str:
    """Run one command to its end; returns what it printed."""
    command = [sys.executable, str(ROOT / "bin" / "pwact"), *words]
    ended = subprocess.run(command, cwd=work_dir, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return ended.stdout


def journal(work_dir: Path) -> list[str]:
    lines = (work_dir / ".pwact" / "journal.jsonl").read_text().splitlines()
    return [json.loads(line)["event"] for line in lines]


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example whose init_bulk is done."""
    need_deepmd()
    work_dir = tmp_path_factory.mktemp("a folder of copper") / "cu deepmd"
    shutil.copytree(EXAMPLE, work_dir)
    pwact(work_dir, "init_bulk", "init_param.json", "resource.json")
    return work_dir


@pytest.fixture(scope="module", params=["plain", "type embedding"])
def finished(begun: Path, request: pytest.FixtureRequest) -> tuple[Path, str]:
    """A finished run, and what it printed."""
    work_dir = begun.parent / request.param
    shutil.copytree(begun, work_dir, symlinks=True)
    file = work_dir / "run_param.json"
    param = json.loads(file.read_text())
    param["train"]["type_embedding"] = request.param != "plain"
    file.write_text(json.dumps(param))
    return work_dir, pwact(work_dir, "run", "run_param.json", "resource.json")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.slow
@pytest.mark.deepmd
@pytest.mark.timeout(600)
def test_the_loop_closes(finished: tuple[Path, str]) -> None:
    work_dir, shown = finished
    first, last = work_dir / "iter.0000", work_dir / "iter.0001"
    kind = "se_e2_a" if work_dir.name == "plain" else "se_atten"
    for iteration, member in ((folder, name) for folder in (first, last) for name in MEMBERS):
        folder = iteration / "00.train" / member
        assert (
            json.loads((folder / "input.json").read_text())["model"]["descriptor"]["type"] == kind
        )
        small, whole = folder / "compressed.pb", folder / "graph.pb"
        assert small.stat().st_size > 2 * whole.stat().st_size  # it holds the tables
    for member in MEMBERS:
        start = last / "00.train" / member / "start.pb"
        assert start.resolve() == (first / "00.train" / member / "graph.pb").resolve()
    (md,) = (first / "01.explore" / "md").glob("*/*/in.lammps")
    assert "\npair_style deepmd 0_graph.pb 1_graph.pb 2_graph.pb" in md.read_text()
    assert (md.parent / "2_graph.pb").resolve().name == "compressed.pb"
    labelled = rows(first / "02.label" / "result" / "label_error.csv")
    assert 1 <= len(labelled) <= 3
    assert len((first / "02.label" / "result" / "train.xyz").read_text().split("Lattice")) == (
        len(labelled) + 1
    )
    numbers = [float(row[name]) for row in labelled for name in ("rmse_force", "max_force")]
    for iteration in (first, last):
        errors = rows(iteration / "00.train" / "valid_error.csv")
        assert [row["model"] for row in errors] == MEMBERS
        numbers += [float(row["rmse_force"]) for row in errors]
    assert all(math.isfinite(number) and 0 < number < 5 for number in numbers)
    assert "iter.0000" in shown
    assert str(last / "00.train" / MEMBERS[2]) in shown


@pytest.mark.slow
@pytest.mark.deepmd
@pytest.mark.timeout(600)
def test_a_second_start_finds_nothing_to_do(finished: tuple[Path, str]) -> None:
    work_dir, shown = finished
    before = journal(work_dir)
    assert pwact(work_dir, "run", "run_param.json", "resource.json") == shown
    done = journal(work_dir)[len(before) :]
    assert not [event for event in done if event.startswith(("job", "stage"))]
    # six trainings, the MD and the labels, besides the jobs of init_bulk
    jobs = before.count("job_submitted") - journal(work_dir.parent / "cu deepmd").count(
        "job_submitted"
    )
    assert jobs == 8
