from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pwact.query.window import Scores, classify
from pwact.report.label_error import LabelError, force_errors, write_label_error
from pwact.report.plots import classes, heading, histogram
from pwact.report.records import (
    ErrorRecord,
    ExploreRecord,
    IterationRow,
    LabelRecord,
    SelectRecord,
    TrainRecord,
)
from pwact.report.table import iteration_table
from pwact.uncertainties.committee import CommitteeDeviation
from pwact.uncertainties.kpu import KalmanUncertainty

DEVIATION, KPU = CommitteeDeviation.measure, KalmanUncertainty.measure


def test_the_table_shows_each_iteration_and_the_last_training() -> None:
    rows = [
        IterationRow(
            "iter.0000",
            TrainRecord(0.01, 0.5),
            ExploreRecord((300.0, 600.0), 4, 4),
            SelectRecord(200, 100, 50, 50, 8),
            LabelRecord(7, 1, 0.25),
            12.4,
        ),
        IterationRow("iter.0001", TrainRecord(0.001, 0.05)),
    ]
    wide = iteration_table(rows, wide=True).splitlines()
    names, units, first, last = (line.split() for line in wide)
    assert names[:3] == ["iteration", "temps", "frames"]
    assert units[:4] == ["K", "%", "%", "%"]
    assert first == [
        *("iter.0000", "300,600", "200", "50.0", "25.0", "25.0", "7", "1"),
        *("-", "-", "0.2500", "-", "-", "10.0", "0.5000", "12"),
    ]
    assert last == ["iter.0001", *"------------", "1.0", "0.0500", "-"]


ERRORS = (ErrorRecord("all", "", 7, 70, 7, 0.0012, 0.001, 0.25, 0.2, 1.5),)


def test_the_table_fits_a_terminal_and_hides_no_failure() -> None:
    explore = ExploreRecord((1000.0, 1200.0), 4, 4, 12)
    select = SelectRecord(1000000, 999999, 1, 0, 8)
    row = IterationRow("iter.0011", TrainRecord(0.01, 0.5), explore, select, LabelRecord(1234, 56))
    lines = iteration_table([replace(row, errors=ERRORS)] * 3).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[2].split() == [
        *("iter.0011", "12", "1000,1200", "1000000", ">99", "<1", "0", "1234"),
        *("1.2", "0.2500", "0.5000"),
    ]
    assert lines[5] == "labels that failed: 56 in iter.0011, 56 in iter.0011, 56 in iter.0011"
    explained = " ".join(lines[6:])
    for name in ("acc", "cand", "fail", "lab.", "F new", "F val."):
        assert name in lines[0]
        assert name in explained
    assert "labels that failed" not in iteration_table([IterationRow("iter.0000")])


@pytest.mark.parametrize("wide", [True, False])
def test_with_a_target_the_condition_of_each_iteration_has_a_column(wide: bool) -> None:
    rows = [
        IterationRow("iter.0000", explore=ExploreRecord((300.0,), 1, 1, 0)),
        IterationRow("iter.0001", explore=ExploreRecord((300.0,), 1, 1, 1)),
        IterationRow("iter.0002"),
    ]
    names, _, *lines = (line.split() for line in iteration_table(rows, wide).splitlines())
    assert names[:2] == ["iteration", "condition" if wide else "job"]
    assert [line[1] for line in lines[:3]] == ["0", "1", "-"]
    alone = iteration_table([IterationRow("iter.0000")], wide).splitlines()[0].split()
    assert alone[:2] == ["iteration", "temps" if wide else "T"]
    assert "condition" not in ExploreRecord((300.0,), 1, 1).to_json()


def test_columns_are_aligned() -> None:
    rows = [
        IterationRow("iter.0000", select=SelectRecord(count, count, 0, 0, 0))
        for count in (1, 100000)
    ]
    lines = iteration_table(rows).splitlines()
    ends = {line.index(count) + len(count) for line, count in zip(lines[2:], ("1 ", "100000 "))}
    assert len(ends) == 1


@pytest.mark.parametrize(
    ("temps", "shown"),
    [((600.0, 300.0, 300.0), "300,600"), ((1, 2, 3, 4.5), "1-4.5"), ((), "-")],
)
def test_temperatures(temps: tuple[float, ...], shown: str) -> None:
    table = iteration_table([IterationRow("iter.0000", explore=ExploreRecord(temps, 1, 1))])
    assert table.splitlines()[2].split()[1] == shown


def test_no_frames_is_no_division_by_zero() -> None:
    table = iteration_table([IterationRow("iter.0000", select=SelectRecord())])
    assert table.splitlines()[2].split()[2:6] == ["0", "0", "0", "0"]


def test_records_survive_json() -> None:
    record = ExploreRecord((300.0, 600.0), 4, 3)
    stored = {**record.to_json(), "temps_k": [300.0, 600.0], "of a later version": 1}
    assert ExploreRecord.from_json(stored) == record
    assert LabelRecord.from_json({"labelled": 3}) == LabelRecord(3, 0, None)


def test_force_errors_are_per_component_and_per_atom() -> None:
    true = np.zeros((2, 3))
    predicted = np.array([[3.0, 4.0, 0.0], [0.0, 0.0, 1.0]])
    rmse, largest = force_errors(predicted, true)
    assert rmse == pytest.approx(np.sqrt(26 / 6))
    assert largest == pytest.approx(5.0)


