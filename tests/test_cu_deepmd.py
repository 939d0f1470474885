"""The example with DeePMD-kit, for real: train, freeze, compress, explore, label, train again."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.aims import aim, check_target, rows
from tests.commands import pwact
from tests.force_fields import facts, try_elsewhere
from tests.requirements import need_deepmd

SELECTED = "iter.0000/01.explore/select"
MEMBERS = [f"train.{number:03d}" for number in range(3)]


def events(work_dir: Path) -> list[dict[str, Any]]:
    lines = (work_dir / ".pwact" / "journal.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.slow
@pytest.mark.deepmd
@pytest.mark.timeout(900)
def test_the_loop_closes(copper: tuple[Path, str]) -> None:
    """Two iterations of compressed models, each begun from its own of before, and good labels."""
    work_dir, shown = copper
    first, last = work_dir / "iter.0000", work_dir / "iter.0001"
    for iteration, member in ((folder, name) for folder in (first, last) for name in MEMBERS):
        folder = iteration / "00.train" / member
        assert (
            json.loads((folder / "input.json").read_text())["model"]["descriptor"]["type"]
            == "se_e2_a"
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
    assert str(last / "00.train" / MEMBERS[-1]) in shown


@pytest.mark.slow
@pytest.mark.deepmd
@pytest.mark.timeout(900)
def test_the_force_field_runs_elsewhere(copper: tuple[Path, str], tmp_path: Path) -> None:
    """In LAMMPS by the plugin, in ASE by DeePMD-kit's own calculator; nothing is trained again."""
    folder = copper[0] / "final"
    try_elsewhere(folder, tmp_path, str(Path(need_deepmd()).with_name("lmp")))
    assert list(facts(folder)["files"]) == ["graph.pb"]
    assert facts(folder)["trained_in"] == "iter.0001/00.train/train.000"
    assert not (copper[0] / "iter.0001/03.final/train").exists()


def give_target(work_dir: Path) -> None:
    """Give the run in a copy of the example a target, for one iteration of plain models."""
    aim(work_dir, 0.3, slice(0, 1), compress=False, max_iterations=1, max_select=3)


def check_given_target(work_dir: Path, shown: str) -> None:
    """LAMMPS gives the deviation of every atom, and evaluates the training data as well."""
    assert "target of 0.3 eV/Å NOT reached in condition 0" in shown
    check_target(work_dir, ["iter.0000"])
    (devi,) = work_dir.glob("iter.0000/01.explore/md/*/*/model_devi.out")
    numbers = np.loadtxt(devi)
    of_atoms = numbers[:, 7:]
    rms = dict(zip(numbers[:, 0].astype(int), np.sqrt((of_atoms**2).mean(axis=1))))
    for row in rows(work_dir / SELECTED / "candidate.csv"):
        u = rms[int(row["config_index"])]
        assert float(row["uncertainty_scaled"]) == pytest.approx(u, rel=1e-5)


@pytest.mark.slow
@pytest.mark.deepmd
@pytest.mark.timeout(900)
def test_a_second_start_finds_nothing_to_do(copper: tuple[Path, str]) -> None:
    work_dir, shown = copper
    before = events(work_dir)
    assert pwact(work_dir, "run", "run_param.json", "resource.json") == shown
    done = [event["event"] for event in events(work_dir)[len(before) :]]
    assert not [event for event in done if event.startswith(("job", "stage"))]
    asked = [event for event in events(work_dir) if event["event"] == "job_asked"]
    kinds = [event["kind"] for event in asked if event["directory"].startswith("iter.")]
    jobs = {word: kinds.count(word) for word in kinds}
    # the checks are those of the folder final, and its errors on valid_data
    assert jobs == {"train": 6, "md": 1, "scf": 1, "check": 2}
