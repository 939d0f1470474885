"""Every event of the journal has a type, a row in the docs, and is written as it is declared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pwact.io.events import (
    EVENTS,
    JobAsked,
    JobEnded,
    StageDone,
    StageKept,
    names_of,
    required,
)
from pwact.io.events_page import table, write_table
from pwact.io.journal import Journal
from tests.workflow.pairs import run_param, write_files
from tests.workflow.toy_campaign import ToyExecutor, run_loop, use_toys

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "files.md"
OLD = sorted((ROOT / "tests/data/journals").rglob("journal.jsonl"))


def test_the_page_is_current(tmp_path):
    copy = tmp_path / "files.md"
    copy.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    write_table(copy)
    assert copy.read_text() == PAGE.read_text(encoding="utf-8"), (
        "run python -m pwact.io.events_page"
    )
    assert all(f"| `{name}` |" in table() for name in EVENTS)


@pytest.mark.parametrize("path", OLD, ids=lambda path: "-".join(path.parts[-4:-2]))
def test_events_of_released_versions_are_read(path):
    for event in Journal(path).events():
        kind = EVENTS[event["event"]]
        read = kind.from_json(event)
        assert all(getattr(read, name) == _plain(event[name]) for name in required(kind))


def _plain(value):
    return tuple(value) if isinstance(value, list) else value


def test_what_a_campaign_writes_is_declared(tmp_path, monkeypatch):
    use_toys(monkeypatch)
    write_files(tmp_path, {"calculator": "emt"})
    run_loop(tmp_path, run_param(), ToyExecutor())
    seen = set()
    for line in (tmp_path / ".pwact" / "journal.jsonl").read_text().splitlines():
        event = json.loads(line)
        kind = EVENTS[event.pop("event")]
        seen.add(kind)
        assert set(required(kind)) <= set(event) <= set(names_of(kind))
    assert {StageDone, JobAsked, JobEnded} <= seen


def test_absent_and_unknown_fields():
    event = {"event": "job_ended", "time": 1.0, "name": "scf0", "of_a_later_version": 1}
    assert JobEnded.from_json(event) == JobEnded("scf0", time=1.0)
    kept = {"event": "stage_kept", "name": "a", "key": "b", "inputs": {"x": [1]}}
    assert StageKept.from_json(kept) == StageKept("a", "b", {"x": [1]})
