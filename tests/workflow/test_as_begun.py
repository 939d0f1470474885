"""Campaigns of earlier versions keep what their labels hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pwact.config.init_bulk import InitConfig
from pwact.config.run import RunConfig
from pwact.workflow.as_begun import init_as_begun, run_as_begun
from tests.workflow.pairs import init_param, load, resources, run_param, write_files

RUN, INIT = "run", "init_bulk"


def started(command: str, **more: str) -> dict[str, Any]:
    return {"event": "campaign_started", "command": command, **more}


@pytest.mark.parametrize(
    ("events", "run_is_old", "init_is_old"),
    [
        ([], False, False),
        ([started(RUN)], True, False),
        ([started(INIT), started(RUN, frames="distinct")], False, True),
        ([started(RUN), started(RUN, frames="distinct")], False, False),
    ],
)
def test_the_journal_decides(
    tmp_path: Path, events: list[Any], run_is_old: bool, init_is_old: bool
) -> None:
    write_files(tmp_path, {"calculator": "emt"})
    run = load(tmp_path, run_param(), resources()).config
    init = load(tmp_path, init_param(), resources()).config
    assert isinstance(run, RunConfig)
    assert isinstance(init, InitConfig)
    assert run_as_begun(run, events).dft.energy_as_given is run_is_old
    assert run_as_begun(run, events).dft.bare_atoms is run_is_old
    config = init_as_begun(init, events)
    found = {one.energy_as_given for one in (config.relax, config.aimd, config.scf)}
    assert found == {init_is_old}
    assert {one.bare_atoms for one in (config.relax, config.aimd, config.scf)} == {init_is_old}
