"""Texts that are compressed, or that an editor marked."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from pwact.errors import InputError
from pwact.io.texts import read_text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04 whatever", "is a zip archive; unpack it"),
        (b"\x28\xb5\x2f\xfd whatever", "zstd"),
        ("text".encode("utf-16"), "UTF-16; save it as UTF-8"),
        (gzip.compress(b"text" * 1000)[:20], "is compressed, and damaged"),
        (b"\x1f\x8b nonsense", "is compressed, and damaged"),
    ],
    ids=["zip", "zstd", "utf-16", "cut", "damaged"],  # a compressed text holds the time
)
def test_what_cannot_be_read_is_refused_by_name(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "a.poscar"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_text(path)
    assert caught.value.file == path


def test_a_mark_is_no_text_and_bytes_that_are_none_are_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo\xff")
    assert read_text(path) == "one\ntwo\ufffd"
    path.write_bytes(b"")
    assert read_text(path) == ""
