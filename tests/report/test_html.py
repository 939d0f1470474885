"""The charts and the packed structures of the page."""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from pwact.report.html import charts
from pwact.report.html.facts import (
    CurvePoint,
    JobBar,
    LabelledFrame,
    Measured,
    StepCost,
    Structure,
)
from pwact.report.html.page import _packed
from pwact.report.html.svg import Chart, Scale, decades, linear


def circles(text: str, kind: str) -> list[tuple[float, float]]:
    """Places of the dots of a kind, those of the legend left out."""
    drawn = text.partition("<figcaption>")[0]
    found = re.findall(rf'<circle class="{kind}" cx="([\d.]+)" cy="([\d.]+)" r=', drawn)
    return [(float(x), float(y)) for x, y in found]


def test_scales() -> None:
    assert Scale(0.0, 10.0).share(2.5) == 0.25
    assert Scale(0.01, 1.0, log=True).share(0.1) == pytest.approx(0.5)
    assert Scale(0.0, 1.0).ticks() == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert Scale(-0.6, 1.6, whole=True).ticks() == [0.0, 1.0]
    assert Scale(0.008, 0.3, log=True).ticks() == [0.01, 0.02, 0.05, 0.1, 0.2]
    assert Scale(1e-6, 1.0, log=True).ticks() == [1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 1.0]
    for scale in (linear([]), linear([3.0]), linear([np.nan, 3.0]), decades([]), decades([0.0])):
        assert scale.low < scale.high
        assert scale.ticks()
    assert linear([0.2, 0.4], zero=True).low == 0.0


def test_a_logarithmic_axis_ends_below_five_decades() -> None:
    """What is lower is shown at its end, and counted in the legend."""
    scale = decades([1e-14, 0.002, 0.08])
    assert scale.high == pytest.approx(0.1)
    assert scale.low == pytest.approx(1e-6)
    assert scale.share(1e-14) == 0.0
    assert [scale.below(value) for value in (1e-14, 0.002)] == [True, False]
    frames = [
        LabelledFrame("hot", (), 0, 1e-3, 0.08, 0.1, temp_k=600.0),
        LabelledFrame("start", (), 0, 1e-9, 1e-14, 1e-13, temp_k=300.0),
    ]
    for text in (charts.error_by_temperature(frames), charts.deviations(frames, "U", [], None)):
        words = "".join(ET.fromstring(text).itertext())
        assert "of these 1 below an axis, shown at its end" in words
        (_, low), (_, high) = sorted(circles(text, "chosen"), key=lambda one: one[1])
        assert low < high
        assert "1e-10" not in words


def test_long_numbers_stand_beside_the_name_of_their_axis() -> None:
    places = {}
    for high in (2.0, -34.375):
        chart = Chart(Scale(0.0, 1.0), Scale(high - 0.1, high), ("x", "y"), "a chart")
        places[high] = chart.place(0.0, high)[0]
    assert places[-34.375] > places[2.0] == 60


def test_marks_lie_where_the_axes_say() -> None:
    chart = Chart(Scale(0.0, 1.0), Scale(0.0, 2.0), ("x < y", "y & z"), 'a "chart"')
    chart.dots([(0.0, 0.0, "<first>"), (1.0, 2.0, "")], "valid")
    chart.limit("above", y=3.0)
    chart.limit("there", x=0.5)
    text = chart.text()
    tree = ET.fromstring(text)
    (low, bottom), (high, top) = circles(text, "valid")
    assert low < high
    assert top < bottom
    words = [part.strip() for part in tree.itertext() if part.strip()]
    assert {"x < y", "y & z", "<first>", "there"} <= set(words)
    assert "above" not in words


def test_a_learning_curve_has_error_bars_and_a_target() -> None:
    points = [
        CurvePoint(0, 0, Measured(0.12, 0.1, 0.15, 4), Measured(0.2, 0.1, 0.3, 8)),
        CurvePoint(1, 8, Measured(0.03, 0.025, 0.04, 4), None, Measured(0.01, 0.008, 0.02, 2)),
    ]
    text = charts.learning_curve(points, 0.02)
    tree = ET.fromstring(text)
    assert len(circles(text, "valid")) == 2
    assert len(circles(text, "chosen")) == len(circles(text, "control")) == 1
    assert text.count('<path class="line ') == 4
    assert "target 0.02" in "".join(tree.itertext())
    assert charts.learning_curve([CurvePoint(0, 0)], 0.02) == ""


