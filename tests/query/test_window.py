from __future__ import annotations

import numpy as np
import pytest

from pwact.query.window import ACCURATE, CANDIDATE, FAILED, classify

LOWER, UPPER = 0.1, 0.25


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, ACCURATE),
        (np.nextafter(LOWER, 0), ACCURATE),
        (LOWER, CANDIDATE),
        (0.2, CANDIDATE),
        (np.nextafter(UPPER, 0), CANDIDATE),
        (UPPER, FAILED),
        (1e9, FAILED),
        (np.inf, FAILED),
        (-np.inf, FAILED),
        (np.nan, FAILED),
    ],
)
def test_edges(value: float, expected: int) -> None:
    assert classify(np.array([value]), np.array([False]), LOWER, UPPER).tolist() == [expected]


def test_a_failed_frame_is_failed_whatever_its_deviation() -> None:
    values = np.array([0.0, 0.2, 0.5])
    assert classify(values, np.ones(3, bool), LOWER, UPPER).tolist() == [FAILED] * 3


def test_many_and_none() -> None:
    rng = np.random.default_rng(0)
    values = rng.uniform(0, 0.4, 1000)
    classes = classify(values, np.zeros(1000, bool), LOWER, UPPER)
    assert classes.dtype == np.int8
    assert np.count_nonzero(classes == CANDIDATE) == sum(LOWER <= v < UPPER for v in values)
    assert classify(np.empty(0), np.empty(0, bool), LOWER, UPPER).shape == (0,)
