"""The learning curve: each error stands at the number of labels that its models have seen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pwact.report import pictures
from pwact.report.pictures import learning_curve
from pwact.report.records import IterationRow, LabelRecord, SelectRecord, TrainRecord

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def row(number: int, valid: float, label: LabelRecord | None) -> IterationRow:
    select = None if label is None else SelectRecord(10, 6, 3, 1, 3)
    return IterationRow(f"iter.{number:04d}", TrainRecord(0.01, valid), None, select, label)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that would be written."""
    found: list[Figure] = []
    monkeypatch.setattr(pictures, "save", lambda figure, path: found.append(figure))
    return found


def test_errors_against_the_labels_that_the_models_saw(drawn: list[Figure]) -> None:
    rows = [
        row(0, 0.4, LabelRecord(5, 1, 0.6)),
        row(1, 0.3, LabelRecord(7, 0, 0.5)),
        row(2, 0.2, LabelRecord(0, 0, None)),
        row(3, 0.2, LabelRecord(11, 2, 0.4)),
        row(4, 0.1, None),
    ]
    assert learning_curve(Path("curve.png"), rows)
    errors, classes = drawn[0].axes
    curves = {line.get_label(): line.get_xydata().tolist() for line in errors.get_lines()}
    assert curves == {
        "first model, validation data": [[0, 0.4], [5, 0.3], [12, 0.2], [12, 0.2], [23, 0.1]],
        "exploring model, new labels": [[0, 0.6], [5, 0.5], [12, 0.4]],
    }
    assert errors.get_xlabel() == "labelled frames added by the run"
    heights = [[bar.get_height() for bar in bars] for bars in classes.containers]
    assert heights == [[60.0] * 4, [30.0] * 4, [10.0] * 4]
    places = [bar.get_x() + bar.get_width() / 2 for bar in classes.containers[0]]
    assert places == pytest.approx([0, 1, 2, 3])


def test_nothing_to_draw(drawn: list[Figure]) -> None:
    assert not learning_curve(Path("curve.png"), [IterationRow("iter.0000")])
    assert drawn == []
