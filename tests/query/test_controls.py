"""Control labels are an honest sample."""

from __future__ import annotations

import numpy as np
import pytest

from pwact.query.controls import controls_of, draw_controls


@pytest.mark.parametrize(
    ("count", "controls"), [(-1, 0), (0, 0), (1, 1), (7, 1), (8, 2), (10, 2), (100, 2)]
)
def test_how_many(count: int, controls: int) -> None:
    assert controls_of(count) == controls


def test_every_physical_frame_has_the_same_chance() -> None:
    physical = np.array([True, False, True, True, False, True])
    rng = np.random.default_rng(0)
    hits = np.zeros(6)
    for _ in range(4000):
        drawn = draw_controls(physical, 2, rng)
        assert drawn.tolist() == sorted(set(drawn.tolist()))
        hits[drawn] += 1
    np.testing.assert_allclose(hits / 4000, physical * 0.5, atol=0.03)


@pytest.mark.parametrize("physical", [[], [False, False], [False, True]])
def test_there_may_be_too_few(physical: list[bool]) -> None:
    drawn = draw_controls(np.array(physical, dtype=bool), 2, np.random.default_rng(0))
    assert drawn.tolist() == [n for n, one in enumerate(physical) if one]
