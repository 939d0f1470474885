"""Quantiles, and the window that is proposed."""

from __future__ import annotations

import numpy as np
import pytest

from pwact.query.spread import quantiles, window_to_try


def test_quantiles_are_values_that_were_seen() -> None:
    values = np.array([np.nan, *range(101)], dtype=float)
    np.random.default_rng(0).shuffle(values)
    assert quantiles(values) == (0, 5, 25, 50, 75, 95, 100)
    assert quantiles(np.array([0.3, np.nan])) == (0.3,) * 7
    assert quantiles(np.array([np.nan])) == ()


@pytest.mark.parametrize("scale", [1e-6, 1.0, 4e3])
@pytest.mark.parametrize("count", [1, 2, 5, 300])
@pytest.mark.parametrize(("below", "above"), [(True, False), (False, True), (True, True)])
def test_the_window_holds_some_of_the_frames(
    below: bool, above: bool, count: int, scale: float
) -> None:
    for seed in range(20):
        values = scale * np.random.default_rng(seed).lognormal(0, 1, count)
        pair = window_to_try(quantiles(values), below, above, 3.0)
        assert pair is not None
        lower, upper = pair
        assert 0 < lower < upper
        assert np.count_nonzero((values >= lower) & (values < upper)) >= 1
        assert float(f"{lower:.2g}") == lower


def test_where_the_window_lies() -> None:
    spread = quantiles(np.linspace(0.001, 0.1, 101))
    assert window_to_try(spread, True, False, 3.0) == (0.075, 0.23)  # the upper quarter, and room
    assert window_to_try(spread, False, True, 3.0) == (0.0059, 0.076)
    assert window_to_try(spread, True, True, 3.0) == (0.025, 0.096)


@pytest.mark.parametrize("values", [[], [0.0, 0.0], [np.nan]])
def test_no_window_without_values(values: list[float]) -> None:
    assert window_to_try(quantiles(np.array(values)), True, False, 3.0) is None


def test_a_few_values_above_zero_are_enough() -> None:
    pair = window_to_try(quantiles(np.array([0.0] * 99 + [0.2])), True, False, 3.0)
    assert pair == (0.1, 0.41)