def test_label_error_file(tmp_path: Path) -> None:
    path = tmp_path / "label_error.csv"
    rows = [LabelError("a, b", 20, 0.1, 3.0, 5.0), LabelError("c", 40, 0.2, 4.0, 6.0)]
    assert write_label_error(path, rows) == pytest.approx(np.sqrt(12.5))
    with path.open(newline="", encoding="utf-8") as stream:
        read = list(csv.DictReader(stream))
    assert read[0] == {
        "file_path": "a, b",
        "config_index": "20",
        "devi_force": "0.1",
        "rmse_force": "3",
        "max_force": "5",
    }
    assert len(read) == 2
    assert write_label_error(path, []) is None
    assert len(path.read_text(encoding="utf-8").splitlines()) == 1


def test_histogram(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model_devi_distribution.png"
    values = np.array([0.05, 0.1, 0.2, 7.0, np.nan])
    assert histogram(path, values, (0.1, 0.2), DEVIATION)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert not histogram(tmp_path / "none.png", np.array([np.nan]), (0.1, 0.2), DEVIATION)
    monkeypatch.setattr("pwact.report.plots._drawable", lambda: False)
    assert not histogram(tmp_path / "none.png", values, (0.1, 0.2), DEVIATION)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_histogram_of_uncertainties(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model_devi_distribution.png"
    values = np.array([0.0, 1e-9, 3e-4, 2.0, 7e5, np.nan, np.inf])
    for limits in ((1e-5, 1.0), (0.0, 0.0), (np.nan, np.nan), (1e9, 1e10)):
        assert histogram(path, values, limits, KPU)
        assert path.read_bytes().startswith(b"\x89PNG")
        path.unlink()
    assert not histogram(path, np.array([0.0, np.nan]), (0.0, 0.0), KPU)
    monkeypatch.setattr("pwact.report.plots._drawable", lambda: False)
    assert not histogram(path, values, (1e-5, 1.0), KPU)
    assert list(tmp_path.iterdir()) == []


def test_without_limits_every_frame_has_failed() -> None:
    found = classes(np.array([1.0, 2.0]), np.nan, np.nan)
    assert {name: int(chosen.sum()) for name, chosen in found.items()} == {
        "accurate": 0,
        "candidate": 0,
        "failed": 2,
    }


def test_the_window_in_the_picture_is_half_open() -> None:
    values = np.array([0.05, 0.1, 0.15, 0.2, 7.0])
    chosen = {name: values[mask].tolist() for name, mask in classes(values, 0.1, 0.2).items()}
    assert chosen == {"accurate": [0.05], "candidate": [0.1, 0.15], "failed": [0.2, 7.0]}


def test_pictures_and_tables_agree_about_every_frame() -> None:
    values = np.array([0.0, 0.0, 0.05, 0.1, 0.15, 0.2, 7.0, 0.15, np.nan, np.inf, -np.inf])
    failed = np.zeros(len(values), dtype=bool)
    failed[[1, 7]] = True  # zeros after the first step, and a row with another bad number
    scores = Scores(np.arange(len(values)), values, failed)
    for lower, upper in ((0.1, 0.2), (0.0, 0.0), (np.nan, np.nan), (1e-9, 1e9)):
        table = classify(values, failed, lower, upper)
        drawn = classes(scores.usable, lower, upper)
        for kind, name in enumerate(("accurate", "candidate", "failed")):
            assert drawn[name].tolist() == (table == kind).tolist()


def test_failed_frames_without_a_value_are_drawn_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Any] = []
    monkeypatch.setattr("pwact.report.plots.save", lambda figure, path: found.append(figure))
    values = np.array([0.05, 0.1, 0.3, np.nan, np.nan])
    assert histogram(tmp_path / "a.png", values, (0.1, 0.2), DEVIATION)
    assert histogram(tmp_path / "b.png", values, (0.1, 0.2), KPU)
    for figure in found:
        (axes,) = figure.axes
        labels = [text.get_text() for text in axes.get_legend().get_texts()]
        assert labels[:3] == ["accurate 1 (20.0 %)", "candidate 1 (20.0 %)", "failed 3 (60.0 %)"]
        assert [label.rpartition("0.")[0] for label in labels[3:]] == [
            "lower limit ",
            "upper limit ",
        ]
        edges = [bar.get_x() for bar in axes.containers[0]]
        for limit in (0.1, 0.2):
            assert min(abs(edge - limit) for edge in edges) < 1e-12
        assert sum(bar.get_height() for bar in axes.containers[-1]) == 3
        assert axes.containers[-1][-1].get_height() >= 2  # the last bar
        assert "5 frames, mean 0.15, largest 0.3" in axes.get_title(loc="left")
        assert "2 failed frames without a usable value are drawn" in axes.get_title(loc="left")


def test_the_heading_counts_what_lies_beyond_the_picture() -> None:
    title = heading(np.array([0.1, 0.2, 0.3, 7.0]), 0.05, 0.25, "eV/Å").splitlines()
    assert title == [
        "4 frames, mean 1.9, largest 7 eV/Å, window 0.05 to 0.25",
        "1 frames above 1 eV/Å are drawn there",
    ]
    assert len(heading(np.array([0.1, 1.0]), 0.05, 0.25, "eV/Å").splitlines()) == 1
