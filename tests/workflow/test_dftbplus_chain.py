"""Whole campaigns with DFTB+, played by a stand-in that computes EMT's energies."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT

from pwact.errors import InputError
from pwact.formats.frames import read_frames
from pwact.formats.labels import labels_of
from pwact.formats.structures import read_structure, write_structure
from pwact.workflow.active_learning import RunResult
from pwact.workflow.campaign import open_campaign
from pwact.workflow.checks.preflight import preflight
from pwact.workflow.init_bulk.campaign import InitResult, run_init_bulk
from tests.engines.dftbplus_helpers import COMMAND, Purpose, hsd, write_skf
from tests.requirements import need_program
from tests.workflow import small_campaign
from tests.workflow.pairs import LOCAL, alloy, deep_update, load

INIT: dict[str, Any] = {
    "seed": 7,
    "dft_style": "DFTB+",
    "relax_input": "inputs/relax.hsd",
    "aimd_input": "inputs/aimd.hsd",
    "scf_style": "dftb+",
    "scf_input": "inputs/scf.hsd",
    "reserve_work": True,
    "interval": 2,
    "sys_configs": [
        {
            "config": "alloy.poscar",
            "format": "vasp/poscar",
            "relax": True,
            "super_cell": [2, 1, 1],
            "scale": [0.98, 1.0],
            "perturb": 1,
            "cell_pert_fraction": 0.02,
            "atom_pert_distance": 0.05,
            "aimd": True,
            "scf": False,
        }
    ],
}


def write_inputs(work_dir: Path, aimd: str = "") -> None:
    (work_dir / "inputs").mkdir(parents=True)
    write_structure(work_dir / "alloy.poscar", alloy(), "vasp/poscar")
    for purpose in Purpose:
        more = aimd if purpose is Purpose.AIMD else ""
        (work_dir / "inputs" / f"{purpose.value}.hsd").write_text(hsd(purpose, more))
    write_skf(work_dir / "my skf")


def init_bulk(work_dir: Path, **changes: Any) -> InitResult:
    resource = {"DFT": {**LOCAL, "command": COMMAND}, "max_parallel_jobs": 2}
    resource["scf"] = resource["DFT"]
    pair = load(work_dir, deep_update(json.loads(json.dumps(INIT)), changes), resource)
    preflight(pair)
    with open_campaign(work_dir, "init_bulk", 7) as opened:
        return run_init_bulk(pair.config, pair.resources, opened)


def same_as_emt(frames: list[Atoms], digits: float, virial: bool) -> None:
    for frame in frames:
        labels, again = labels_of(frame), frame.copy()
        again.calc = EMT()
        assert labels.energy == pytest.approx(again.get_potential_energy(), abs=digits)
        np.testing.assert_allclose(labels.forces, again.get_forces(), atol=digits)
        assert (labels.virial is not None) == virial
        if labels.virial is not None:
            expected = -again.get_volume() * again.get_stress(voigt=False)
            np.testing.assert_allclose(labels.virial, expected, atol=digits)


def test_the_whole_of_init_bulk(tmp_path: Path) -> None:
    """Each AIMD dies once after a step, and is run again."""
    work_dir = tmp_path / "it's a $HOME"
    write_inputs(work_dir, "# stub: cut-once 1\n")
    result = init_bulk(work_dir)
    folder = work_dir / "collection" / "init_config_0"
    relaxed = read_structure(folder / "relaxed.poscar", "vasp/poscar")
    assert relaxed.get_chemical_symbols() == ["Ag", "Ag", "Au", "Au"]
    relaxed.calc = EMT()
    assert np.abs(relaxed.get_forces()).max() < 2e-4 * 51.5
    frames = read_frames(result.data_sets[0], "extxyz")
    assert [len(frame) for frame in frames] == [8] * 6  # 2 structures, steps 0, 2 and 4
    same_as_emt(frames, 1e-6, virial=False)
    lengths = [frame.cell.lengths()[0] / relaxed.cell.lengths()[0] / 2 for frame in frames]
    np.testing.assert_allclose(lengths, [0.98] * 3 + [1.0] * 3, atol=0.025)
    tasks = sorted((work_dir / "temp_init_bulk_work/aimd/init_config_0").glob("*/*_aimd"))
    assert [task.name for task in tasks] == ["0_aimd", "1_aimd"]
    assert all((task / "stub.died").exists() for task in tasks)
    seeds = {(task / "dftb_in.hsd").read_text().partition("RandomSeed = ")[2][:9] for task in tasks}
    assert len(seeds) == 2


def test_frames_of_an_aimd_get_virials_by_labels(tmp_path: Path) -> None:
    write_inputs(tmp_path / "work")
    changes = {"relax": False, "super_cell": None, "scale": [1.0], "scf": True}
    result = init_bulk(
        tmp_path / "work", **{f"sys_configs.0.{key}": value for key, value in changes.items()}
    )
    (data,) = result.data_sets
    frames = read_frames(data, "extxyz")
    assert len(frames) >= 3
    same_as_emt(frames, 1e-7, virial=True)


def test_a_wrong_stage_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    write_inputs(tmp_path / "work")
    with pytest.raises(InputError, match=r"aimd\.hsd: Driver: found VelocityVerlet; expected Geo"):
        init_bulk(tmp_path / "work", relax_input="inputs/aimd.hsd")
    assert not (tmp_path / "work" / "temp_init_bulk_work").exists()


def small_run(work_dir: Path, more: str) -> RunResult:
    """The small campaign on copper, its labels by DFTB+."""
    need_program("lmp")
    small_campaign.write_inputs(work_dir)
    (work_dir / "inputs").mkdir()
    (work_dir / "inputs" / "scf.hsd").write_text(hsd(Purpose.SCF, more))
    write_skf(work_dir / "my skf", ["Cu"])
    param = json.loads((work_dir / "param.json").read_text())
    param["DFT"] = {"dft_style": "dftb+", "input": "inputs/scf.hsd"}
    (work_dir / "param.json").write_text(json.dumps(param))
    resource = json.loads((work_dir / "resource.json").read_text())
    (work_dir / "marks").mkdir()
    marks = shlex.quote(str(work_dir / "marks"))
    resource["DFT"]["command"] = f"STUB_DFTB_MARKS={marks} {COMMAND}"
    (work_dir / "resource.json").write_text(json.dumps(resource))
    return small_campaign.run(work_dir)


@pytest.mark.slow
def test_the_labels_of_a_run(tmp_path: Path) -> None:
    """One frame does not converge: it is left out and named, and nothing stops."""
    work_dir = tmp_path / "run"
    result = small_run(work_dir, "# stub: hard 1\n")
    label = result.rows[0].label
    assert (label.labelled, label.failed) == (3, 1)
    frames = read_frames(result.data_sets[0], "extxyz")
    assert len(frames) == 3
    same_as_emt(frames, 1e-7, virial=True)
    text = (work_dir / "iter_result.txt").read_text()
    assert "number of non-converged files: 1" in text
    tasks = list((work_dir / "iter.0000/02.label/scf").glob("*/*/*-scf"))
    assert len(tasks) == 4
    kept = {"detailed.out", "dft.log", "dftb_in.hsd", "geo.gen", "results.tag"}
    left = [{path.name for path in task.iterdir()} for task in tasks]
    assert len([names for names in left if not names <= kept]) == 1  # what failed keeps all files
