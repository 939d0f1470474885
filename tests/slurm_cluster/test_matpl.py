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

from pwact.io.frames import read_frames
from pwact.io.lammps_dump import DumpTrajectory
from pwact.io.model_devi import read_model_devi
from tests.requirements import need_program
from tests.slurm_cluster.cluster import Cluster
from tests.stubs.pair_model import load
from tests.workflow import matpl_campaign

GOLDEN = Path(__file__).parent / "golden"
SLURM = {"scheduler": "slurm", "queue_name": "cpu", "poll_interval": 0.3}


@pytest.mark.slow
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
    found = matpl_campaign.portrait(work_dir)
    golden = GOLDEN / f"matpl-{case}.txt"
    if os.environ.get("PWACT_WRITE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(found)
    assert found == golden.read_text()
    check_members(result.models)
    check_deviations(work_dir)
    check_valid_error(work_dir)


def check_members(models: list[Path]) -> None:
    """Every member went on from its own model of the iteration before."""
    histories = []
    for directory in models:
        (checkpoint,) = (directory / "model_record").glob("[dn][pe]*_model.ckpt")
        histories.append(load(checkpoint).history)
        asked = json.loads((directory / "train.json").read_text())
        assert directory.name in asked["model_load_file"]
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
