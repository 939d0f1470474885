"""What the log says a step has found."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from pwact.config.run import RunConfig
from pwact.workflow.step_lines import md_words
from pwact.workflow.systems import structure_names, systems_of
from tests.workflow.pairs import deep_update, load, resources, run_param, write_files
from tests.workflow.toy_campaign import ToyExecutor, run_loop, use_toys


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use_toys(monkeypatch)
    write_files(tmp_path, {"calculator": "emt"})


def found(caplog: pytest.LogCaptureFixture) -> list[str]:
    lines = [record.getMessage() for record in caplog.records]
    return [line for line in lines if line[:5] == "iter." and line[9:10] == " "]


def test_each_step_says_once_what_it_has_found(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "pwact")
    param = deep_update(run_param(), {"valid_data": ["init.xyz"]})
    run_loop(tmp_path, param, ToyExecutor())
    lines = [line for line in found(caplog) if " of 2" not in line]
    assert lines[0] == "iter.0000 error on valid_data: forces 0.333 eV/Å, energy 3.33 meV/atom"
    assert lines[1].startswith("iter.0000 a.poscar at 100 K: 5 frames, 20 % accurate, 3 candidates")
    assert ", 2 to label, largest deviation 0.4 eV/Å" in lines[1]
    assert "1 failed" in lines[1]
    assert lines[2].startswith("iter.0000 b.poscar")
    assert lines[3] == (
        "iter.0000 4 new labels; error of the model that explored: forces 0.25 eV/Å "
        "(MAE 0.25, worst atom 0.433); largest force errors: Ag 0.25, a.poscar 0.25"
    )
    assert lines[4] == (
        "iter.0001 error on valid_data: forces 0.333 → 0.143 eV/Å, energy 3.33 → 1.43 meV/atom"
    )
    caplog.clear()
    run_loop(tmp_path, param, ToyExecutor())
    assert [line for line in found(caplog) if " of 2" not in line] == []


@pytest.mark.parametrize(
    ("job", "words"),
    [
        ({"temps": [300, 500]}, " at 300, 500 K"),
        ({"temps": [300], "ensemble": "npt-iso", "press": [0]}, " at 300 K"),
        ({"temps": [300], "ensemble": "npt-iso", "press": [0, 5e4]}, " at 300 K and 0, 50000 bar"),
    ],
)
def test_conditions_in_words(job: dict[str, Any], words: str, tmp_path: Path) -> None:
    first = run_param()["explore"]["md_jobs"][0]
    base = {key: value for key, value in first.items() if key not in ("ensemble", "press")}
    param = deep_update(run_param(), {"explore.md_jobs": [{"ensemble": "nvt", **base, **job}]})
    config = load(tmp_path, param, resources()).config
    assert isinstance(config, RunConfig)
    assert {md_words(system) for system in systems_of(config, 0)} == {words}


def test_structures_are_called_by_the_ends_of_their_paths() -> None:
    paths = [Path("/a/cold/POSCAR"), Path("/a/hot/POSCAR"), Path("/b/slab.vasp")]
    assert list(structure_names(paths).values()) == ["cold/POSCAR", "hot/POSCAR", "slab.vasp"]
    assert structure_names([paths[0], paths[0]]) == {paths[0]: "POSCAR"}
