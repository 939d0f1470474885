"""The example with Quantum ESPRESSO, for real: relax with the cell, AIMD, explore, label."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from pwact.formats.extxyz import read_extxyz
from pwact.formats.labels import labels_of
from pwact.formats.structures import read_structure
from tests.commands import ROOT, ended, pwact
from tests.engines.qe_inputs import PSEUDO
from tests.requirements import need_program

EXAMPLE = ROOT / "examples" / "al_qe"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example whose init_bulk is done, with half of its AIMD."""
    need_program("pw.x")
    need_program("lmp")
    work_dir = tmp_path_factory.mktemp("a folder of aluminium") / "al qe"
    shutil.copytree(EXAMPLE, work_dir)
    (work_dir / "pseudo").symlink_to(PSEUDO)
    aimd = (work_dir / "aimd.in").read_text()
    assert "nstep = 8" in aimd
    (work_dir / "aimd.in").write_text(aimd.replace("nstep = 8", "nstep = 4"))
    pwact(work_dir, "init_bulk", "init_param.json", "resource.json")
    return work_dir


def test_the_first_data(begun: Path) -> None:
    folder = begun / "collection" / "init_config_0"
    relaxed = read_structure(folder / "relaxed.poscar", "vasp/poscar")
    lengths = relaxed.cell.lengths()
    assert np.ptp(lengths) < 1e-3
    assert 3.9 < lengths[0] < 4.0  # this functional, cutoff and mesh
    frames = read_extxyz(folder / "train.xyz")
    assert [len(frame) for frame in frames] == [8] * 6  # of 4 steps each, every second
    for frame in frames:
        labels = labels_of(frame)
        assert labels.virial is not None
        assert np.abs(labels.forces.sum(axis=0)).max() < 1e-3
    pressures = [np.trace(np.asarray(labels_of(frame).virial)) for frame in frames[::2]]
    assert pressures[0] > pressures[1] > pressures[2]  # the smaller, the more it wants to expand


def test_the_loop_closes(begun: Path) -> None:
    """With two labels an iteration."""
    work_dir = begun.parent / "run"
    shutil.copytree(begun, work_dir, symlinks=True)
    param = json.loads((work_dir / "run_param.json").read_text())
    param["strategy"].update(max_select=2)
    (work_dir / "run_param.json").write_text(json.dumps(param))
    shown = pwact(work_dir, "run", "run_param.json", "resource.json")
    lines = [line.split() for line in shown.splitlines() if re.match(r"iter\.\d{4} ", line)]
    assert [line[0] for line in lines] == ["iter.0000", "iter.0001", "iter.0002"]
    assert "labels that failed" not in shown
    for line in lines[:2]:
        assert int(line[6]) == 2
        assert 0 < float(line[7]) < 100  # meV/atom
        assert 0 < float(line[8]) < 0.3
        label = work_dir / line[0] / "02.label"
        assert len(read_extxyz(label / "result" / "train.xyz")) == 2
        kept = {path.name for path in (label / "scf").rglob("*-scf/*")}
        assert kept == {"pw.in", "dft.log", "pwact.xml"}


def test_labels_of_which_none_converges_are_an_error_that_names_them(begun: Path) -> None:
    work_dir = begun.parent / "unconverged"
    shutil.copytree(begun, work_dir, symlinks=True)
    scf = work_dir / "scf.in"
    scf.write_text(scf.read_text().replace("conv_thr", "electron_maxstep = 2\n  conv_thr"))
    param = json.loads((work_dir / "run_param.json").read_text())
    param["strategy"].update(lower_model_devi_f=1e-4, upper_model_devi_f=100.0, max_select=2)
    param["explore"]["md_jobs"] = param["explore"]["md_jobs"][:1]
    param["explore"]["md_jobs"][0].update(nsteps=50, temps=[300])
    (work_dir / "run_param.json").write_text(json.dumps(param))
    status, said = ended(work_dir, "run", "run_param.json", "resource.json")
    assert status == 1
    assert "convergence NOT achieved" in said
    assert len(set(re.findall(r"02\.label/scf/\S+-scf", said))) == 2
    assert not list(work_dir.glob("iter.*/02.label/result/train.xyz"))
