"""The posterior of the error, against numbers worked out another way, and by simulation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pwact.query.calibration import (
    CONFIDENCE,
    FREEDOM,
    LATEST,
    SCATTER,
    SHIFT,
    SLOPE_SPREAD,
    Calibration,
    Pairs,
    accepted_up_to,
    calibrate,
    lower_bound,
    upper_bound,
)


def drawn(rng: np.random.Generator, count: int, slope: float = 1.0, scatter: float = 0.35) -> Pairs:
    """Pairs of a model whose errors are twice its uncertainty, up to a factor."""
    uncertainty = np.exp(rng.normal(-3.0, 0.8, count))
    noise = rng.normal(0.0, scatter, count)
    return Pairs(uncertainty, 2.0 * uncertainty**slope * np.exp(noise))


def posterior_by_grid(pairs: Pairs, target: float, where: float) -> float:
    """P(error < target) at one uncertainty, by summing prior times likelihood over a, b and s."""
    x, y = np.log(pairs.uncertainty), np.log(pairs.error)
    a = np.linspace(-3.0, 4.5, 151)[:, None, None]
    b = np.linspace(0.3, 1.7, 141)[None, :, None]
    s = np.linspace(0.08, 1.5, 160)[None, None, :]
    residual = y - a[..., None] - b[..., None] * x
    squares = np.sum(residual**2, axis=-1)
    slope = (SLOPE_SPREAD / SCATTER) * s
    log = -len(x) * np.log(s) - squares / (2 * s**2)
    log = log - np.log(slope) - (b - 1.0) ** 2 / (2 * slope**2)
    # scaled inverse chi-square of s², times ds²/ds
    log = log - (FREEDOM + 2) * np.log(s) - FREEDOM * SCATTER**2 / (2 * s**2) + np.log(s)
    from scipy.special import ndtr

    weight = np.exp(log - log.max())
    chance = ndtr((np.log(target) - a - b * np.log(where)) / s)
    return float(np.sum(weight * chance) / np.sum(weight))


@pytest.mark.parametrize("count", [5, 12])
@pytest.mark.parametrize("where", [0.02, 0.06])
def test_the_closed_form_is_the_integral(count: int, where: float) -> None:
    pairs = drawn(np.random.default_rng(count), count, slope=1.2)
    made = calibrate(pairs)
    assert made is not None
    found = made.below(0.1, np.array([where]))[0]
    assert found == pytest.approx(posterior_by_grid(pairs, 0.1, where), abs=4e-3)


def test_pairs_of_another_condition_say_less() -> None:
    """A line for each condition, apart by as much as the prior says, is one with such a noise."""
    rng = np.random.default_rng(8)
    pairs = drawn(rng, 12)
    elsewhere = np.arange(12) < 9
    made = calibrate(replace(pairs, elsewhere=elsewhere))
    assert made is not None
    apart = (SHIFT / SCATTER) ** 2 * np.outer(elsewhere, elsewhere)
    noise = np.linalg.inv(np.eye(12) + apart)
    rows = np.column_stack([np.ones(12), np.log(pairs.uncertainty)])
    prior = np.diag([0.0, (SCATTER / SLOPE_SPREAD) ** 2])
    precision = prior + rows.T @ noise @ rows
    right = rows.T @ noise @ np.log(pairs.error) + prior @ np.array([0.0, 1.0])
    mean = np.linalg.solve(precision, right)
    left, off = np.log(pairs.error) - rows @ mean, mean - np.array([0.0, 1.0])
    square = FREEDOM * SCATTER**2 + left @ noise @ left + off @ prior @ off
    assert made.mean[:2] == pytest.approx(mean)
    assert made.scale == pytest.approx(np.sqrt(square / (FREEDOM + 11)))
    where = np.array([1.0, np.log(0.05)])
    away = made.scale * np.sqrt(1 + where @ np.linalg.inv(precision) @ where)
    from scipy.special import stdtr

    chance = stdtr(FREEDOM + 11, (np.log(0.1) - where @ mean) / away)
    assert made.below(0.1, np.array([0.05]))[0] == pytest.approx(chance)


def test_less_is_accepted_where_the_condition_is_new() -> None:
    pairs = drawn(np.random.default_rng(9), 15)
    pool = np.random.default_rng(10).lognormal(-3.6, 0.3, 400)
    counts = []
    for known in (0, 3, 15):  # pairs of the condition itself
        made = calibrate(replace(pairs, elsewhere=np.arange(15) >= known))
        assert made is not None
        limit = accepted_up_to(made, 0.1, pool)
        counts.append(0 if limit is None else np.count_nonzero(pool <= limit))
    none, few, every = counts
    assert none < 0.5 * few
    assert few < every


def test_a_hotter_condition_is_as_accurate_as_promised() -> None:
    """Its errors are another multiple of the uncertainty, larger or smaller by a factor of two."""
    shares: dict[bool, list[float]] = {True: [], False: []}
    for seed in range(80):
        rng = np.random.default_rng(seed)
        cold, hot = drawn(rng, 15), drawn(rng, 400)
        errors = hot.error * np.exp(rng.normal(0.0, SHIFT))
        for marked in (True, False):
            made = calibrate(replace(cold, elsewhere=np.full(15, marked)))
            assert made is not None
            limit = accepted_up_to(made, 0.1, hot.uncertainty)
            if limit is not None:
                shares[marked].append(np.mean(errors[hot.uncertainty <= limit] < 0.1))
    assert np.mean(shares[True]) >= 0.90
    assert np.mean(shares[False]) < 0.88


def test_many_pairs_give_the_line_that_made_them() -> None:
    pairs = drawn(np.random.default_rng(1), LATEST, scatter=0.1)
    made = calibrate(pairs)
    assert made is not None
    assert made.pairs == LATEST
    assert made.expected(np.array([0.05]))[0] == pytest.approx(0.1, rel=0.05)
    assert 0.08 < made.scale < 0.2


def test_the_prior_keeps_the_slope_near_one_where_there_are_few() -> None:
    rng = np.random.default_rng(3)
    x = np.exp(rng.normal(-3, 0.1, 5))
    made = calibrate(Pairs(x, np.exp(rng.normal(-2, 0.35, 5))))
    assert made is not None
    assert made.mean[1] == pytest.approx(1.0, abs=0.1)


def test_fewer_than_five_pairs_say_nothing() -> None:
    pairs = drawn(np.random.default_rng(2), 4)
    assert calibrate(pairs) is None
    bad = np.array([0.0, np.nan, np.inf, -1.0])
    assert calibrate(Pairs(np.r_[pairs.uncertainty, bad], np.r_[pairs.error, np.ones(4)])) is None
    assert calibrate(Pairs(np.r_[pairs.uncertainty, np.ones(4)], np.r_[pairs.error, bad])) is None


def test_a_frame_without_forces_is_no_pair() -> None:
    """All models agree on a perfect crystal but for rounding, which would turn the line."""
    pairs = Pairs(np.array([1e-16, 0.1, 0.2, 0.1]), np.array([1e-15, 0.1, 0.2, 2e-7]))
    assert pairs.usable.error.tolist() == [0.1, 0.2]
    assert pairs.usable.uncertainty.tolist() == [0.1, 0.2]


def test_only_the_latest_pairs_count() -> None:
    rng = np.random.default_rng(4)
    late = drawn(rng, LATEST)
    early = Pairs(np.full(9, 0.05), np.full(9, 50.0))
    both = Pairs(np.r_[early.uncertainty, late.uncertainty], np.r_[early.error, late.error])
    one, other = calibrate(late), calibrate(both)
    assert one is not None
    assert other is not None
    assert one.mean == pytest.approx(other.mean)


def test_nothing_is_known_of_frames_without_an_uncertainty() -> None:
    made = calibrate(drawn(np.random.default_rng(5), 20))
    assert made is not None
    strange = np.array([0.0, np.nan, np.inf, -1.0, 1e-9])
    assert made.below(0.1, strange)[:4].tolist() == [0.0] * 4
    assert made.below(0.1, strange)[4] > 0.9
    assert accepted_up_to(made, 0.1, strange[:4]) is None
    assert accepted_up_to(made, 0.1, strange) == 1e-9


def test_the_limit_is_the_largest_that_keeps_the_promise() -> None:
    made = Calibration(np.array([0.0, 1.0, 0.0]), np.zeros((3, 3)), 1e9, 0.35, 10)
    pool = np.geomspace(0.01, 1.0, 200)
    limit = accepted_up_to(made, 0.1, np.random.default_rng(0).permutation(pool))
    assert limit is not None
    chance = made.below(0.1, pool)
    means = np.cumsum(chance) / np.arange(1, 201)
    at = int(np.flatnonzero(pool == limit)[0])
    assert chance[at] >= 0.5
    assert means[at] >= CONFIDENCE
    assert chance[at + 1] < 0.5 or means[at + 1] < CONFIDENCE
    assert accepted_up_to(made, 1e-4, pool) is None


def test_accepted_frames_are_accurate_as_often_as_promised() -> None:
    shares = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        made = calibrate(drawn(rng, 15))
        pool = drawn(rng, 400)
        assert made is not None
        limit = accepted_up_to(made, 0.1, pool.uncertainty)
        if limit is not None:
            accepted = pool.uncertainty <= limit
            shares.append(np.mean(pool.error[accepted] < 0.1))
    assert len(shares) > 50
    assert 0.88 < np.mean(shares) < 0.97


@pytest.mark.parametrize(
    ("count", "wrong", "bound"),
    [(0, 0, 0.0), (21, 0, 0.8962), (22, 0, 0.9006), (4, 0, 0.5623), (10, 1, 0.6632), (3, 3, 0.0)],
)
def test_bound_of_a_share(count: int, wrong: int, bound: float) -> None:
    assert lower_bound(count, wrong) == pytest.approx(bound, abs=1e-4)


@pytest.mark.parametrize(("count", "wrong"), [(1, 0), (8, 3), (10, 10), (22, 0)])
def test_bounds_from_both_sides(count: int, wrong: int) -> None:
    low, high = lower_bound(count, wrong), upper_bound(count, wrong)
    assert 0 <= low <= 1 - wrong / count <= high <= 1
    assert high == (1.0 if wrong == 0 else pytest.approx(1 - lower_bound(count, count - wrong)))


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_quantiles_of_the_error(share: float) -> None:
    made = calibrate(drawn(np.random.default_rng(6), 9))
    assert made is not None
    values = np.array([0.01, 0.05, 0.3])
    errors = made.quantile(share, values)
    for value, error in zip(values, errors):
        assert made.below(float(error), np.array([value]))[0] == pytest.approx(share)
    if share == 0.5:
        assert errors == pytest.approx(made.expected(values))
    assert np.isnan(made.quantile(share, np.array([0.0]))[0])
