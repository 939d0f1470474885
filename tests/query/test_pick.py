from __future__ import annotations

from typing import Optional

import numpy as np
import pytest

from pwact.query.pick import pick_random


@pytest.mark.parametrize(
    ("count", "limit", "expected"),
    [(10, None, 10), (10, 10, 10), (10, 99, 10), (10, 3, 3), (10, 0, 0), (0, 5, 0), (0, None, 0)],
)
def test_how_many(count: int, limit: Optional[int], expected: int) -> None:
    picked = pick_random(count, limit, np.random.default_rng(0)).tolist()
    assert len(picked) == len(set(picked)) == expected
    assert picked == sorted(picked)
    assert set(picked) <= set(range(count))


def test_the_seed_decides() -> None:
    one, same, other = (pick_random(1000, 9, np.random.default_rng(s)).tolist() for s in (1, 1, 2))
    assert one == same != other


def test_all_have_the_same_chance() -> None:
    rng = np.random.default_rng(4)
    hits = np.zeros(10)
    for _ in range(3000):
        hits[pick_random(10, 3, rng)] += 1
    np.testing.assert_allclose(hits / 3000, 0.3, atol=0.04)
