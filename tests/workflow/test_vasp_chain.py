"""Whole campaigns with VASP, played by a stand-in that computes EMT's energies."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT

from pwact.formats.frames import read_frames
from pwact.formats.labels import labels_of
from pwact.formats.structures import read_structure, write_structure
from pwact.workflow.active_learning import RunResult
from pwact.workflow.campaign import open_campaign
from pwact.workflow.checks.preflight import preflight
from pwact.workflow.init_bulk.campaign import InitResult, run_init_bulk
from tests.engines.vasp_helpers import COMMAND, INCARS
from tests.engines.vasp_helpers import Purpose as For
from tests.requirements import need_program
from tests.stubs.potcars import write_dummy_potcar
from tests.workflow import small_campaign
from tests.workflow.pairs import LOCAL, alloy, load

INIT: dict[str, Any] = {
    "seed": 7,
    "dft_style": "VASP",
    "relax_input": "INCAR.relax",
    "aimd_input": {"input": "INCAR.aimd", "kspacing": 0.4},
    "pseudo": ["potcars/Au", "potcars/Cu", "potcars/Ag_pv"],
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
        }
    ],
}


def write_inputs(work_dir: Path, aimd: str = "") -> None:
    work_dir.mkdir(parents=True)
    write_structure(work_dir / "alloy.poscar", alloy(), "vasp/poscar")
    (work_dir / "INCAR.relax").write_text(INCARS[For.RELAX] + "KSPACING = 0.5\n")
    (work_dir / "INCAR.aimd").write_text(INCARS[For.AIMD] + aimd)
    for name in ("Au", "Cu", "Ag_pv"):
        write_dummy_potcar(work_dir / "potcars" / name, name)


def init_bulk(work_dir: Path) -> InitResult:
    resource = {"DFT": {**LOCAL, "command": COMMAND}, "max_parallel_jobs": 2}
    pair = load(work_dir, INIT, resource)
    preflight(pair)
    with open_campaign(work_dir, "init_bulk", 7) as opened:
        return run_init_bulk(pair.config, pair.resources, opened)


def same_as_emt(frames: list[Atoms], tolerance: float) -> None:
    for frame in frames:
        labels, again = labels_of(frame), frame.copy()
        again.calc = EMT()
        assert labels.energy == pytest.approx(again.get_potential_energy(), abs=tolerance)
        np.testing.assert_allclose(labels.forces, again.get_forces(), atol=tolerance)
        assert labels.virial is not None
        virial = -again.get_volume() * again.get_stress(voigt=False)
        np.testing.assert_allclose(labels.virial, virial, atol=tolerance)


def test_the_whole_of_init_bulk(tmp_path: Path) -> None:
    """One AIMD dies once after a step, and is run again."""
    work_dir = tmp_path / "it's a $HOME"
    write_inputs(work_dir, "# stub: cut-once 1\n")
    result = init_bulk(work_dir)
    folder = work_dir / "collection" / "init_config_0"
    relaxed = read_structure(folder / "relaxed.poscar", "vasp/poscar")
    assert relaxed.get_chemical_symbols() == ["Ag", "Ag", "Au", "Au"]
    relaxed.calc = EMT()
    assert np.linalg.norm(relaxed.get_forces(), axis=1).max() < 0.011
    frames = read_frames(result.data_sets[0], "extxyz")
    assert [len(frame) for frame in frames] == [8] * 4  # 2 structures, steps 1 and 3 of 4
    assert {tuple(frame.get_chemical_symbols()) for frame in frames} == {("Ag",) * 4 + ("Au",) * 4}
    same_as_emt(frames, 5e-4)
    lengths = [frame.cell.lengths()[0] / relaxed.cell.lengths()[0] / 2 for frame in frames]
    np.testing.assert_allclose(lengths, [0.98, 0.98, 1.0, 1.0], atol=0.025)
    tasks = sorted((work_dir / "temp_init_bulk_work/aimd/init_config_0").glob("*/*_aimd"))
    assert [task.name for task in tasks] == ["0_aimd", "1_aimd"]
    assert all((task / "stub.died").exists() for task in tasks)
    incar = (tasks[0] / "INCAR").read_text()
    assert incar == INCARS[For.AIMD] + "# stub: cut-once 1\nKSPACING = 0.4\n"
    relax = work_dir / "temp_init_bulk_work/relax/init_config_0"
    assert (relax / "INCAR").read_bytes() == (work_dir / "INCAR.relax").read_bytes()


def small_run(work_dir: Path, incar: str) -> RunResult:
    """The small campaign on copper, its labels by VASP."""
    need_program("lmp")
    small_campaign.write_inputs(work_dir)
    (work_dir / "my.incar").write_text(incar)
    write_dummy_potcar(work_dir / "Cu.POTCAR", "Cu_pv")
    param = json.loads((work_dir / "param.json").read_text())
    param["DFT"] = {"dft_style": "vasp", "input": "my.incar", "pseudo": "Cu.POTCAR"}
    param["DFT"]["kspacing"] = 0.5
    (work_dir / "param.json").write_text(json.dumps(param))
    resource = json.loads((work_dir / "resource.json").read_text())
    (work_dir / "marks").mkdir()
    marks = shlex.quote(str(work_dir / "marks"))
    resource["DFT"]["command"] = f"STUB_VASP_MARKS={marks} {COMMAND}"
    (work_dir / "resource.json").write_text(json.dumps(resource))
    return small_campaign.run(work_dir)


@pytest.mark.slow
def test_the_labels_of_a_run(tmp_path: Path) -> None:
    """One frame does not converge: it is left out and named, and nothing stops."""
    work_dir = tmp_path / "run"
    result = small_run(work_dir, INCARS[For.SCF] + "# stub: hard 1\n")
    label = result.rows[0].label
    assert (label.labelled, label.failed) == (3, 1)
    frames = read_frames(result.data_sets[0], "extxyz")
    assert len(frames) == 3
    same_as_emt(frames, 1e-5)
    text = (work_dir / "iter_result.txt").read_text()
    assert "number of non-converged files: 1" in text
    assert text.count("-scf") == 1
    tasks = list((work_dir / "iter.0000/02.label/scf").glob("*/*/*-scf"))
    assert len(tasks) == 4
    left = [sorted(path.name for path in task.iterdir()) for task in tasks]
    (failed,) = [names for names in left if names != ["INCAR", "OUTCAR", "POSCAR"]]
    assert set(failed) > {"INCAR", "OUTCAR", "POSCAR", "OSZICAR"}  # what failed keeps all its files
