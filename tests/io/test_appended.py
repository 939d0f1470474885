"""A mapping that is added to: what was added is there, whatever a crash has torn."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pwact.io.appended import Appended
from pwact.io.files import write_json

FIRST, SECOND = {"a": "1", "b": ""}, {"b": "2", "ü": {"x": [1]}}


def whole(path: Path) -> dict[str, Any]:
    return Appended(path).values


def test_what_was_added_counts_the_later_of_two_values(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "x.json"
    kept = Appended(path)
    assert kept.values == {}
    for changes in (FIRST, {}, SECOND):
        kept.add(changes)
    assert kept.values == whole(path) == {**FIRST, **SECOND}
    assert len(path.read_text().splitlines()) == 2


def test_adding_costs_what_is_added(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    kept, sizes = Appended(path), []
    for number in range(1000, 1050):
        before = path.stat().st_size if path.exists() else 0
        kept.add({str(number): "place"})
        sizes.append(path.stat().st_size - before)
    assert set(sizes) == {sizes[0]}
    assert len(whole(path)) == 50


def test_a_file_of_before_is_read_and_added_to(tmp_path: Path) -> None:
    path = tmp_path / "sources.json"
    write_json(path, FIRST)
    old = path.read_bytes()
    Appended(path).add(SECOND)
    assert path.read_bytes().startswith(old)
    assert whole(path) == {**FIRST, **SECOND}


def test_a_torn_end_is_left_out_and_cut_off(tmp_path: Path) -> None:
    """Cut at every byte, and with zeros where a lost block was."""
    path = tmp_path / "x.json"
    write_json(path, FIRST)
    first = path.stat().st_size
    Appended(path).add(SECOND)
    content = path.read_bytes()
    for end in range(len(content)):
        for torn in (content[:end], content[:end].ljust(len(content), b"\0")):
            path.write_bytes(torn)
            closed = content[:end].count(b"}") - content[:end].count(b"{") == 0
            known = {} if end < first - 1 else FIRST
            known = {**FIRST, **SECOND} if closed and end > first else known
            kept = Appended(path)
            assert kept.values == known, (end, torn)
            kept.add({"c": "3"})
            assert whole(path) == {**known, "c": "3"}, (end, torn)


@pytest.mark.parametrize("content", [b"[1]\n", b"nonsense", b"\xff\xfe{}", b'{"a": 1}\n2\n'])
def test_what_is_no_object_ends_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    kept = Appended(path)
    assert kept.values == ({"a": 1} if b"a" in content else {})
    kept.add({"b": "2"})
    assert whole(path) == {**kept.values}


def test_a_disk_that_takes_a_part_leaves_it_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.json"
    kept = Appended(path)
    kept.add(FIRST)
    before, write = path.read_bytes(), os.write
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda handle, text: write(handle, text[:5]))
        with pytest.raises(OSError, match="No space left") as raised:
            kept.add(SECOND)
    assert raised.value.filename == str(path)
    assert path.read_bytes() == before
    assert kept.values == json.loads(before) == FIRST
    kept.add(SECOND)
    assert whole(path) == {**FIRST, **SECOND}
