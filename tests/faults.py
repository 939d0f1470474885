"""The tables of faults in docs/slurm.md: each row has tests, which assert what it says is read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent / "docs" / "slurm.md"
NOTHING = "nothing"
HEAD = "failure"  # of the first column
tested: set[str] = set()


def _rows() -> dict[str, str]:
    _, _, tables = PAGE.read_text(encoding="utf-8").partition("\n## What goes wrong\n")
    lines = [line.strip("| ") for line in tables.splitlines() if line.startswith("|")]
    cells = [re.split(r" \| ", line) for line in lines if not line.startswith("---")]
    return {fault: reads for fault, _, reads in cells if fault != HEAD}


ROWS = _rows()


def fault(name: str) -> pytest.MarkDecorator:
    """Mark a test as one of a row of the tables."""
    assert name in ROWS, f"docs/slurm.md has no row {name!r}"
    tested.add(name)
    return pytest.mark.fault(name)


def assert_read(name: str, text: str) -> None:
    """The user reads what the row says: every part in backticks, where … stands for any words."""
    if ROWS[name] == NOTHING:
        assert not text
        return
    for words in re.findall(r"`([^`]+)`", ROWS[name]):
        pattern = ".*".join(re.escape(part) for part in words.split("…"))
        assert re.search(pattern, text), f"{words!r} is not in {text!r}"
