from __future__ import annotations

from typing import Optional

import numpy as np
import pytest

from pwact.query.pick import first_best, pick_random, pick_stratified, pick_unknown


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


class TestStratified:
    def test_one_of_each_stratum(self) -> None:
        values = np.random.default_rng(0).permutation(100).astype(float)
        chosen = pick_stratified(values, 10, np.random.default_rng(1))
        assert sorted(values[chosen] // 10) == list(range(10))
        assert chosen.tolist() == sorted(chosen.tolist())

    @pytest.mark.parametrize(
        ("count", "limit"), [(0, 5), (3, 5), (5, 5), (7, 5), (9, 0), (103, 10)]
    )
    def test_how_many(self, count: int, limit: int) -> None:
        values = np.where(np.arange(count) % 3, np.nan, 1.0)
        chosen = pick_stratified(values, limit, np.random.default_rng(0)).tolist()
        assert len(set(chosen)) == len(chosen) == min(count, limit)

    def test_all_have_the_same_chance(self) -> None:
        rng, hits = np.random.default_rng(2), np.zeros(7)
        for _ in range(4000):
            hits[pick_stratified(np.arange(7.0), 3, rng)] += 1
        assert hits.sum() == 12000
        np.testing.assert_allclose(hits / 4000, [1 / 2] * 4 + [1 / 3] * 3, atol=0.03)


class TestUnknown:
    @pytest.mark.parametrize(
        ("strange", "known", "limit", "drawn"),
        [(0, 10, 5, 0), (1, 99, 5, 1), (50, 50, 5, 3), (10, 0, 5, 5), (4, 1, 5, 4), (9, 2, 5, 5)],
    )
    def test_their_share(self, strange: int, known: int, limit: int, drawn: int) -> None:
        mask = np.arange(strange + known) < strange
        found, others = pick_unknown(mask, limit, np.random.default_rng(0))
        assert len(found) == drawn
        assert mask[found].all()
        assert others.tolist() == np.flatnonzero(~mask).tolist()


def test_the_first_of_those_that_are_best() -> None:
    assert first_best([1.0, 3.0, 3.0 + 1e-12, 2.0]) == 1
    assert first_best([1.0, 3.0, 3.0 + 1e-6]) == 2
    assert first_best([0.0, 0.0]) == 0
    assert first_best([-2.0, -1.0, -1.0]) == 1
