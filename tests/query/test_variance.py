"""The greedy choice by variance, against the variance itself, worked out with inverses."""

from __future__ import annotations

from dataclasses import replace
from typing import Union

import numpy as np
import pytest
from ase import Atoms
from hypothesis import given, settings
from hypothesis import strategies as st

from pwact.errors import TaskError
from pwact.query.picks import Around
from pwact.query.variance import VariancePick, gain, labelled
from tests.query.made_pools import MadeFrames, pool_of

COLUMNS = 5


def matrices(count: int, seed: int = 0, rows: int = 3) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    sizes = rng.lognormal(0.0, 1.0, (count, 1, 1))
    made: np.ndarray = (sizes * rng.normal(size=(count, rows, COLUMNS))).astype(np.float32)
    return list(made)


def frames_of(made: Union[list[np.ndarray], dict[int, np.ndarray]], atoms: int = 2) -> MadeFrames:
    """Frames with these features, and so many atoms each."""
    rows = made if isinstance(made, dict) else dict(enumerate(made))
    return MadeFrames(rows, dict.fromkeys(range(20_000), Atoms(f"Cu{atoms}")))


def variance(mean: np.ndarray, taken: list[np.ndarray]) -> float:
    """What is left over the pool after labels of some frames: tr[C (1 + 3N Σ GᵀG)⁻¹]."""
    labels = sum((6.0 * one.T @ one for one in taken), np.zeros((COLUMNS, COLUMNS)))
    known = np.eye(COLUMNS) + labels
    return float(np.trace(mean @ np.linalg.inv(known)))


def best_by_inverses(
    among: list[np.ndarray], pool: list[np.ndarray], count: int, taken: list[np.ndarray]
) -> list[int]:
    mean = np.mean([one.T @ one for one in pool], axis=0)
    chosen: list[int] = []
    for _ in range(count):
        left = [
            (variance(mean, [*taken, among[n]]), n) for n in range(len(among)) if n not in chosen
        ]
        best = min(left)[1]
        chosen.append(best)
        taken = [*taken, among[best]]
    return sorted(chosen)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), rows=st.integers(1, 7))
def test_the_gain_is_the_drop_of_the_variance(seed: int, rows: int) -> None:
    rng = np.random.default_rng(seed)
    before, one, pool = (rng.normal(size=(rows, COLUMNS)) for _ in range(3))
    mean = pool.T @ pool
    covariance = labelled(np.eye(COLUMNS), before)
    assert np.allclose(covariance, np.linalg.inv(np.eye(COLUMNS) + before.T @ before))
    drop = np.trace(mean @ (covariance - labelled(covariance, one)))
    assert gain(covariance, mean, one) == pytest.approx(drop, rel=1e-8)


def test_the_greedy_choice() -> None:
    made = matrices(30)
    pool = pool_of([1.0] * 30, 6, frames_of(made))
    (chosen,) = VariancePick().choose([pool])
    assert chosen.tolist() == best_by_inverses(made, made, 6, [])


def test_all_fresh_frames_count_and_controls_are_in_already() -> None:
    made = matrices(30, seed=1)
    frames = frames_of(made)
    fresh = pool_of([1.0] * 30, 4, frames)
    candidates = np.arange(10, 30)
    taken = np.array([3, 17])
    free = candidates[~np.isin(candidates, taken)]
    pool = replace(fresh.at(free), around=Around(fresh, taken))
    (chosen,) = VariancePick().choose([pool])
    among = [made[n] for n in free]
    expected = best_by_inverses(among, made, 4, [made[3], made[17]])
    assert chosen.tolist() == expected
    assert expected != best_by_inverses(among, made, 4, [])
    assert expected != best_by_inverses(among, among, 4, [made[3], made[17]])


