"""A mapping that is kept in one file and only ever added to, at the cost of what is added."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pwact.io.durable import sync_directory


class Appended:
    """JSON objects one after the other, a line each; of two values for one key the later counts.

    A last object that a crash has torn does not count; the next `add` cuts it off, and whatever
    stands behind the first damage. A file of one object over several lines, as versions before
    wrote it, is read as well.

    Parameters
    ----------
    path
        The file. It is read once, and then belongs to this object.

    Attributes
    ----------
    values
        What the file holds; it must not be changed by the caller.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.values: dict[str, Any] = {}
        self._size = 0
        self._read()

    def add(self, changes: Mapping[str, Any]) -> None:
        """Add or change values, and wait until they are on disk. Raises OSError."""
        if not changes:
            return
        text = json.dumps(changes, sort_keys=True, separators=(",", ":")).encode("ascii") + b"\n"
        try:
            self._append(text)
        except OSError as error:
            error.filename = error.filename or str(self.path)  # a full disk does not say where
            raise
        self._size += len(text)
        self.values.update(changes)

    def _append(self, text: bytes) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = not self.path.exists()
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        handle = os.open(self.path, flags, 0o644)
        try:
            os.ftruncate(handle, self._size)
            if os.write(handle, text) < len(text):
                os.ftruncate(handle, self._size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(handle)
        finally:
            os.close(handle)
        if new:
            sync_directory(self.path.parent)

    def _read(self) -> None:
        try:
            text = self.path.read_bytes().decode("ascii", "replace")  # a sign for each byte
        except OSError:
            return
        decoder, end = json.JSONDecoder(), 0
        while end < len(text):
            try:
                found, end = decoder.raw_decode(text, end)
            except ValueError:
                return
            if not isinstance(found, dict):
                return
            while end < len(text) and text[end] in " \t\r\n":
                end += 1
            self.values.update(found)
            self._size = end
