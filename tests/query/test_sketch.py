from __future__ import annotations

import numpy as np

from pwact.query.sketch import MOST, sketch_of


def test_short_vectors_stay() -> None:
    rows = np.random.default_rng(1).normal(size=(3, MOST))
    np.testing.assert_array_equal(sketch_of(MOST).of(rows), rows)
    assert sketch_of(4).of(np.empty((0, 4))).shape == (0, 4)


def test_is_the_sum_over_buckets_with_signs() -> None:
    sketch = sketch_of(2000)
    row = np.random.default_rng(2).normal(size=2000)
    plain = np.zeros(MOST)
    for bucket, sign, value in zip(sketch.buckets, sketch.signs, row):
        plain[bucket] += sign * value
    np.testing.assert_allclose(sketch.of(row[None])[0], plain)
    again = sketch_of(2000)
    assert (again.buckets == sketch.buckets).all()
    assert (again.signs == sketch.signs).all()


def test_keeps_products_about() -> None:
    """Their errors have no bias, and the spread that the theory says."""
    rows = np.random.default_rng(3).normal(size=(60, 5000))
    rows[30:] += 3 * rows[:30]  # pairs that are alike
    rows /= np.linalg.norm(rows, axis=1)[:, None]
    made = sketch_of(5000).of(rows)
    wrong = (made @ made.T - rows @ rows.T)[np.triu_indices(60)]
    assert abs(wrong.mean()) < 0.02
    assert 0.5 < wrong.std() / np.sqrt(1.5 / MOST) < 1.5
