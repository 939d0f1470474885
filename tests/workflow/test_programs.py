"""By what a step ran is on record, and a change is told but no error."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pwact.config.resources import ResourceBlock
from pwact.io.journal import Journal
from pwact.workflow import programs
from tests.workflow.test_streaming import loop
from tests.workflow.toy_campaign import ToyExecutor, use_toys


@dataclass(frozen=True)
class Stage:
    name: str
    block: Any = None


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.jsonl")


def dft(command: str = "vasp_std", **more: Any) -> ResourceBlock:
    return ResourceBlock(name="DFT", command=command, **more)


def recorded(journal: Journal) -> list[tuple[str, str]]:
    return [(event["name"], event["command"]) for event in journal.events()]


def test_each_stage_says_by_what_it_ran(journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(2):
        programs.record(journal, Stage(f"iter.000{number}/label", dft()))
        programs.record(journal, Stage(f"iter.000{number}/label", dft()))  # taken up again
    programs.record(journal, Stage("iter.0001/select"))
    assert recorded(journal) == [("iter.0000/label", "vasp_std"), ("iter.0001/label", "vasp_std")]
    assert not caplog.records


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (dft("vasp_gam"), "DFT.command of the resource file is not that of iter.0000/label: it wa"),
        (dft(module_list=("vasp/6.5",)), "DFT.module_list .* was 'vasp/6.4', is 'vasp/6.5'"),
    ],
)
@pytest.mark.parametrize("name", ["iter.0000/label", "iter.0001/label"])
def test_a_change_is_told(
    journal: Journal, after: Any, words: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    programs.record(journal, Stage("iter.0000/label", dft(module_list=("vasp/6.4",))))
    programs.record(journal, Stage("iter.0000/train", dft("lmp")))  # another step
    caplog.clear()
    programs.record(journal, Stage(name, after))
    assert re.search(words, caplog.text)
    assert len(recorded(journal)) == 3
    caplog.clear()
    programs.record(journal, Stage(name, after))
    assert not caplog.records
    assert len(recorded(journal)) == 3


def test_blocks_are_compared_with_themselves(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    """The same step may run by one block in one part and by another one in the next."""
    other = ResourceBlock(name="scf", command="vasp_gam")
    for number, block in enumerate((dft(), other, dft())):
        programs.record(journal, Stage(f"iter.000{number}/label", block))
    assert not caplog.records


def test_the_campaign_asks_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_toys(monkeypatch)
    loop(tmp_path, ToyExecutor())
    events = Journal(tmp_path / ".pwact/journal.jsonl").events()
    told = [event["name"] for event in events if event["event"] == programs.EVENT]
    assert {"iter.0000/train", "iter.0000/explore", "iter.0001/label"} <= set(told)
    assert len(told) == len(set(told))
