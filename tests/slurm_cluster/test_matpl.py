"""MatPL's models through the whole loop on a real SLURM, with stand-ins for MatPL alone.

What must be as specified is compared with ``golden/matpl-*.txt``; after a change on purpose, run
with ``PWACT_WRITE_GOLDEN=1`` and look at the difference.
"""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest

from pwact.formats.frames import read_frames
from pwact.formats.lammps_dump import DumpTrajectory
from pwact.formats.model_devi import read_model_devi
from tests.requirements import need_program
from tests.slurm_cluster.cluster import Cluster
from tests.stubs.pair_model import load
from tests.workflow import matpl_campaign

GOLDEN = Path(__file__).parent / "golden"
SLURM = {"scheduler": "slurm", "queue_name": "cpu", "poll_interval": 0.3}


@pytest.mark.slow
@pytest.mark.spread
@pytest.mark.parametrize("case", matpl_campaign.CASES)
def test_the_loop_closes(case: str, cluster: Cluster, tmp_path: Path) -> None:
    need_program("lmp")
    work_dir = tmp_path / "a work dir"
    matpl_campaign.write_inputs(work_dir, case, SLURM)
    result = matpl_campaign.run(work_dir)
    assert [row.label.labelled for row in result.rows if row.label] == [4]
    assert len(read_frames(work_dir / "iter.0000/02.label/result/train.xyz", "extxyz")) == 4
    journal = (work_dir / ".pwact/journal.jsonl").read_text()
    assert journal.count('"COMPLETED"') >= 6
    compare_with_golden(work_dir, case)
    check_members(result.models)
    check_deviations(work_dir)
    check_valid_error(work_dir)


@pytest.mark.slow
@pytest.mark.spread
def test_the_loop_closes_by_the_kalman_filter_of_one_model(
    cluster: Cluster, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    need_program("lmp")
    work_dir = tmp_path / "a work dir"
    matpl_campaign.write_inputs(work_dir, matpl_campaign.KPU, SLURM)
    with caplog.at_level("INFO"):
        result = matpl_campaign.run(work_dir)
    assert [row.label.labelled for row in result.rows if row.label] == [4]
    assert [path.name for path in result.models] == ["train.000"]
    compare_with_golden(work_dir, matpl_campaign.KPU)
    for system in ("md.000.sys.000", "md.000.sys.001"):
        check_limits(work_dir, system, caplog.text)
    check_kpu(work_dir / "iter.0000/01.explore")
    journal = (work_dir / ".pwact/journal.jsonl").read_text()
    matpl_campaign.run(work_dir)  # nothing is done twice
    assert (work_dir / ".pwact/journal.jsonl").read_text().count("job_asked") == journal.count(
        "job_asked"
    )


def compare_with_golden(work_dir: Path, case: str) -> None:
    found = matpl_campaign.portrait(work_dir)
    golden = GOLDEN / f"matpl-{case}.txt"
    if os.environ.get("PWACT_WRITE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(found)
    assert found == golden.read_text()


def check_limits(work_dir: Path, system: str, log: str) -> None:
    """Base, limits and classes of a system, reckoned from the files anew."""
    explore = work_dir / "iter.0000/01.explore"
    tables = [np.loadtxt(path) for path in sorted((explore / "kpu" / system).glob("*/kpu_*.out"))]
    assert [table.shape for table in tables] == [(11, 5)] * 2
    base = np.concatenate([table[:5, 2] for table in tables]).mean()
    lower, upper = base, 9 * base
    story = f"{system}: base {base:.6g}, lower limit {lower:.6g}, upper limit {upper:.6g}"
    assert story in (explore / "select/select_summary.txt").read_text().splitlines()
    assert story in log
    values = np.concatenate([table[:, 2] for table in tables])
    expected = {
        "accurate": values[values < lower],
        "candidate": values[(values >= lower) & (values < upper)],
        "fail": values[values >= upper],
    }
    for name, wanted in expected.items():
        rows = list(csv.DictReader((explore / f"select/{name}.csv").open(newline="")))
        if name == "candidate":
            rows += csv.DictReader((explore / "select/candidate_delete.csv").open(newline=""))
        found = [float(row["devi_force"]) for row in rows if system in row["file_path"]]
        assert sorted(found) == sorted(wanted.tolist())
        assert found


def check_kpu(explore: Path) -> None:
    """The rows belong to the frames of the dump, by an independent computation."""
    place = "md.000.sys.001/md.000.sys.001.t.001"
    dump = DumpTrajectory(explore / "md" / place / "traj.lammpstrj", ["Cu"])
    model = load(explore / "kpu" / place / "dp_model.ckpt")
    rows = np.loadtxt(explore / "kpu" / place / "kpu_model_devi.out")
    assert rows[:, 0].tolist() == dump.steps().tolist() == list(range(0, 31, 3))
    forces = model.atomic(dump.frame(30))[1][:4]
    assert rows[-1, 2] == pytest.approx((1000 * (forces / model.epsilon) ** 2).mean(), abs=0.01)
    assert not (explore / "md" / place / "model_devi.out").exists()


def check_members(models: list[Path]) -> None:
    """Every member went on from its own model of the iteration before."""
    histories = []
    for directory in models:
        (checkpoint,) = (directory / "model_record").glob("[dn][pe]*_model.ckpt")
        histories.append(load(checkpoint).history)
        asked = json.loads((directory / "train.json").read_text())
        start = "nep_txt_file" if asked["model_type"] == "NEP" else "model_load_file"
        assert directory.name in asked[start]
        assert histories[-1][-1] == asked["seed"]
    assert [len(history) for history in histories] == [2, 2, 2]
    assert len({history[0] for history in histories}) == 3


def check_deviations(work_dir: Path) -> None:
    """``model_devi.out`` belongs to the frames of the dump, by an independent computation."""
    trajectory = work_dir / "iter.0000/01.explore/md/md.000.sys.000/md.000.sys.000.t.001"
    models = [load(path) for path in sorted(trajectory.glob("[0-9]_*"))]
    dump = DumpTrajectory(trajectory / "traj.lammpstrj", ["Cu"])
    rows = read_model_devi(trajectory / "model_devi.out")
    assert rows.steps.tolist() == dump.steps().tolist() == list(range(0, 31, 3))
    frame = dump.frame(30)
    forces = np.array([model.atomic(frame)[1] for model in models])
    spread = np.sqrt(((forces - forces.mean(0)) ** 2).sum(2).mean(0))
    assert rows.max_f[-1] == pytest.approx(spread.max(), abs=1e-6)
    np.testing.assert_allclose(frame.arrays["forces"], forces[0], atol=1e-5)


def check_valid_error(work_dir: Path) -> None:
    with (work_dir / "iter.0001/00.train/valid_error.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["model"] for row in rows] == ["train.000", "train.001", "train.002"]
    assert [float(row["rmse_force"]) for row in rows] == pytest.approx([1 / 6] * 3, rel=1e-3)
