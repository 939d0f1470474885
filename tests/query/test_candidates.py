from __future__ import annotations

from typing import Optional

import numpy as np
import pytest

from pwact.query.candidates import FrameTable, Group, Selection, select_candidates
from pwact.query.window import Scores, Window

WINDOW = Window(0.1, 0.2)


def trajectory(values: list[float], failed: tuple[int, ...] = ()) -> Scores:
    array = np.array(values, dtype=float)
    flags = np.isin(np.arange(len(values)), failed)
    return Scores(np.arange(len(values)) * 10, array, flags)


def rng_for(md: int, system: int) -> np.random.Generator:
    return np.random.default_rng((md, system))


def select(*groups: Group) -> Selection:
    return select_candidates(groups, rng_for)


def group(
    md: int, system: int, limit: Optional[int], trajectories: list[tuple[str, Scores]]
) -> Group:
    return Group(md, system, limit, trajectories, WINDOW)


def rows(table: FrameTable) -> list[tuple[str, int, float]]:
    return list(zip(table.trajectories.tolist(), table.steps.tolist(), table.values.tolist()))


def test_every_frame_is_in_one_table_in_order() -> None:
    found = select(
        group(0, 0, None, [("a", trajectory([0.05, 0.1, 0.2])), ("b", trajectory([0.15]))]),
        group(0, 1, None, [("c", trajectory([0.19, np.nan, 0.05, 0.12], failed=(3,)))]),
    )
    assert rows(found.accurate) == [("a", 0, 0.05), ("c", 20, 0.05)]
    assert rows(found.candidate) == [("a", 10, 0.1), ("b", 0, 0.15), ("c", 0, 0.19)]
    assert [(path, step) for path, step, _ in rows(found.failed)] == [
        ("a", 20),
        ("c", 10),
        ("c", 30),
    ]
    assert len(found.deleted) == 0
    assert found.frames == 8


@pytest.mark.parametrize(("limit", "picked"), [(None, 40), (0, 0), (7, 7), (40, 40), (99, 40)])
def test_the_limit_counts_over_all_trajectories_of_a_group(
    limit: Optional[int], picked: int
) -> None:
    both = [("a", trajectory([0.15] * 20)), ("b", trajectory([0.15] * 20))]
    found = select(group(0, 0, limit, both))
    assert (len(found.candidate), len(found.deleted)) == (picked, 40 - picked)
    together = rows(found.candidate) + rows(found.deleted)
    assert len(set(together)) == 40
    assert rows(found.candidate) == sorted(rows(found.candidate))
    assert rows(found.deleted) == sorted(rows(found.deleted))


def test_limits_belong_to_their_group() -> None:
    found = select(
        group(0, 0, 1, []),  # a system without a usable trajectory shifts nothing
        group(0, 1, 3, [("a", trajectory([0.15] * 20))]),
        group(1, 1, 5, [("b", trajectory([0.15] * 20))]),
    )
    assert found.candidate.trajectories.tolist() == ["a"] * 3 + ["b"] * 5


def test_each_group_has_a_pick_of_its_own() -> None:
    one = group(0, 1, 5, [("a", trajectory([0.15] * 50))])
    other = group(1, 0, 5, [("a", trajectory([0.15] * 50))])
    alone, together = select(one), select(other, one)
    assert rows(alone.candidate) == rows(together.candidate)[5:]
    assert rows(together.candidate)[:5] != rows(together.candidate)[5:]


@pytest.mark.parametrize(
    "groups", [[], [group(0, 0, 3, [])], [group(0, 0, 3, [("a", trajectory([]))])]]
)
def test_nothing_to_select(groups: list[Group]) -> None:
    found = select(*groups)
    assert found.frames == 0
    assert found.candidate.steps.tolist() == []


def test_each_group_has_a_window_of_its_own() -> None:
    same = [("a", trajectory([0.05, 0.15, 0.25]))]
    found = select(
        Group(0, 0, None, same, Window(0.1, 0.2)),
        Group(0, 1, None, same, Window(0.2, 0.3)),
        Group(0, 2, None, same, Window(float("nan"), float("nan"))),
    )
    assert found.accurate.steps.tolist() == [0, 0, 10]
    assert found.candidate.steps.tolist() == [10, 20]
    assert found.failed.steps.tolist() == [20, 0, 10, 20]
