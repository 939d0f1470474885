"""The measure that errors follow best."""

from __future__ import annotations

import numpy as np
import pytest

from pwact.query.scales import (
    ABSOLUTE,
    ALONE,
    RELATIVE,
    UNCERTAINTY,
    best_scale,
    measures,
    pairs_of_start,
    spread,
)
from pwact.uncertainties.committee import CommitteeDeviation
from pwact.uncertainties.kpu import KalmanUncertainty

RNG = np.random.default_rng(0)
U = RNG.lognormal(-3.0, 0.5, 30)
FORCE = RNG.lognormal(0.0, 0.5, 30)


def compared(u: np.ndarray, force: np.ndarray) -> dict[str, np.ndarray]:
    return {name: measures(u, force, 0.1)[name] for name in RELATIVE}


@pytest.mark.parametrize(
    ("made", "name"),
    [(2.0 * U, "u"), (0.1 * FORCE, "force"), (0.3 * np.sqrt(U * FORCE), "u_force")],
)
def test_the_one_that_made_the_errors(made: np.ndarray, name: str) -> None:
    error = made * RNG.lognormal(0.0, 0.1, 30)
    assert best_scale(compared(U, FORCE), error) == name
    assert spread(compared(U, FORCE)[name], error) == pytest.approx(0.1, rel=0.4)


def test_spread_of_the_logarithms() -> None:
    ratios = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    assert spread(U[:5], U[:5] * ratios) == pytest.approx(np.log(2.0) * np.sqrt(2.5))
    assert spread(U[:5], 7.0 * U[:5] * ratios) == pytest.approx(np.log(2.0) * np.sqrt(2.5))


def test_few_frames_decide_nothing() -> None:
    assert best_scale(compared(U[:4], FORCE[:4]), FORCE[:4]) == "u"
    assert best_scale(compared(U[:5], FORCE[:5]), FORCE[:5]) == "force"
    assert spread(U[:4], U[:4]) == float("inf")
    assert best_scale(compared(U[:0], FORCE[:0]), FORCE[:0]) == "u"


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_all_are_compared_by_the_same_frames(bad: float) -> None:
    u, force = U[:8].copy(), FORCE[:8].copy()
    error = 0.1 * force
    u[3:] = bad  # three are left of u, eight of the force
    assert best_scale(compared(u, force), error) == "u"
    error[0] = 5.0
    u[3:] = U[3:8]
    u[0] = bad  # the wild error is not looked at
    assert best_scale(compared(u, force), error) == "force"


def test_the_first_wins_where_two_are_equal() -> None:
    assert best_scale({"one": U, "other": 2.0 * U}, 3.0 * U * FORCE) == "one"
    assert best_scale({"other": 2.0 * U, "one": U}, 3.0 * U * FORCE) == "other"


def test_the_latest_frames_decide() -> None:
    rng = np.random.default_rng(1)
    u, force = rng.lognormal(-3.0, 0.5, 200), rng.lognormal(0.0, 0.5, 200)
    error = np.where(np.arange(200) < 160, 2.0 * u, 0.1 * force)
    assert best_scale(compared(u, force), error) == "force"
    assert best_scale(compared(u[:162], force[:162]), error[:162]) == "u"
    error[190:] = np.nan  # labels that failed are not counted among the latest
    assert best_scale(compared(u, force), error) != "u"


def test_of_several_models_by_sigma_or_without() -> None:
    """One model's doubt is known up to σ; the deviation of a committee is a force already."""
    sigma = np.repeat([0.001, 0.01, 0.1], 10)
    found = measures(U, FORCE, sigma)
    assert best_scale({name: found[name] for name in RELATIVE}, 3.0 * sigma * U) == "u"
    assert spread(found["u"], 3.0 * sigma * U) == pytest.approx(0.0, abs=1e-9)
    assert best_scale({name: found[name] for name in ABSOLUTE}, 3.0 * U) == "u_alone"
    assert spread(found["u_alone"], 3.0 * U) == pytest.approx(0.0, abs=1e-9)
    assert KalmanUncertainty.scales == RELATIVE
    assert CommitteeDeviation.scales == ABSOLUTE


def test_training_frames_on_which_a_committee_disagrees_count_as_wrong_by_as_much() -> None:
    """A model of many parameters reproduces them; the others, which did not see them, do not."""
    seen = np.array([3.0, 0.003]), np.array([2.0, 2.0]), np.array([0.001, 0.01])
    made = pairs_of_start(ALONE, seen, 0.007)
    assert made.of_start
    assert made.uncertainty.tolist() == [3.0, 0.003]
    assert made.error == pytest.approx([3.0 / np.sqrt(3), 0.015])
    alone = pairs_of_start(UNCERTAINTY, seen, 0.007)  # of one model, which has no unit
    assert alone.uncertainty == pytest.approx([0.021, 0.000021])
    assert alone.error == pytest.approx([0.0015, 0.015])
