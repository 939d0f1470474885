"""Choices by distance and uncertainty, and from the top."""

from __future__ import annotations

from dataclasses import replace
from typing import Optional

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from pwact.query.diverse import DiversePick, TopPick, farthest_points
from pwact.query.duplicates import Known
from pwact.query.picks import Around
from tests.query.made_pools import MadeFrames, pool_of


def dimers(*distances: float) -> MadeFrames:
    structures = [Atoms("Cu2", [[0, 0, 0], [0, 0, one]]) for one in distances]
    return MadeFrames(structures=dict(enumerate(structures)))


class TestFarthest:
    def test_one_after_the_other(self) -> None:
        points = np.array([[0.0], [1.0], [2.0], [7.0], [10.0]])
        there = np.array([[0.5]])
        assert farthest_points(points, there, 3, np.ones(5)).tolist() == [4, 3, 2]
        assert farthest_points(points, there, 9, np.ones(5)).tolist() == [4, 3, 2, 0, 1]

    def test_distances_count_times_weights(self) -> None:
        """12, 6 and 10.5 at first; 2 and 2.1 when the point at 4 is in."""
        points, weights = np.array([[4.0], [6.0], [5.0]]), np.array([3.0, 1.0, 2.1])
        there = np.zeros((1, 1))
        assert farthest_points(points, there, 3, weights).tolist() == [0, 2, 1]
        assert farthest_points(points, there, 3, np.ones(3)).tolist() == [1, 0, 2]

    def test_without_labels_the_most_uncertain_is_the_first(self) -> None:
        points = np.array([[0.0], [1.0], [10.0]])
        nothing = np.empty((0, 1))
        assert farthest_points(points, nothing, 2, np.array([1.0, 3.0, 2.0])).tolist() == [1, 2]

    def test_it_is_a_greedy_two_approximation(self) -> None:
        """Against distances of all pairs."""
        rng = np.random.default_rng(0)
        points, there = rng.normal(size=(40, 4)), rng.normal(size=(3, 4))
        taken = farthest_points(points, there, 10, np.ones(40)).tolist()
        everything = np.vstack([there, points])
        apart = np.linalg.norm(everything[:, None] - everything, axis=2)
        rows = [0, 1, 2]
        for one in taken:
            nearest = apart[3:, rows].min(axis=1)
            assert nearest[one] == pytest.approx(nearest.max())
            rows.append(3 + one)

    def test_equal_distances(self) -> None:
        points = np.array([[1.0], [-1.0], [1.0 + 1e-13]])
        assert farthest_points(points, np.zeros((1, 1)), 1, np.ones(3)).tolist() == [0]

    def test_nothing_to_choose(self) -> None:
        assert farthest_points(np.empty((0, 2)), np.empty((0, 2)), 3, np.empty(0)).tolist() == []


