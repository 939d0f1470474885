"""Real programs behind ASE: the examples, and GPAW in a Python of its own with an older ASE."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from pwact.engines.labelers import Purpose
from pwact.formats.extxyz import read_extxyz, write_extxyz
from pwact.formats.labels import Labels, labels_of
from tests.commands import ROOT, pwact
from tests.engines.qe_inputs import PSEUDO
from tests.engines.test_ase import labeler
from tests.requirements import need_program

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def copied(name: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of an example, where no configuration of ASE says how programs are started."""
    monkeypatch.setenv("ASE_CONFIG_PATH", str(place / "none.ini"))
    return Path(shutil.copytree(ROOT / "examples" / name, place / f"my_{name}"))


def test_silicon_with_espresso(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_program("pw.x")
    work_dir = copied("si_espresso_ase", tmp_path, monkeypatch)
    (work_dir / "pseudo").symlink_to(PSEUDO)
    pwact(work_dir, "check", "init_param.json", "resource.json", "--strict")
    pwact(work_dir, "init_bulk", "init_param.json", "resource.json")
    folder = work_dir / "collection" / "init_config_0"
    frames = read_extxyz(folder / "train.xyz")
    assert [len(frame) for frame in frames] == [2] * 9
    (apart,) = {frame.get_distance(0, 1, mic=True).round(2) for frame in frames[:1]}
    assert apart == pytest.approx(2.30, abs=0.04)  # 0.98 of the bond: the odd atom is back
    pressures = [np.trace(np.asarray(labels_of(frame).virial)) for frame in frames[::3]]
    assert pressures[0] > pressures[1] > pressures[2]


def test_water_with_nwchem(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two of the six molecules of the example."""
    need_program("nwchem")
    # ASE hands NWChem whole paths, and NWChem's input has no quotes: nowhere may be a blank
    with tempfile.TemporaryDirectory(prefix="pwact-nwchem-") as folder:
        work_dir = copied("nwchem_water", Path(folder), monkeypatch)
        write_extxyz(work_dir / "water.xyz", read_extxyz(work_dir / "water.xyz")[:2])
        shown = pwact(work_dir, "label", "water.xyz", "param.json", "resource.json")
        frames = read_extxyz(work_dir / "labelled" / "train.xyz")
    assert "2 of 2 frames have a label" in shown
    for frame in frames:
        labels = labels_of(frame)
        assert labels.virial is None
        assert labels.energy == pytest.approx(-2076.5, abs=1)  # PBE: -76.3 Hartree
        np.testing.assert_allclose(labels.forces.sum(axis=0), 0, atol=2e-3)
        assert 0.1 < np.abs(labels.forces).max() < 10


GPAW = {
    "calculator": "gpaw",
    "arguments": {
        "mode": {"name": "pw", "ecut": 150},
        "xc": "LDA",
        "kpts": [2, 2, 2],
        "occupations": {"name": "fermi-dirac", "width": 0.2},
        "txt": "gpaw.txt",
    },
    "relax": {"fmax": 0.05, "cell": True},
}


def by_gpaw(folder: Path, atoms: Atoms, purpose: Purpose) -> tuple[Atoms, Labels]:
    """A structure with its labels, by the Python that has GPAW."""
    first = Path(need_program("gpaw")).read_text(encoding="utf-8").partition("\n")[0]
    made = labeler(folder, GPAW, first.lstrip("#! "))
    task = folder / f"{purpose.value} {sum(1 for _ in folder.iterdir())}"
    task.mkdir()
    made.write_input(task, atoms, purpose, 1)
    done = subprocess.run(["bash", "-c", made.command(purpose)], cwd=task, check=False)
    assert done.returncode == 0, (task / made.log).read_text()[-2000:]
    assert made.check(task, purpose).done
    (frame,) = made.read_result(task, purpose)
    return frame, labels_of(frame)


def test_gpaw_relaxes_and_labels(tmp_path: Path) -> None:
    """Debian's GPAW 22.8 has ASE 3.22, which knows other filters of cells."""
    start = bulk("Al", a=4.3)
    relaxed, labels = by_gpaw(tmp_path, start, Purpose.RELAX)
    assert labels.virial is not None
    assert np.abs(labels.virial).max() < 0.06
    assert relaxed.get_volume() < 0.95 * start.get_volume()
    _, again = by_gpaw(tmp_path, relaxed, Purpose.SCF)
    # the plane waves are those of the last cell, not of the first one
    assert again.energy == pytest.approx(labels.energy, abs=1e-3)
    assert again.energy < by_gpaw(tmp_path, start, Purpose.SCF)[1].energy