def test_a_system_knows_what_was_chosen_of_those_before() -> None:
    made = matrices(24, seed=2)
    first = pool_of([1.0] * 12, 3, frames_of(made[:12]))
    second = pool_of([1.0] * 12, 3, frames_of(made[12:]))
    one, other = VariancePick().choose([first, second])
    taken = [made[n] for n in one]
    assert other.tolist() == best_by_inverses(made[12:], made[12:], 3, taken)
    assert other.tolist() != best_by_inverses(made[12:], made[12:], 3, [])


def test_equal_frames_are_not_both_chosen() -> None:
    """Two copies of one strong frame: the second one brings little."""
    strong = 30.0 * np.eye(1, COLUMNS, dtype=np.float32)
    weak = [3.0 * np.eye(1, COLUMNS, n, dtype=np.float32) for n in (1, 2)]
    frames = frames_of([strong, strong, *weak])
    (chosen,) = VariancePick().choose([pool_of([1.0] * 4, 3, frames)])
    assert chosen.tolist() == [0, 2, 3]


def test_a_label_tells_all_components_of_the_forces() -> None:
    """With many atoms one label of the strong kind is enough, with few two are better."""
    strong = [np.eye(1, COLUMNS, dtype=np.float32)] * 2
    weak = [0.5 * np.eye(1, COLUMNS, 1, dtype=np.float32)]
    chosen = [
        VariancePick().choose([pool_of([1.0] * 3, 2, frames_of([*strong, *weak], atoms))])[0]
        for atoms in (1, 100)
    ]
    assert [one.tolist() for one in chosen] == [[0, 1], [0, 2]]


def test_of_equal_gains_the_first_wins_whatever_the_rounding() -> None:
    made = [np.roll(np.eye(1, COLUMNS), n, axis=1) * (1 + n * 1e-14) for n in range(COLUMNS)]
    (chosen,) = VariancePick().choose([pool_of([1.0] * COLUMNS, 2, frames_of(made))])
    assert chosen.tolist() == [0, 1]


def test_frames_without_features_come_last() -> None:
    made = dict(enumerate(matrices(6)))
    del made[2], made[4]
    (chosen,) = VariancePick().choose([pool_of([1.0] * 6, 4, frames_of(made))])
    assert chosen.tolist() == [0, 1, 3, 5]
    (chosen,) = VariancePick().choose([pool_of([1.0] * 6, 5, frames_of(made))])
    assert chosen.tolist() == [0, 1, 2, 3, 5]


def test_no_features_at_all() -> None:
    with pytest.raises(TaskError, match="has no features"):
        VariancePick().choose([pool_of([1.0] * 6, 4, MadeFrames())])


@pytest.mark.parametrize(("limit", "expected"), [(None, 6), (6, 6), (9, 6), (0, 0)])
def test_where_there_is_no_choice(limit: object, expected: int) -> None:
    frames = frames_of(matrices(6))
    pool = pool_of([1.0] * 6, limit, frames)  # type: ignore[arg-type]
    (chosen,) = VariancePick().choose([pool])
    assert len(chosen) == expected
    assert not frames.read


def test_what_has_no_uncertainty_gets_its_share() -> None:
    values = np.ones(40)
    values[:10] = [np.nan] * 5 + [0.0] * 5
    frames = frames_of(matrices(40))
    (chosen,) = VariancePick().choose([pool_of(values.tolist(), 8, frames)])
    assert len(chosen) == 8
    assert np.sum(chosen < 10) == 2


def test_a_large_pool_is_looked_at_in_part() -> None:
    frames = frames_of(dict.fromkeys(range(20_000), np.ones((1, COLUMNS), dtype=np.float32)))
    (chosen,) = VariancePick().choose([pool_of([1.0] * 20_000, 5, frames)])
    assert len(chosen) == 5
    assert len(frames.read) <= 2000 + 5 * 80 + 3


def test_the_seed_decides_what_is_looked_at() -> None:
    frames = frames_of(matrices(400))
    one, same, other = (
        VariancePick().choose([pool_of([1.0] * 400, 5, frames, seed)])[0].tolist()
        for seed in (1, 1, 2)
    )
    assert one == same != other
