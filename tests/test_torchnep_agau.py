"""The example with TorchNEP: run as a user does, in an environment that has it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from pwact.formats.extxyz import read_extxyz
from pwact.formats.nep_txt import read_nep
from tests.commands import ROOT, pwact
from tests.requirements import need_module

pytestmark = pytest.mark.torch


def test_the_example_closes_the_loop(tmp_path: Path) -> None:
    """With fewer epochs, shorter MD and at most four labels an iteration."""
    need_module("torchnep")
    work_dir = tmp_path / "my alloy"
    shutil.copytree(ROOT / "examples" / "torchnep_agau", work_dir)
    param = json.loads((work_dir / "run_param.json").read_text())
    param["train"].update(epoch=30)
    param["strategy"].update(max_select=4)
    for job in param["explore"]["md_jobs"]:
        job.update(nsteps=100)
    (work_dir / "run_param.json").write_text(json.dumps(param))
    pwact(work_dir, "init_bulk", "init_param.json", "resource.json")
    shown = pwact(work_dir, "run", "run_param.json", "resource.json")
    errors = [valid_error(work_dir / f"iter.{number:04d}") for number in range(3)]
    assert errors[-1] < errors[0] / 3, errors
    for number in range(2):
        new = read_extxyz(work_dir / f"iter.{number:04d}" / "02.label/result/train.xyz")
        assert 1 <= len(new) <= 4
    model = read_nep(work_dir / "iter.0002" / "00.train" / "train.000" / "nep.txt")
    assert (model.version, model.types) == ("nep4", ("Ag", "Au"))
    journal = (work_dir / ".pwact" / "journal.jsonl").read_text().splitlines()
    asked = [event for event in map(json.loads, journal) if event["event"] == "job_asked"]
    assert [event["kind"] for event in asked].count("train") == 9
    assert re.search(r"(?m)^iter\.0002 ", shown)
    assert pwact(work_dir, "run", "run_param.json", "resource.json") == shown


def valid_error(iteration: Path) -> float:
    """Mean force error of the members, eV/Å."""
    rows = (iteration / "00.train" / "valid_error.csv").read_text().splitlines()[1:]
    return sum(float(row.split(",")[2]) for row in rows) / len(rows)
