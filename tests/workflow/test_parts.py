"""Entries that are added to a finished init_bulk: they alone are computed."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pwact import layout
from pwact.config.param import load_pair
from pwact.errors import StageChangedError
from pwact.workflow.init_bulk.campaign import InitResult, run_init_bulk
from pwact.workflow.init_bulk.parts import Part, assign
from tests.workflow.dying import until_done
from tests.workflow.pairs import init_param, resources, write_files
from tests.workflow.toy_campaign import ToyExecutor, campaign, use_toys

A, B, C = ({"structure": name} for name in "abc")
PART = Part(0, 7, "one.json", {0: A, 1: B})
LATER = Part(1, 7, "one.json", {2: C})


@pytest.mark.parametrize(
    ("known", "asked", "file", "seed", "numbers", "new"),
    [
        ([], [A, B], "one.json", 7, {0: {0: 0, 1: 1}}, True),
        ([PART], [A, B], "one.json", 7, {0: {0: 0, 1: 1}}, False),
        ([PART], [A, B], "two.json", None, {0: {0: 0, 1: 1}}, False),
        ([PART], [A, B, C], "two.json", 7, {0: {0: 0, 1: 1}, 1: {2: 2}}, True),
        ([PART], [C, A, B], "one.json", 7, {0: {1: 0, 2: 1}, 1: {0: 2}}, True),
        ([PART], [B, A], "one.json", 7, {0: {0: 1, 1: 0}}, False),
        ([PART], [B], "one.json", 7, {0: {0: 1}}, False),
        ([PART], [A, C], "one.json", 7, {0: {0: 0, 1: 1}}, False),  # b was changed
        ([PART], [A, C], "two.json", 7, {0: {0: 0}, 1: {1: 2}}, True),
        ([PART], [C], "two.json", 9, {0: {}, 1: {0: 2}}, True),
        ([PART], [A, B], "one.json", 9, {0: {0: 0, 1: 1}}, False),  # another seed is a change
        ([PART], [A, B], "two.json", 9, {0: {}, 1: {0: 2, 1: 3}}, True),
        ([PART, LATER], [A, B, C], "one.json", 7, {0: {0: 0, 1: 1}, 1: {2: 2}}, False),
        ([PART, LATER], [A, B, C, A], "a", 7, {0: {0: 0, 1: 1}, 1: {2: 2}, 2: {3: 3}}, True),
        ([Part(0, 7, "", {0: A})], [B], "two.json", 7, {0: {0: 0}}, False),  # 0.5.0: no name
    ],
)
def test_which_entry_is_which(
    known: Sequence[Part],
    asked: Sequence[Mapping[str, Any]],
    file: str,
    seed: Any,
    numbers: Any,
    new: bool,
) -> None:
    found = assign(known, asked, file, seed, 7)
    assert found.numbers == numbers
    assert found.new is new
    assert len(found.parts) == len(known) + new


FIRST, OTHER = init_param()["sys_configs"]
ADDED = {"config": "structures/b.poscar", "format": "vasp/poscar", "perturb": 2, "aimd": True}
SCALED = {**ADDED, "scale": [0.9, 1.1], "relax": True}


class Chain:
    """An init_bulk in a directory, started again and again."""

    def __init__(self, work_dir: Path) -> None:
        self.work_dir = work_dir
        self.ran: list[str] = []
        work_dir.mkdir(parents=True, exist_ok=True)
        write_files(work_dir, {"calculator": "emt"})

    def go(self, *entries: Any, file: str = "param.json", **changes: Any) -> InitResult:
        options = changes.pop("options", {})
        param = {**init_param(), "sys_configs": list(entries), **changes}
        (self.work_dir / file).write_text(json.dumps(param))
        (self.work_dir / "resource.json").write_text(json.dumps(resources()))
        pair = load_pair(self.work_dir / file, self.work_dir / "resource.json", self.work_dir)
        executor = ToyExecutor()
        with campaign(self.work_dir, "init_bulk", pair.config.seed, executor, **options) as opened:
            result = run_init_bulk(pair.config, pair.resources, opened)
        temp = self.work_dir / layout.TEMP_INIT
        self.ran = sorted(Path(name).relative_to(temp).as_posix() for name in executor.ran)
        return result

    def data(self) -> dict[str, bytes]:
        folder = self.work_dir / layout.COLLECTION
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name != layout.DATAPATH
        }

    def listed(self) -> list[str]:
        text = (self.work_dir / layout.COLLECTION / layout.DATAPATH).read_text()
        return [Path(line.strip('",')).parent.name for line in text.splitlines()]


@pytest.fixture
def chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chain:
    use_toys(monkeypatch)
    return Chain(tmp_path / "work")


def test_appended_entries_are_computed_and_the_others_kept(chain: Chain, tmp_path: Path) -> None:
    chain.go(FIRST, OTHER)
    before = chain.data()
    result = chain.go(FIRST, OTHER, SCALED)
    assert chain.ran
    assert all("init_config_2" in name for name in chain.ran)
    assert len(result.data_sets) == 3
    assert chain.listed() == ["init_config_0", "init_config_1", "init_config_2"]
    assert not (chain.work_dir / layout.TEMP_INIT).exists()
    after = chain.data()
    assert {name: after[name] for name in before} == before
    whole = Chain(tmp_path / "whole")
    whole.go(FIRST, OTHER, SCALED)
    assert after == whole.data()  # as if all had been given at once
    chain.go(FIRST, OTHER, SCALED)
    assert chain.ran == []
    chain.go(FIRST, OTHER, SCALED, ADDED)
    assert all("init_config_3" in name for name in chain.ran)
    assert chain.listed()[-1] == "init_config_3"


def test_a_second_input_file_adds_its_entries(chain: Chain) -> None:
    chain.go(FIRST)
    before = chain.data()
    chain.go(ADDED, file="valid.json", seed=9)
    assert {name.split("/")[2] for name in chain.ran if name.startswith("added-1/")} == {
        "init_config_1"
    }
    assert len(chain.ran) == 2
    after = chain.data()
    assert {name: after[name] for name in before} == before
    for file, entry, seed in (("param.json", FIRST, 7), ("valid.json", ADDED, 9)):
        chain.go(entry, file=file, seed=seed)
        assert chain.ran == []
    assert chain.data() == after
    assert chain.listed() == ["init_config_0", "init_config_1"]


def test_entries_keep_their_numbers_whatever_their_order(
    chain: Chain, caplog: pytest.LogCaptureFixture
) -> None:
    chain.go(FIRST, OTHER)
    before = chain.data()
    chain.go(OTHER, FIRST)
    assert chain.ran == []
    with caplog.at_level(logging.INFO):
        chain.go(OTHER)
    assert "kept as it is" in caplog.text
    assert chain.ran == []
    chain.go(ADDED, OTHER, FIRST)
    assert {name.split("/")[2] for name in chain.ran} == {"init_config_2"}
    assert {name: chain.data()[name] for name in before} == before


def test_a_changed_entry_is_refused_as_ever(chain: Chain) -> None:
    chain.go(FIRST, OTHER)
    changed = {**FIRST, "perturb": 3}
    with pytest.raises(StageChangedError, match=r"init_config_0\.perturb was 2, is 3"):
        chain.go(changed, OTHER, ADDED)
    with pytest.raises(StageChangedError, match="seed was 7, is 8"):
        chain.go(FIRST, OTHER, seed=8)
    chain.go(FIRST, OTHER)
    assert chain.ran == []


def test_what_version_0_5_0_collected_is_kept(chain: Chain) -> None:
    chain.go(FIRST)
    path = chain.work_dir / layout.STATE_DIR / layout.JOURNAL
    lines = [line for line in path.read_text().splitlines() if "entries_given" not in line]
    path.write_text("".join(f"{line}\n" for line in lines))
    before = chain.data()
    chain.go(FIRST, ADDED)
    assert {name.split("/")[2] for name in chain.ran} == {"init_config_1"}
    assert {name: chain.data()[name] for name in before} == before


def test_a_redo_of_the_first_part_leaves_the_added_one(chain: Chain) -> None:
    chain.go(FIRST)
    chain.go(FIRST, ADDED)
    before = chain.data()
    chain.go(FIRST, ADDED, options={"redo": ("aimd",)})
    assert not [name for name in chain.ran if "init_config_1" in name]
    after = {name: data for name, data in chain.data().items() if "-bk-" not in name}
    assert after == before
    chain.go(FIRST, ADDED, options={"redo": ("added-1/aimd",)})
    assert not [name for name in chain.ran if "init_config_0" in name]
    after = {name: data for name, data in chain.data().items() if "-bk-" not in name}
    assert after == before


@pytest.mark.parametrize("torn", [False, True])
def test_killed_at_every_line_an_addition_ends_the_same(
    chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, torn: bool
) -> None:
    whole = Chain(tmp_path / "whole")
    whole.go(FIRST)
    whole.go(FIRST, ADDED)
    chain.go(FIRST)
    assert until_done(monkeypatch, lambda: chain.go(FIRST, ADDED), torn) > 10
    assert chain.data() == whole.data()
    assert chain.listed() == whole.listed()
