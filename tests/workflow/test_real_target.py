"""A real campaign with a target: POD committee, LAMMPS, EMT labels, checked by physics."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT

from pwact.formats.lammps_dump import DumpTrajectory
from tests.requirements import need_program
from tests.workflow import small_campaign

pytestmark = pytest.mark.slow

TARGET = 0.004
JOB = {
    **small_campaign.PARAM["explore"]["md_jobs"][0],
    **{"sys_idx": [0], "select_sys": [8], "nsteps": 240, "trj_freq": 6},
}


@pytest.fixture(scope="module")
def work_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two conditions, at most two iterations each; everything is kept."""
    need_program("lmp")
    place = tmp_path_factory.mktemp("real") / "a target"
    small_campaign.write_inputs(place)
    param = json.loads((place / "param.json").read_text())
    param.update(reserve_md_traj=True, reserve_work=True)
    strategy = {"model_num": 3, "target_force_error": TARGET, "max_iterations": 2}
    param["strategy"] = strategy
    del param["final"]
    param["explore"]["md_jobs"] = [{**JOB, "temps": [300]}, {**JOB, "temps": [1800]}]
    (place / "param.json").write_text(json.dumps(param))
    small_campaign.run(place)
    return place


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def iterations(work_dir: Path) -> list[Path]:
    found = sorted(path.parents[2] for path in work_dir.glob("iter.*/01.explore/select/limits.csv"))
    assert len(found) >= 3  # a condition is reached in two at the earliest
    return found


def wrong_by(frame: Atoms) -> np.ndarray:
    """Difference of the forces of a frame to those of the labeler, shape (N, 3)."""
    predicted = frame.arrays["forces"].copy()
    frame.calc = EMT()
    difference: np.ndarray = predicted - frame.get_forces()
    return difference


def error_of(work_dir: Path, row: dict[str, str]) -> float:
    dump = DumpTrajectory(work_dir / row["file_path"] / "traj.lammpstrj", ["Cu"])
    return float(np.sqrt(np.mean(wrong_by(dump.frame(int(row["config_index"]))) ** 2)))


def test_sigma_is_the_error_on_the_training_data(work_dir: Path) -> None:
    seen = []
    for place in iterations(work_dir):
        (limits,) = rows(place / "01.explore/select/limits.csv")
        parts = []
        for path in sorted(place.glob("01.explore/appraise/md/set.*/*/traj.lammpstrj")):
            dump = DumpTrajectory(path, ["Cu"])
            parts += [wrong_by(dump.frame(step)).ravel() for step in dump.steps().tolist()]
        table = rows(place / "01.explore/appraise/training.csv")
        assert len(table) == len(parts)
        assert float(limits["sigma"]) == pytest.approx(
            np.sqrt(np.mean(np.concatenate(parts) ** 2)), rel=1e-4
        )
        seen.append(limits["sigma"])
    assert len(set(seen)) == len(seen)  # each has models of its own
    assert len(rows(iterations(work_dir)[0] / "01.explore/appraise/training.csv")) == 8


def test_the_first_member_and_force_field_is_fitted_to_every_frame_once(work_dir: Path) -> None:
    """The others are fitted to draws: some frames twice, others never."""
    last = sorted(work_dir.glob("iter.*/00.train"))[-1]

    def fitted(member: int) -> list[str]:
        lines = (last / f"train.{member:03d}/train/frames.xyz").read_text().splitlines()
        return [one.partition(" energy=")[2].split()[0] for one in lines if "energy=" in one]

    assert len(set(fitted(0))) == len(fitted(0)) > 8
    for other in (1, 2):
        assert len(fitted(other)) == len(fitted(0))
        assert set(fitted(other)) < set(fitted(0))
    name = "pod_coefficients.pod"
    assert (work_dir / "final" / name).read_bytes() == (last / "train.000" / name).read_bytes()
    assert not list(work_dir.glob("iter.*/03.final/train"))


def test_pairs_are_true(work_dir: Path) -> None:
    last = iterations(work_dir)[-1]
    table = rows(last / "01.explore/select/calibration.csv")
    assert {row["kind"] for row in table} == {"chosen", "control"}
    for row in table:
        assert float(row["rmse_force"]) == pytest.approx(error_of(work_dir, row), rel=1e-3)
        own = work_dir / f"iter.{int(row['iteration']):04d}/01.explore/select/limits.csv"
        (limits,) = rows(own)
        assert row["sigma"] == limits["sigma"]
        assert row["condition"] == limits["condition"]
        assert row["file_path"].startswith(f"iter.{int(row['iteration']):04d}/")


def test_most_accepted_frames_of_all_conditions_are_below_the_target(work_dir: Path) -> None:
    errors = [
        error_of(work_dir, row)
        for place in iterations(work_dir)[1:]
        for row in rows(place / "01.explore/select/accurate.csv")
    ]
    assert len(errors) >= 10
    assert np.mean(np.array(errors) < TARGET) >= 0.85


def test_controls_are_among_the_labels(work_dir: Path) -> None:
    for place in iterations(work_dir):
        table = rows(place / "01.explore/select/candidate.csv")
        assert [row["kind"] for row in table].count("control") >= 2  # more while labels are few
        (limits,) = rows(place / "01.explore/select/limits.csv")
        assert int(limits["labelled"]) == len(table) <= 8