def test_errors_against_uncertainties() -> None:
    frames = [
        LabelledFrame("one", (), 0, 0.1, 0.2, 0.3),
        LabelledFrame("two", (), 0, 0.2, 0.1, 0.3, control=True),
        LabelledFrame("three", (), 0, 0.0, 0.1, 0.3),
        LabelledFrame("four", (), 1),
    ]
    text = charts.deviations(frames, "deviation", [("lower limit", 0.05)], 0.15)
    ET.fromstring(text)
    assert len(circles(text, "chosen")) == len(circles(text, "control")) == 1
    assert "lower limit 0.05" in text
    assert "target 0.15" in text
    assert "both are the same" not in text  # a deviation of what?
    assert "both are the same" in charts.deviations(frames, "deviation (eV/Å)", (), None)
    assert charts.deviations(frames[2:], "deviation", (), None) == ""
    assert charts.error_by_temperature(frames) == ""


def test_parity_leaves_out_what_is_not_known() -> None:
    pairs = np.array([[0.0, 0.1], [1.0, np.nan], [2.0, 1.9]])
    text = charts.parity(pairs, "energy", "eV")
    ET.fromstring(text)
    assert len(circles(text, "chosen small")) == 2
    assert charts.parity(pairs[1:2], "energy", "eV") == ""


JOBS = [
    JobBar("train0-a", "train", "iter.0000/train", 0.0, 10.0, 70.0, "ended", 4),
    JobBar("train1-b", "train", "iter.0000/train", 0.0, None, None, "submitted", 4),
    JobBar("md<0>", "explore", "iter.0000/explore", 80.0, None, 90.0, "failed", None),
]


def test_a_timeline_shows_waiting_and_work() -> None:
    text = charts.timeline(JOBS, 100.0)
    tree = ET.fromstring(f"<div>{text}</div>")
    words = "".join(tree.itertext())
    assert "md<0>, failed" in words
    assert len(re.findall('<rect class="waited"', text)) == 2
    assert len(re.findall('<rect class="failed"', text)) == 1
    wide = [float(one) for one in re.findall(r'<rect class="waited"[^>]* width="([\d.]+)"', text)]
    assert wide[1] == pytest.approx(10 * wide[0], rel=0.01)


def test_a_long_timeline_stays_small() -> None:
    many = [JobBar(f"j{n}", "md", "s", float(n), n + 1.0, n + 9.0, "ended", 1) for n in range(9000)]
    text = charts.timeline(many, 9009.0)
    assert text.count('<rect class="worked"') == charts.BARS
    assert text.count("<title>j0, ") + text.count("s: j0, ") == 1


def test_costs() -> None:
    text = charts.costs([StepCost("train", 2, 30.0, 3600.0, 4.0), StepCost("md", 1, 0, 5, None)])
    cells = re.findall("<t[hd][^>]*>([^<]*)</t[hd]>", text)
    assert cells[5:] == ["train", "2", "30 s", "1 h", "4", "md", "1", "0 s", "5 s", "not recorded"]


def test_a_packed_structure_is_the_structure() -> None:
    lots = np.random.default_rng(3)
    positions = lots.uniform(-40.0, 900.0, (50, 3))
    numbers = lots.integers(1, 100, 50)
    packed = _packed(Structure(numbers, positions, np.eye(3) * 940.0, 7))
    assert packed is not None
    assert packed["l"] == 7
    back = np.frombuffer(base64.b64decode(packed["p"]), "<i2").reshape(-1, 3) * packed["u"]
    assert back - packed["o"] == pytest.approx(positions, abs=0.02)
    assert np.frombuffer(base64.b64decode(packed["z"]), "u1").tolist() == numbers.tolist()
    assert _packed(None) is None
