from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from pwact.errors import PwactError
from pwact.io.journal import Journal


def test_events_come_back_in_order(tmp_path):
    path = tmp_path / "journal.jsonl"
    journal = Journal(path, clock=iter([1.0, 2.0]).__next__)
    assert not path.exists()
    journal.append("asked", name="ü\n")
    journal.append("done")
    journal.close()
    expected = [
        {"event": "asked", "time": 1.0, "name": "ü\n"},
        {"event": "done", "time": 2.0},
    ]
    assert journal.events() == expected
    assert Journal(path).events() == expected
    assert path.read_bytes().count(b"\n") == 2


@pytest.mark.parametrize("torn", [b'{"event": "x"', b'{"event": "x"}', b"\0" * 40, b"{"])
def test_a_torn_last_line_is_no_event(tmp_path, torn):
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'{"event": "whole"}\n' + torn)
    journal = Journal(path)
    assert [event["event"] for event in journal.events()] == ["whole"]
    assert path.read_bytes().endswith(torn)  # a reader leaves the file alone
    journal.append("next")
    assert [event["event"] for event in Journal(path).events()] == ["whole", "next"]


@pytest.mark.parametrize("line", [b"{nonsense}", b"[]", b'{"time": 1}', b"\xff"])
def test_damage_inside_is_told_with_its_line(tmp_path, line):
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'{"event": "whole"}\n' + line + b'\n{"event": "x"}\n')
    with pytest.raises(PwactError, match="line 2"):
        Journal(path)


def test_an_event_is_on_disk_before_append_returns(tmp_path, monkeypatch):
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    sizes = []
    monkeypatch.setattr(os, "fsync", lambda fd: sizes.append(os.fstat(fd).st_size))
    journal.append("x")
    assert sizes[-1] == path.stat().st_size
    del sizes[:]
    journal.append("y")
    assert sizes == [path.stat().st_size]


def test_the_names_of_a_new_journal_and_its_directories_are_on_disk(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(
        os, "fsync", lambda fd: synced.append(Path(f"/proc/self/fd/{fd}").readlink())
    )
    path = tmp_path / "work" / ".pwact" / "journal.jsonl"
    path.parent.mkdir(parents=True)
    Journal(path).append("x")
    assert synced == [*list(path.parents)[:3], path]


def test_a_full_disk_is_told_and_leaves_the_journal_whole(tmp_path, monkeypatch):
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.append("kept")
    before = path.read_bytes()
    real = os.write

    def full(handle, data):
        real(handle, data[:5])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(PwactError, match="No space left"):
        journal.append("lost")
    monkeypatch.undo()
    assert path.read_bytes() == before
    journal.append("later")
    assert [event["event"] for event in Journal(path).events()] == ["kept", "later"]


GOOD = {
    "campaign_started": {"command": "run", "campaign": "c", "seed": 1},
    "stage_started": {"name": "a", "key": "k", "inputs": {}},
    "stage_set_aside": {"name": "a", "directory": "iter.0000/a", "to": "iter.0000/a-bk-1"},
    "taken_over": {"stages": [{"name": "a", "key": "", "inputs": {}, "files": {}, "report": {}}]},
    "job_submitted": {"name": "a", "id": "1"},
    "redo_asked": {"names": ["a"], "remade": []},
    "entries_given": {"part": 0, "seed": 1, "file": "p", "entries": {"0": {}}},
    "stage_done": {
        "name": "a",
        "key": "k",
        "files": {"f": "h"},
        "transient": ["t"],
        "report": {},
        "lost": [],
    },
    "stage_kept": {"name": "a", "key": "k", "inputs": {}, "files": {"f": "h"}},
}


@pytest.mark.parametrize(
    ("event", "changes", "told"),
    [
        ("campaign_started", {"seed": None}, "lacks 'seed'"),
        ("campaign_started", {"seed": "7"}, "'seed' is '7', not an integer"),
        ("campaign_started", {"seed": True}, "'seed' is 'True', not an integer"),
        ("stage_started", {"inputs": []}, r"'inputs' is '\[\]', not an object"),
        ("stage_started", {"key": None}, "lacks 'key'"),
        ("job_submitted", {"id": 12}, "'id' is '12', not text"),
        ("taken_over", {"stages": [{"name": "a"}]}, "lacks 'key'"),
        ("taken_over", {"stages": ["a"]}, "one of its stages"),
        ("stage_set_aside", {"to": "../elsewhere"}, "'to' leads out of the work directory"),
        ("stage_set_aside", {"directory": "/home"}, "'directory' leads out of"),
        ("redo_asked", {"names": None}, "lacks 'names'"),
        ("redo_asked", {"remade": ["a", 1]}, "'remade' holds something that is no text"),
        ("entries_given", {"entries": {"one": {}}}, "'entries' are none"),
        ("entries_given", {"entries": {"0": "all"}}, "'entries' are none"),
        ("stage_done", {"transient": [None]}, "'transient' holds something"),
        ("stage_done", {"files": {"f": 1}}, "'files' holds something"),
        ("stage_done", {"lost": [{}]}, "'lost' holds something"),
        ("stage_kept", {"files": {"f": []}}, "'files' holds something"),
    ],
)
def test_a_field_that_is_missing_or_wrong_is_told_with_its_line(tmp_path, event, changes, told):
    path = tmp_path / "journal.jsonl"
    whole = {"event": event, "time": 1.0, **GOOD[event]}
    path.write_text(json.dumps(whole) + "\n")
    assert Journal(path).events() == [whole]
    spoilt = {key: value for key, value in {**whole, **changes}.items() if value is not None}
    path.write_text(f'{{"event": "unknown"}}\n{json.dumps(spoilt)}\n')
    with pytest.raises(PwactError, match=f"line 2 is damaged: {event}: .*{told}.*nothing was"):
        Journal(path)
