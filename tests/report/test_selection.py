from __future__ import annotations

import csv
import tracemalloc
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from pwact.report.records import SelectRecord
from pwact.report.selection import (
    Basis,
    MdEnd,
    iteration_entry,
    label_entry,
    record,
    summary_line,
    summary_text,
    write_selection,
    write_table,
)

ENDS = (MdEnd("iter.0000/a", True), MdEnd("iter.0000/b", False))


@dataclass
class Table:
    """As many frames as asked for; the paths need quoting."""

    count: int

    def __post_init__(self) -> None:
        self.values = np.linspace(0.1, 0.2, self.count)
        self.steps = np.arange(self.count) * 10
        self.trajectories = np.array(['iter.0000/a, "b"'] * self.count, dtype=object)

    def __len__(self) -> int:
        return self.count


@dataclass
class Chosen:
    accurate: Table = field(default_factory=lambda: Table(5))
    candidate: Table = field(default_factory=lambda: Table(2))
    deleted: Table = field(default_factory=lambda: Table(0))
    failed: Table = field(default_factory=lambda: Table(1))


def test_summary_with_a_limit(tmp_path: Path) -> None:
    write_selection(tmp_path, Chosen(deleted=Table(1)), ENDS)
    assert (tmp_path / "select_summary.txt").read_text(encoding="utf-8") == (
        "Total structures 9    accurate 5 rate 55.56%    selected 3 rate 33.33%"
        "    error 1 rate 11.11%\n"
        "\n"
        "Select by model deviation force:\n"
        "Accurate configurations: 5, details in file accurate.csv\n"
        "Candidate configurations: 3, randomly select 2, delete 1\n"
        "        Select details in file candidate.csv\n"
        "        Delete details in file candidate_delete.csv.\n"
        "Error configurations: 1, details in file fail.csv\n"
        "\n"
        "Total trajectories: 2, ended normally: 1, stopped early: 1, "
        "details in file error_traj.log\n"
    )


def test_summary_without_a_limit() -> None:
    text = summary_text(record(Chosen()), ENDS[:1])
    assert "Candidate configurations: 2\n        Select details in file candidate.csv\nE" in text
    assert "elete" not in text
    assert text.endswith("\n\nTotal trajectories: 1, ended normally: 1, stopped early: 0\n")


def test_summary_of_limits_that_the_models_gave() -> None:
    basis = Basis("Kalman prediction uncertainty", ["md.000.sys.000: base 3", "md.000.sys.001: x"])
    lines = summary_text(record(Chosen()), ENDS, basis).splitlines()
    assert lines[2:6] == [
        "Select by Kalman prediction uncertainty:",
        "md.000.sys.000: base 3",
        "md.000.sys.001: x",
        "Accurate configurations: 5, details in file accurate.csv",
    ]


def test_tables(tmp_path: Path) -> None:
    (tmp_path / "candidate_delete.csv").write_text("of an earlier try", encoding="utf-8")
    line = write_selection(tmp_path, Chosen(), ENDS)
    assert line == summary_line(SelectRecord(8, 5, 2, 1, 2))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "accurate.csv",
        "candidate.csv",
        "error_traj.log",
        "fail.csv",
        "select_summary.txt",
    ]
    with (tmp_path / "candidate.csv").open(newline="", encoding="utf-8") as stream:
        assert list(csv.reader(stream)) == [
            ["devi_force", "config_index", "file_path"],
            ["0.1", "0", 'iter.0000/a, "b"'],
            ["0.2", "10", 'iter.0000/a, "b"'],
        ]
    listed = (tmp_path / "error_traj.log").read_text(encoding="utf-8").splitlines()
    assert listed[1:] == ["", "Stopped early:", "iter.0000/b", "", "Ended normally:", "iter.0000/a"]


def test_a_long_table_is_written_a_few_rows_at_a_time(tmp_path: Path) -> None:
    table = Table(30_000)
    tracemalloc.start()
    try:
        write_table(tmp_path / "long.csv", table)  # type: ignore[arg-type]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_500_000  # bytes; all rows at once take 2.5 million
    with (tmp_path / "long.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.reader(stream))[1:]
    columns = (table.values, table.steps, table.trajectories)
    assert rows == [[str(cell) for cell in row] for row in zip(*(one.tolist() for one in columns))]


def test_no_frames_at_all() -> None:
    assert "accurate 0 rate 0.00%" in summary_line(SelectRecord())


def test_entries_of_iter_result() -> None:
    entry = iteration_entry("iter.0003", SelectRecord(8, 5, 2, 1, 2), ENDS)
    assert entry.startswith("iter.0003  Total structures 8    accurate 5 rate 62.50%")
    assert entry.splitlines()[1].startswith("Total trajectories: 2")


@pytest.mark.parametrize(
    ("lost", "text"),
    [
        ([], "Number of converged files: 3, number of non-converged files: 0\n"),
        (
            ["x/1-scf", "x/2-scf"],
            "Number of converged files: 3, number of non-converged files: 2\n"
            "Non-converged files:\nx/1-scf\nx/2-scf\n",
        ),
    ],
)
def test_label_entry(lost: list[str], text: str) -> None:
    assert label_entry(3, lost) == text
