"""Limits of the Kalman prediction uncertainty, reckoned by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pwact.formats.kpu_devi import read_kpu_devi
from pwact.query.candidates import Group, select_candidates
from pwact.query.kpu import base_of, kpu_window
from pwact.query.window import Scores, Window

# two trajectories as MatPL prints them
COLD = """\
#     step        etot_kpu      f_kpu_mean       f_kpu_max       f_kpu_min
         0            0.00           10.00           20.00            2.00
        10            0.00           20.00           30.00            2.00
        20            0.00           30.00           40.00            2.00
        30            0.00           40.00           50.00            2.00
        40            0.00           50.00           60.00            2.00
        50            0.00          149.99          200.00            2.00
        60            0.00          150.00          200.00            2.00
        70            0.00         1499.99         3000.00            2.00
        80            0.00         1500.00         3000.00            2.00
"""
HOT = """\
#     step        etot_kpu      f_kpu_mean       f_kpu_max       f_kpu_min
         0            0.00           15.00           20.00            2.00
        10            0.00           45.00           60.00            2.00
        20            0.00             nan             nan             nan
"""


def scores(values: list[float], failed: tuple[int, ...] = ()) -> Scores:
    array = np.array(values, dtype=float)
    return Scores(np.arange(len(array)), array, np.isin(np.arange(len(array)), failed))


def recorded(path: Path, text: str) -> Scores:
    path.write_text(text)
    rows = read_kpu_devi(path)
    return Scores(rows.steps, rows.f_mean, rows.failed)


def test_recorded_files_by_hand(tmp_path: Path) -> None:
    cold, hot = recorded(tmp_path / "cold", COLD), recorded(tmp_path / "hot", HOT)
    base = base_of([cold, hot])
    assert base == pytest.approx((10 + 20 + 30 + 40 + 50 + 15 + 45) / 7)  # 30, pooled
    window = kpu_window(base, 5.0, 10.0)
    assert (window.lower, window.upper) == pytest.approx((150.0, 1500.0))
    group = Group(0, 0, None, [("cold", cold), ("hot", hot)], window)
    found = select_candidates([group], lambda md, sys: np.random.default_rng(0))
    assert found.accurate.steps.tolist() == [0, 10, 20, 30, 40, 50, 0, 10]
    assert found.candidate.values.tolist() == [150.0, 1499.99]  # lower <= v < upper
    assert found.failed.steps.tolist() == [80, 20]


@pytest.mark.parametrize(
    ("rows", "first"), [(1, 1), (4, 4), (5, 5), (499, 5), (599, 5), (600, 6), (2900, 29)]
)
def test_how_many_rows_make_the_base(rows: int, first: int) -> None:
    assert base_of([scores(list(range(rows)))]) == pytest.approx((first - 1) / 2)


def test_long_trajectories_weigh_more() -> None:
    long, short = [3.0] * 10 + [9.0] * 990, [9.0] * 5 + [1.0] * 90
    assert base_of([scores(long), scores(short)]) == pytest.approx((10 * 3 + 5 * 9) / 15)


def test_rows_that_failed_are_no_base() -> None:
    assert base_of([scores([1.0, np.nan, 1e9, 3.0], failed=(2,))]) == 2.0
    assert np.isnan(base_of([scores([np.nan] * 9)]))
    assert np.isnan(base_of([]))


def test_the_upper_factor_multiplies_the_lower_limit() -> None:
    assert kpu_window(2.0, 0.5, 1.5) == Window(1.0, 1.5)
