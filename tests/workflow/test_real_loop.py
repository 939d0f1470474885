"""A small loop for real: POD committee, LAMMPS, EMT labels, checked by physics."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from ase.calculators.emt import EMT

from pwact.formats.frames import read_frames
from pwact.formats.labels import labels_of
from pwact.formats.lammps_dump import DumpTrajectory
from pwact.workflow.active_learning import RunResult
from tests.requirements import need_program
from tests.workflow import small_campaign

LABELS = "iter.0000/02.label/result"


def finished(work_dir: Path, seed: int) -> RunResult:
    """A finished campaign whose dumps are kept, with validation data."""
    need_program("lmp")
    small_campaign.write_inputs(work_dir, seed)
    param = json.loads((work_dir / "param.json").read_text())
    param.update(reserve_md_traj=True, valid_data=["init.xyz"])
    (work_dir / "param.json").write_text(json.dumps(param))
    return small_campaign.run(work_dir)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    return finished(tmp_path_factory.mktemp("real") / "first run", seed=1)


def rows(work_dir: Path) -> list[dict[str, str]]:
    with (work_dir / LABELS / "label_error.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_labels_are_what_the_calculator_says(first: RunResult) -> None:
    frames = read_frames(first.data_sets[0], "extxyz")
    assert len(frames) == 4
    for frame in frames:
        labels, again = labels_of(frame), frame.copy()
        again.calc = EMT()
        assert labels.energy == pytest.approx(again.get_potential_energy(), abs=1e-5)
        assert np.allclose(labels.forces, again.get_forces(), atol=1e-5)


def test_label_errors_are_those_of_the_forces_that_drove_the_md(first: RunResult) -> None:
    for row in rows(first.work_dir):
        dump = DumpTrajectory(first.work_dir / row["file_path"] / "traj.lammpstrj", ["Cu"])
        frame = dump.frame(int(row["config_index"]))
        predicted = frame.arrays["forces"].copy()
        frame.calc = EMT()
        difference = predicted - frame.get_forces()
        assert float(row["rmse_force"]) == pytest.approx(np.sqrt(np.mean(difference**2)), rel=1e-3)
        longest = np.linalg.norm(difference, axis=1).max()
        assert float(row["max_force"]) == pytest.approx(longest, rel=1e-3)
        assert 1e-6 <= float(row["devi_force"]) < 50.0


def test_the_models_learn_from_what_was_labelled(first: RunResult) -> None:
    before, after = first.rows
    assert (before.label.labelled, before.label.failed) == (4, 0)
    assert before.train.valid_rmse_f < 0.05
    assert after.train.valid_rmse_f < 0.05
    assert after.train.valid_rmse_f != before.train.valid_rmse_f
    lines = (first.work_dir / "iter.0001/00.train/valid_error.csv").read_text().splitlines()
    assert len(lines) == 1 + 3
    assert before.wall_s > 0


def test_the_same_seed_gives_the_same_bytes_wherever_it_runs(
    first: RunResult, tmp_path: Path
) -> None:
    odd = tmp_path / "it's $HOME; echo \n ü"
    finished(odd, seed=1)
    assert small_campaign.results(odd) == small_campaign.results(first.work_dir)
