"""The learning curve: each error stands at the number of labels that its models have seen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pwact.report import parity_pictures, pictures
from pwact.report.parity import Compared
from pwact.report.parity_pictures import parity
from pwact.report.pictures import Curve, Scale, boxes, by_step, by_temperature, learning_curve
from pwact.report.plots import on_edges
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
    for module in (pictures, parity_pictures):
        monkeypatch.setattr(module, "save", lambda figure, path: found.append(figure))
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
    errors, energies, classes = drawn[0].axes
    (curve,) = energies.get_lines()
    assert curve.get_ydata().tolist() == pytest.approx([10.0] * 5)  # meV/atom
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


STEPS = np.array([0, 100, 200])


def curve(temp: float | None, press: float | None, dt: float | None = 0.002) -> Curve:
    return Curve(STEPS, np.array([0.1, 0.2, 0.3]), temp, press, dt, np.array([100]))


def legend(figure: Figure) -> list[str]:
    (axes, *_) = figure.axes
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_lines_have_time_pressure_limits_and_what_is_labelled(drawn: list[Figure]) -> None:
    curves = [curve(900.0, 30000.0), curve(900.0, 0.0), curve(300.0, 0.0)]
    by_step(Path("a.png"), "slab", curves, Scale("deviation", (0.15, 0.25), "eV/Å"))
    (axes,) = drawn[0].axes
    assert axes.get_xlabel() == "time (ps)"
    assert legend(drawn[0]) == [
        *("300 K, 0 bar", "900 K, 0 bar", "900 K, 30000 bar", "labelled (3)"),
        *("accurate below 0.15 eV/Å", "failed from 0.25 eV/Å"),
    ]
    lines = {line.get_label(): line for line in axes.get_lines()}
    assert lines["300 K, 0 bar"].get_xdata().tolist() == pytest.approx([0.0, 0.2, 0.4])
    assert lines["labelled (3)"].get_xdata().tolist() == pytest.approx([0.2] * 3)
    styles = [lines[f"900 K, {press} bar"].get_linestyle() for press in (0, 30000)]
    assert len(set(styles)) == 2


def test_without_time_steps_there_are_md_steps(drawn: list[Figure]) -> None:
    by_step(Path("a.png"), "slab", [curve(300.0, None), curve(300.0, None, None)], Scale("u", None))
    (axes,) = drawn[0].axes
    assert axes.get_xlabel() == "MD step"
    assert legend(drawn[0]) == ["300 K", "labelled (2)"]


def test_pressures_have_boxes_of_their_own(drawn: list[Figure]) -> None:
    scale = Scale("u", (0.05, 9.0), "eV/Å")
    assert by_temperature(Path("a.png"), "slab", [curve(300.0, 0.0), curve(300.0, 5e4)], scale)
    assert by_temperature(Path("a.png"), "slab", [curve(300.0, 0.0)] * 2, scale)
    assert not by_temperature(Path("a.png"), "slab", [curve(None, 0.0)], scale)
    names = [[tick.get_text() for tick in one.axes[0].get_xticklabels()] for one in drawn]
    assert names == [["300 K\n0 bar\n(n = 3)", "300 K\n50000 bar\n(n = 3)"], ["300\n(n = 6)"]]
    assert legend(drawn[1]) == ["accurate below 0.05 eV/Å"]


def test_iterations_beside_each_other(drawn: list[Figure]) -> None:
    boxes(
        Path("a.png"), "all", {"0000": np.ones(3), "0001": np.full(2, 2.0)}, Scale("u", None), "i"
    )
    (axes,) = drawn[0].axes
    assert [tick.get_text() for tick in axes.get_xticklabels()] == [
        "0000\n(n = 3)",
        "0001\n(n = 2)",
    ]
    assert axes.get_legend() is None


def test_limits_lie_on_the_edges_of_bars() -> None:
    edges = np.linspace(0.0, 1.0, 11)
    found = on_edges(edges, (0.13, 0.17))
    assert found.tolist() == pytest.approx([0, 0.13, 0.17, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1])
    assert on_edges(edges, (-np.inf, np.inf)).tolist() == edges.tolist()
    assert on_edges(edges, (0.5, 2.0)).tolist() == pytest.approx(edges.tolist())
    assert on_edges(np.array([0.0, 1.0]), (0.2, 0.3)).tolist() == [0.0, 0.2, 0.3, 1.0]


def compared(energy: float) -> Compared:
    label = np.array([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    names = np.array(["Ag", "Au"])
    return Compared("a", 0, "slab", 300.0, None, names, (-2.0, energy), label, label + 0.5)


def test_model_against_label(drawn: list[Figure]) -> None:
    groups = [("iter.0000", [compared(-1.0)]), ("iter.0001", []), ("iter.0002", [compared(-3.0)])]
    assert parity(Path("a.png"), groups)
    forces, energies = drawn[0].axes
    assert forces.get_title(loc="left") == "Forces, RMSE 0.5 eV/Å"
    assert energies.get_title(loc="left") == "Energies, RMSE 500 meV/atom"
    first, last = (points.get_offsets().tolist() for points in energies.collections)
    assert (first, last) == ([[-1.0, -0.5]], [[-1.0, -1.5]])
    assert [text.get_text() for text in forces.get_legend().get_texts()] == [
        "iter.0000",
        "iter.0002",
    ]
    assert parity(Path("a.png"), [("iter.0000", [compared(float("nan"))])])
    assert len(drawn[1].axes) == 1
    assert not parity(Path("a.png"), [("iter.0000", [])])
