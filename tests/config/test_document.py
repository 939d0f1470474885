from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pwact.config.document import plain, read_document, shown


def document(path: Path, content: bytes) -> Any:
    path.write_bytes(content)
    return read_document(path).root


def test_numbers_keep_their_text(tmp_path: Path) -> None:
    root = document(tmp_path / "a.json", b'{"a": [1.50, 10, -1E+2]}')
    assert root["a"] == [1.5, 10, -100.0]
    assert [number.text for number in root["a"]] == ["1.50", "10", "-1E+2"]


def test_plain_values_are_ordinary(tmp_path: Path) -> None:
    root = document(tmp_path / "a.json", b'{"a": [1.50, {"b": 10}], "c": null, "d": true}')
    made = plain(root)
    assert made == {"a": [1.5, {"b": 10}], "c": None, "d": True}
    assert [type(made), type(made["a"][0]), type(made["a"][1]["b"])] == [dict, float, int]
    assert json.loads(json.dumps(root)) == made


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
def test_utf8_with_and_without_mark(start: bytes, tmp_path: Path) -> None:
    assert document(tmp_path / "a.json", start + '{"ä": "é"}'.encode()) == {"ä": "é"}


def test_comments_may_be_repeated(tmp_path: Path) -> None:
    assert document(tmp_path / "a.json", b'{"_a": 1, "_a": 2, "b": 3}') == {"_a": 2, "b": 3}


@pytest.mark.parametrize(
    ("value", "text"),
    [("a\nb", '"a\\nb"'), ("x" * 99, '"' + "x" * 58 + "…"), ([1, None], "[1, null]")],
)
def test_values_in_messages_are_short_and_one_line(value: Any, text: str) -> None:
    assert shown(value) == text
