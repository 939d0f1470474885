"""The example for DFTB+: what pwact makes of it, a strict stand-in runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from pwact.config.param import load_pair
from pwact.engines import labeler_for
from pwact.engines.labelers import Purpose
from pwact.formats.labels import labels_of
from pwact.formats.structures import read_structure
from pwact.workflow.checks.preflight import preflight
from tests.engines.dftbplus_helpers import COMMAND
from tests.stubs.dftbplus_input import Input
from tests.test_docs import ROOT, copied

EXAMPLE = ROOT / "examples" / "dftbplus_si"


def test_every_stage_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not (EXAMPLE / "skf").exists()  # users have them, and may not give them away
    place = copied(EXAMPLE, tmp_path / "example")
    init = load_pair(place / "init_param.json", place / "resource.json", place)
    run = load_pair(place / "run_param.json", place / "resource.json", place)
    for pair in (init, run):
        assert preflight(pair) == []
    atoms = read_structure(place / "POSCAR", "vasp/poscar")
    assert run.resources.dft is not None
    meshes = {}
    for purpose, config in (
        (Purpose.RELAX, init.config.relax),  # type: ignore[union-attr]
        (Purpose.AIMD, init.config.aimd),  # type: ignore[union-attr]
        (Purpose.SCF, run.config.dft),  # type: ignore[union-attr]
    ):
        task = place / purpose.value
        task.mkdir()
        labeler = labeler_for(config, 0, run.resources.dft)
        labeler.write_input(task, atoms, purpose, 1)
        monkeypatch.chdir(task)
        control = Input((task / "dftb_in.hsd").read_text())
        assert len(control.atoms) == 8
        mesh = control.root["hamiltonian"]["dftb"]["kpointsandweights"]["supercellfolding"].words
        meshes[purpose] = [int(mesh[0]), float(mesh[9])]
    assert meshes == {Purpose.RELAX: [6, 0.5], Purpose.AIMD: [2, 0.5], Purpose.SCF: [2, 0.5]}
    subprocess.run(["bash", "-c", f"{COMMAND} > dft.log"], cwd=task, check=True)
    assert labeler.check(task, Purpose.SCF).done
    (frame,) = labeler.read_result(task, Purpose.SCF)
    np.testing.assert_array_equal(frame.positions, atoms.positions)
    assert labels_of(frame).virial is not None
