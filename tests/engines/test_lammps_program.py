"""What the output of LAMMPS says of its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from pwact.engines.lammps.program import WALL_TIME, ended_well

LAST = "Total wall time: 0:00:12"
BEFORE = "Loop time of 0.1 on 1 procs for 30 steps with 8 atoms\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "md.log"


@pytest.mark.parametrize(
    "end",
    [
        LAST,
        f"{LAST}\n",
        f"  {LAST}\r\n",
        "Total wall time: 123:59:07\n",
        f"{LAST}\n\nmpirun: one line behind it\nand another one\n",
    ],
    ids=["cut-newline", "newline", "indented", "days", "words-behind"],
)
def test_it_ended(log: Path, end: str) -> None:
    log.write_text(BEFORE + end)
    assert ended_well(log)


@pytest.mark.parametrize("size", range(len(LAST)))
def test_a_last_line_that_is_cut_off_is_no_end(log: Path, size: int) -> None:
    """The disk was full, or the machine died, while it was written."""
    log.write_text(BEFORE + LAST[:size])
    assert not ended_well(log)


@pytest.mark.parametrize(
    "text", [f"print '{LAST}'\n", f"{WALL_TIME}: unknown\n", "Total time: 0:00:12\n"]
)
def test_other_lines_that_look_alike_are_none(log: Path, text: str) -> None:
    log.write_text(BEFORE + text)
    assert not ended_well(log)


def test_without_a_log_it_has_not_ended(log: Path) -> None:
    assert not ended_well(log)
