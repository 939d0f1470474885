"""A label of pw.x that converges at the second further try, by ``pwact label``."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from pwact.cli.main import main
from pwact.formats.extxyz import write_extxyz
from pwact.formats.frames import read_frames
from pwact.formats.labels import labels_of
from tests.engines.qe_inputs import PSEUDO, pw_input, silicon
from tests.requirements import need_program
from tests.workflow.pairs import LOCAL

pytestmark = pytest.mark.slow


def label(folder: Path, steps: int, retry: list[dict[str, int]], output: str) -> int:
    text = pw_input(
        species="Si 28.0855 Si.pz-vbc.UPF",
        control=f"pseudo_dir='{PSEUDO}'",
        electrons=f"electron_maxstep = {steps}",
    )
    (folder / "pw.in").write_text(text)
    dft = {"dft_style": "qe", "input": "pw.in", "retry": retry}
    (folder / "param.json").write_text(json.dumps({"DFT": dft}))
    (folder / "resource.json").write_text(json.dumps({"DFT": {**LOCAL, "command": "pw.x"}}))
    return main(["label", "si.xyz", "param.json", "resource.json", "-o", output])


def test_pw_converges_at_the_second_further_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    need_program("pw.x")
    monkeypatch.chdir(tmp_path)
    write_extxyz(tmp_path / "si.xyz", [silicon()])
    assert label(tmp_path, 3, [], "never") == 1
    assert "convergence not achieved" in capsys.readouterr().err.lower()
    assert label(tmp_path, 3, [{"electron_maxstep": 4}, {"electron_maxstep": 100}], "again") == 0
    with Path("again/label/retries.csv").open(newline="") as stream:
        (_, row) = csv.reader(stream)
    assert row == ["scf/0/0-scf", "2", '{"electron_maxstep": 100}', "converged"]
    assert label(tmp_path, 100, [], "direct") == 0
    one, other = (
        labels_of(read_frames(Path(name, "train.xyz"), "extxyz")[0]) for name in ("again", "direct")
    )
    assert one.energy == pytest.approx(other.energy, abs=1e-9)
    np.testing.assert_allclose(one.forces, other.forces, atol=1e-8)
    np.testing.assert_allclose(one.virial, other.virial, atol=1e-8)
