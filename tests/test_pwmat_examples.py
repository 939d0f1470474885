"""The examples for PWmat: what pwact makes of them, a strict stand-in accepts."""

from __future__ import annotations

from pathlib import Path

import pytest

from pwact.config.param import load_pair
from pwact.engines import labeler_for
from pwact.engines.labelers import Purpose
from pwact.formats.structures import read_structure
from pwact.workflow.checks.preflight import preflight
from tests.stubs import pwmat as stub
from tests.test_docs import EXAMPLES, copied, page_name

OURS = [path for path in EXAMPLES if path.name.startswith("pwmat_")]


def test_there_are_four() -> None:
    assert len(OURS) == 4


@pytest.mark.parametrize("example", OURS, ids=page_name)
def test_every_stage_is_accepted(example: Path, tmp_path: Path) -> None:
    place = copied(example, tmp_path / "example")
    init = load_pair(place / "init_param.json", place / "resource.json", place)
    run = load_pair(place / "run_param.json", place / "resource.json", place)
    for pair in (init, run):
        assert preflight(pair) == []
    stages = {
        Purpose.RELAX: init.config.relax,  # type: ignore[union-attr]
        Purpose.AIMD: init.config.aimd,  # type: ignore[union-attr]
        Purpose.SCF: run.config.dft,  # type: ignore[union-attr]
    }
    atoms = read_structure(place / "atom.config", "pwmat/config")
    for purpose, config in stages.items():
        task = place / purpose.value
        task.mkdir()
        assert run.resources.dft is not None
        labeler_for(config, 0, run.resources.dft).write_input(task, atoms, purpose, 1)
        control = stub.Control(task / "etot.input")
        stub.check_elements(control, stub.read_structure(control.file("IN.ATOM")))
        assert control.true("OUT.MLMD") is (purpose is Purpose.SCF)
        assert len(control.numbers("MP_N123", "")) == 7