class TestDiverse:
    def test_it_starts_from_the_labelled_frames(self) -> None:
        frames = dimers(2.0, 2.05, 2.1, 3.0, 2.5)
        fresh = pool_of([1.0] * 5, 2, frames)
        known = Known([29], [frames.structures[0]])
        around = Around(fresh, np.array([3]), known)
        pool = replace(fresh.at(np.array([0, 1, 2, 4])), around=around)
        (chosen,) = DiversePick().choose([pool])
        assert chosen.tolist() == [2, 3]  # 2.1 and 2.5; 2.0 has a label, 3.0 is a control

    def test_of_frames_that_are_nearly_as_far_the_uncertain_one(self) -> None:
        frames = dimers(2.0, 2.5, 2.6)
        known = Known([29], [frames.structures[0]])
        for values, place in ([1.0, 1.0, 1.0], 2), ([1.0, 3.0, 1.0], 1), ([9.0, 1.0, 1.0], 2):
            pool = pool_of(values, 1, frames)
            around = Around(pool, np.empty(0, dtype=int), known)
            (chosen,) = DiversePick().choose([replace(pool, around=around)])
            assert chosen.tolist() == [place]

    def test_without_labels(self) -> None:
        frames = dimers(2.0, 2.02, 2.5, 2.04, 3.0)
        (chosen,) = DiversePick().choose([pool_of([1, 9, 1, 1, 1], 2, frames)])
        assert 1 in chosen.tolist()
        assert not {0, 3} & set(chosen.tolist())

    def test_what_one_system_takes_the_next_need_not(self) -> None:
        first, second = dimers(2.0, 2.5), dimers(2.5, 2.25)
        known = Known([29], [first.structures[0]])
        pools = [
            replace(one, around=Around(one, np.empty(0, dtype=int), known))
            for one in (pool_of([1.0] * 2, 1, first), pool_of([1.0] * 2, 1, second))
        ]
        assert [one.tolist() for one in DiversePick().choose(pools)] == [[1], [1]]

    def test_elements_of_all_trajectories(self) -> None:
        structures = {0: bulk("Cu"), 1: bulk("Al"), 2: bulk("Cu", a=3.7)}
        pool = pool_of([3.0, 1.0, 1.0], 2, MadeFrames(structures=structures))
        assert DiversePick().choose([pool])[0].tolist() == [0, 1]

    def test_what_has_no_uncertainty_gets_its_share(self) -> None:
        frames = dimers(*np.linspace(2.0, 3.0, 12))
        values = [float("nan")] * 6 + [1.0] * 6
        (chosen,) = DiversePick().choose([pool_of(values, 4, frames)])
        assert np.sum(chosen < 6) == 2
        assert len(chosen) == 4

    def test_a_large_pool_is_looked_at_in_part(self) -> None:
        frames = MadeFrames(structures=dict.fromkeys(range(6000), Atoms("Cu")))
        (chosen,) = DiversePick().choose([pool_of([1.0] * 6000, 3, frames)])
        assert len(chosen) == 3
        assert len(frames.read) <= 2000 + 3

    @pytest.mark.parametrize(("limit", "count"), [(None, 3), (5, 3), (0, 0)])
    def test_where_there_is_no_choice(self, limit: Optional[int], count: int) -> None:
        pool = pool_of([1.0] * 3, limit, dimers(2.0, 2.1, 2.2))
        assert len(DiversePick().choose([pool])[0]) == count


class TestTop:
    def test_the_most_uncertain(self) -> None:
        values = [0.1, 0.9, 0.3, 0.8, 0.2, 0.7]
        (chosen,) = TopPick().choose([pool_of(values, 3, trajectories=6)])
        assert chosen.tolist() == [1, 3, 5]

    def test_frames_of_one_trajectory_are_kept_apart(self) -> None:
        values = np.exp(-((np.arange(101) - 50.0) ** 2) / 200)
        (chosen,) = TopPick().choose([pool_of(values.tolist(), 3, trajectories=1)])
        assert chosen.tolist() in ([33, 50, 67], [16, 33, 50], [50, 67, 84])
        assert np.diff(chosen).min() >= 100 / 6

    def test_but_never_at_the_price_of_a_label(self) -> None:
        (chosen,) = TopPick().choose([pool_of([1.0] * 10, 9, trajectories=1)])
        assert len(chosen) == 9

    def test_what_has_no_uncertainty_gets_its_share(self) -> None:
        values = [float("nan"), float("inf"), 0.0, *np.linspace(1, 2, 27)]
        (chosen,) = TopPick().choose([pool_of(values, 10, trajectories=30)])
        assert np.sum(chosen < 3) == 1
        assert {29, 28, 27} <= set(chosen.tolist())

    @pytest.mark.parametrize(("limit", "count"), [(None, 3), (5, 3), (0, 0)])
    def test_where_there_is_no_choice(self, limit: Optional[int], count: int) -> None:
        assert len(TopPick().choose([pool_of([1.0] * 3, limit)])[0]) == count
