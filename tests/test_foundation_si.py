"""The example with a foundation model, for real: MD, choice and labels by CHGNet."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from pwact.formats.extxyz import read_extxyz
from pwact.formats.labels import labels_of
from tests.commands import ROOT, pwact
from tests.requirements import need_module, need_program


@pytest.mark.slow
@pytest.mark.foundation
@pytest.mark.timeout(900)
def test_an_iteration_is_closed(tmp_path: Path) -> None:
    need_module("chgnet")
    need_program("lmp")
    work_dir = tmp_path / "my silicon"
    shutil.copytree(ROOT / "examples" / "foundation_si", work_dir)
    pwact(work_dir, "init_bulk", "init_param.json", "init_resource.json")
    first = read_extxyz(work_dir / "collection/bigmodel/direct/train.xyz")
    assert len(first) == round(0.4 * 39)  # of 13 frames of each of three volumes
    shown = pwact(work_dir, "run", "run_param.json", "resource.json")
    rows = [line.split() for line in shown.splitlines() if re.match(r"iter\.\d{4} ", line)]
    assert len(rows) == 3
    new = read_extxyz(work_dir / "iter.0000/02.label/result/train.xyz")
    chosen = (work_dir / "iter.0000/01.explore/direct/select.csv").read_text().splitlines()[1:]
    assert 1 <= len(new) == len(chosen)
    for frame in first + new:
        labels = labels_of(frame)
        assert -5.5 < labels.energy / len(frame) < -4.5  # CHGNet: -5.4 eV an atom in the crystal
        assert np.abs(labels.forces.sum(axis=0)).max() < 1e-3
        assert labels.virial is not None
