"""The record and the summary of PWact."""

from __future__ import annotations

from pathlib import Path

import pytest

from pwact.errors import InputError
from pwact.formats.al_record import Entry, Step, read_record, read_summary


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("\n0 0\n0 1\n0 2\n1 0", Step(1, 0)),
        ("0 0\n\n  \n", Step(0, 0)),
        ("nonsense\n12 2\n", Step(12, 2)),
        ("\n\n", None),
        ("", None),
    ],
)
def test_only_the_last_line_counts(tmp_path: Path, text: str, step: Step) -> None:
    (tmp_path / "al.record").write_text(text)
    assert read_record(tmp_path / "al.record") == step


@pytest.mark.parametrize("text", ["0 0\n1", "0 -1", "0 1 2", "0 3", "0 \u0661", "\x00\xff"])
def test_a_last_line_that_is_no_step(tmp_path: Path, text: str) -> None:
    (tmp_path / "al.record").write_bytes(text.encode("latin-1", "replace"))
    with pytest.raises(InputError, match="al.record: line .: found"):
        read_record(tmp_path / "al.record")


def test_steps_are_ordered_as_they_are_done() -> None:
    assert Step(0, 2) < Step(1, 0) < Step(1, 1)
    assert Step(1, 2).words == "iter.0001 label"


def test_entries_are_kept_word_for_word(tmp_path: Path) -> None:
    head = "iter.0000  Total structures 10    accurate 2 rate 20.00%\nTotal 2 trajectories.\n"
    label = (
        "Number of converged files: 3, number of non-converged files: 1\n"
        "Non-converged files:\n/old/place/820-scf\n"
    )
    later = "iter.0001  Total structures 5\n"
    path = tmp_path / "iter_select.txt"
    path.write_text(f"iter.0000  first try\n\n\n{head}\n{label}\n{later}")
    assert read_summary(path) == {0: Entry(head, label, 3, 1), 1: Entry(later)}
    assert read_summary(tmp_path / "none") == {}
