"""A master that dies at journal lines, within the process of a test."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Callable

import pytest

from pwact.io.journal import Journal

STARTS = 200


class PowerCutError(BaseException):
    """The master is dead: nothing catches it."""


def until_done(monkeypatch: pytest.MonkeyPatch, start: Callable[[], object], torn: bool) -> int:
    """Start again and again; each start dies at the first line that none before it has died at.

    Parameters
    ----------
    torn
        Half of the line is on disk; else all of it.

    Returns
    -------
    int
        How often it died.
    """
    seen: set[str] = set()
    dead: list[bool] = []
    real = Journal.append_all

    def append_all(journal: Journal, event: str, records: Sequence[Mapping[str, Any]]) -> None:
        names = [re.sub("-[0-9a-f]{12}$", "", record.get("name", "")) for record in records]
        places = [record.get("directory", "") for record in records]
        sort = f"{event} {names} {places}"
        if dead:
            raise PowerCutError
        new = sort not in seen and event != "master_ended"
        if new and torn:
            with journal.path.open("ab") as stream:
                stream.write(b'{"event": "' + event[: len(event) // 2].encode())
        else:
            real(journal, event, records)
        if new:
            seen.add(sort)
            dead.append(True)
            raise PowerCutError

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "append_all", append_all)
        for deaths in range(STARTS):
            dead.clear()
            try:
                start()
            except PowerCutError:
                continue
            return deaths
    raise AssertionError(f"not done after {STARTS} starts")
