"""The loop with LAMMPS inputs of the user."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pwact.config.param import load_pair
from pwact.config.run import RunConfig
from pwact.errors import InputError, StageChangedError
from pwact.formats.lammps_dump import DumpTrajectory
from pwact.workflow.checks.preflight import preflight
from pwact.workflow.systems import systems_of
from tests.requirements import need_program
from tests.workflow import small_campaign

HOT = "velocity all create 900 1 dist gaussian\nfix 1 all nvt temp 900 900 0.1\nrun 20\nrun 10\n"
COLD = "include more.in\nrun 30 # to the end\n"
MORE = "variable TEMP equal 50\nfix 1 all npt temp ${TEMP} ${TEMP} 0.1 iso 0 0 1\n"


def write_inputs(work_dir: Path, job: dict[str, Any]) -> None:
    """The small campaign with its MD by two inputs of the user."""
    small_campaign.write_inputs(work_dir)
    for name, text in (("hot.in", HOT), ("cold.in", COLD), ("more.in", MORE)):
        (work_dir / name).write_text(text)
    param = json.loads((work_dir / "param.json").read_text())
    param["explore"] |= {"lmps_in": ["hot.in", "cold.in"], "md_jobs": [job]}
    param["explore"]["sys_configs"] *= 2
    param["reserve_md_traj"] = True
    (work_dir / "param.json").write_text(json.dumps(param))


JOB = {"sys_idx": [0, 1], "lmps_in_idx": [1, 0], "trj_freq": 5, "select_sys": [2, 2]}


def test_one_trajectory_a_structure(tmp_path: Path) -> None:
    write_inputs(tmp_path / "work", {**JOB, "temps": [1, 2, 3], "press": [1, 2]})
    work_dir = tmp_path / "work"
    config = load_pair(work_dir / "param.json", work_dir / "resource.json", work_dir).config
    assert isinstance(config, RunConfig)
    names = [run.name for system in systems_of(config, 0) for run in system.runs()]
    assert names == ["md.000.sys.000.lmps.001", "md.000.sys.001.lmps.000"]


def test_a_real_loop(tmp_path: Path) -> None:
    need_program("lmp")
    work_dir = tmp_path / "user's work"
    write_inputs(work_dir, JOB)
    result = small_campaign.run(work_dir)
    assert result.rows[0].select is not None
    assert result.rows[0].select.frames == 14
    md = work_dir / "iter.0000/01.explore/md"
    temperatures = {}
    for name in (
        "md.000.sys.000/md.000.sys.000.lmps.001",
        "md.000.sys.001/md.000.sys.001.lmps.000",
    ):
        assert DumpTrajectory(md / name / "traj.lammpstrj", ["Cu"]).steps().tolist() == list(
            range(0, 31, 5)
        )
        rows = (md / name / "log.lammps").read_text().split("Step")[1].splitlines()[1]
        temperatures[name[-3:]] = float(rows.split()[1])
    assert temperatures == {"001": pytest.approx(50), "000": pytest.approx(900)}
    labelled = work_dir / "iter.0000/02.label/scf/md.000.sys.001/md.000.sys.001.lmps.000"
    assert len(list(labelled.iterdir())) == 2
    (work_dir / "more.in").write_text(MORE.replace("50", "60"))
    with pytest.raises(StageChangedError, match="iter.0000/explore"):
        small_campaign.run(work_dir)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MORE, "cold.in: there is no run command"),
        ("units real\nrun 5\n", "cold.in: line 1: found units real"),
        ("include nothing.in\nrun 5\n", "nothing.in: cannot be read"),
        ("run 5 every 1 'print x\n", "cold.in: line 1: a quote is not closed"),
    ],
)
def test_an_input_that_cannot_be_used_is_told_beforehand(
    tmp_path: Path, text: str, message: str
) -> None:
    work_dir = tmp_path / "work"
    write_inputs(work_dir, JOB)
    (work_dir / "cold.in").write_text(text)
    pair = load_pair(work_dir / "param.json", work_dir / "resource.json", work_dir)
    with pytest.raises(InputError, match=message):
        preflight(pair)
