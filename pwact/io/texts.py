"""Texts as people and archives keep them: compressed, and with the marks of editors."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Optional, TextIO, cast

from pwact.errors import InputError

_READERS: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
_STRANGE = {
    b"PK\x03\x04": "is a zip archive; unpack it",
    b"\x28\xb5\x2f\xfd": "is compressed (zstd); unpack it",
    b"\x1f\x9d": "is compressed (Unix compress); unpack it",
    codecs.BOM_UTF16_LE: "is written in UTF-16; save it as UTF-8",
    codecs.BOM_UTF16_BE: "is written in UTF-16; save it as UTF-8",
}
_HEAD_BYTES = 6
DAMAGED = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile)  # of a compressed file


def open_text(path: Path, newline: Optional[str] = None) -> TextIO:
    """Open a text for reading, also one that gzip, bzip2 or xz compressed; by content, not by name.

    It is UTF-8, with or without the byte order mark of Windows' editors; other bytes are replaced.
    Reading a compressed file that was cut off or damaged raises one of `DAMAGED`.

    Raises
    ------
    InputError
        It is compressed or written in another way.
    OSError
        It cannot be opened.
    """
    with path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    for mark, problem in _STRANGE.items():
        if head.startswith(mark):
            raise InputError(problem, path)
    reader = next((one for mark, one in _READERS.items() if head.startswith(mark)), None)
    if reader is not None:
        raw = cast("BinaryIO", reader(path, "rb"))
        return io.TextIOWrapper(raw, "utf-8-sig", errors="replace", newline=newline)
    marked = head.startswith(codecs.BOM_UTF8)
    encoding = "utf-8-sig" if marked else "utf-8"  # the plain one is faster
    return path.open(encoding=encoding, errors="replace", newline=newline)


def read_text(path: Path) -> str:
    """The whole text of a file; see `open_text`.

    Raises
    ------
    InputError
        It cannot be read; names the file.
    """
    try:
        with open_text(path) as stream:
            return stream.read()
    except DAMAGED as error:
        raise InputError(f"is compressed, and damaged: {error}", path) from error
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path) from error
