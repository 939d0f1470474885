"""What check says of a campaign that has begun, and that it touches nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pwact.config.param import LoadedPair, load_pair
from pwact.errors import QuorumError
from pwact.workflow.checks.outlook import outlook
from pwact.workflow.opening import CampaignOptions
from tests.workflow.pairs import deep_update, init_param, load, resources, run_param, write_files
from tests.workflow.toy_campaign import ToyExecutor, run_chain, run_loop, use_toys


@pytest.fixture
def toys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    use_toys(monkeypatch)
    work_dir = tmp_path / "work"
    work_dir.mkdir()
    write_files(work_dir, {"calculator": "emt"})
    return work_dir


def pair(work_dir: Path, param: Any, **changes: Any) -> LoadedPair:
    return load(work_dir, deep_update(param, changes), resources())


def tree(work_dir: Path) -> dict[str, tuple[int, int]]:
    names = ("param.json", "resource.json")
    paths = [path for path in work_dir.rglob("*") if path.name not in names]
    states = {path: path.lstat() for path in paths}
    return {str(path): (state.st_mtime_ns, state.st_size) for path, state in states.items()}


def test_nothing_was_begun(toys: Path) -> None:
    assert outlook(pair(toys, run_param())) is None
    run_chain(toys, init_param(), ToyExecutor())
    assert outlook(pair(toys, run_param())) is None


def test_a_finished_run_and_what_would_change(toys: Path) -> None:
    run_loop(toys, run_param(), ToyExecutor())
    given = pair(toys, run_param())
    before = tree(toys)
    found = outlook(given)
    assert found is not None
    assert found.lines == ["  iter.0000/train … iter.0002/train (9 steps): kept"]
    assert found.refusal == ""
    changed = outlook(pair(toys, run_param(), **{"strategy.upper_model_devi_f": 0.3}))
    assert changed is not None
    assert "  iter.0000/select: refused: upper_model_devi_f was 0.4, is 0.3" in changed.lines
    assert changed.refusal.startswith("iter.0000/select: changed since it was done")
    again = outlook(
        pair(toys, run_param(), **{"strategy.upper_model_devi_f": 0.3}),
        CampaignOptions(redo=("iter.0000/select",)),
    )
    assert again is not None
    assert again.refusal == ""
    assert "iter.0000/train: kept" in again.lines[0]
    assert again.lines[1:3] == [
        "  iter.0000/explore: done again: what it left is needed again",
        "  iter.0000/select: done again: --redo asks for it",
    ]
    assert "comes out the same" in again.lines[3]
    assert tree(toys) == before


def test_a_longer_run_and_one_that_broke_off(toys: Path) -> None:
    broken = ToyExecutor()
    broken.spoil = {"iter.0001/01.explore": "nothing"}
    with pytest.raises(QuorumError):
        run_loop(toys, run_param(), broken)
    found = outlook(pair(toys, run_param()))
    assert found is not None
    assert found.lines == [
        "  iter.0000/train … iter.0001/train (5 steps): kept",
        "  iter.0001/explore: taken up where it was",
    ]
    run_loop(toys, run_param(), ToyExecutor())
    longer = run_param()
    longer["explore"]["md_jobs"].append(longer["explore"]["md_jobs"][0])
    found = outlook(pair(toys, longer))
    assert found is not None
    assert found.lines[-1] == "  iter.0002/explore: begun"


def test_a_finished_init_bulk_and_entries_that_are_added(toys: Path) -> None:
    run_chain(toys, init_param(), ToyExecutor())
    before = tree(toys)
    found = outlook(pair(toys, init_param()))
    assert found is not None
    assert found.lines == ["  collection: kept"]
    longer = init_param()
    longer["sys_configs"].append({**longer["sys_configs"][1], "perturb": 1})
    found = outlook(pair(toys, longer))
    assert found is not None
    assert found.lines == ["  collection: kept", "  init_config_2: begun: new"]
    found = outlook(pair(toys, init_param(), **{"sys_configs.0.perturb": 5}))
    assert found is not None
    assert "settings.init_config_0.perturb was 2, is 5" in found.refusal
    again = outlook(pair(toys, init_param()), CampaignOptions(redo=("aimd",)))
    assert again is not None
    assert (
        again.lines[0] == "  relax, super_cell_scale, pertub: done again: its directory was deleted"
    )
    assert again.lines[1] == "  aimd: done again: --redo asks for it"
    assert tree(toys) == before


def test_another_input_file_is_looked_at_without_a_change(toys: Path) -> None:
    run_chain(toys, init_param(), ToyExecutor())
    other = {
        **init_param(),
        "seed": 9,
        "sys_configs": [{**init_param()["sys_configs"][1], "perturb": 1}],
    }
    (toys / "valid.json").write_text(json.dumps(other))
    found = outlook(load_pair(toys / "valid.json", toys / "resource.json", toys))
    assert found is not None
    assert found.lines == [
        "  init_config_0, init_config_1: kept",
        "  init_config_2: begun: new",
    ]
