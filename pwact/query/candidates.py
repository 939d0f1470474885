"""Sorts the frames of many trajectories by their uncertainty and picks candidates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable, Optional

import numpy as np

from pwact.query.picks import RANDOM, Frames, Pick, Pool
from pwact.query.window import ACCURATE, CANDIDATE, FAILED, Scores, Window, classify


@dataclass(frozen=True)
class Group:
    """The trajectories of one system in one md dict, at all temperatures and pressures.

    Attributes
    ----------
    md, sys
        Numbers of the md dict and of the system.
    limit
        The most candidates to be picked; None for all.
    trajectories
        Directory (relative to the work directory) and scores of each.
    frames
        Structures and features, for rules that look at them.
    """

    md: int
    sys: int
    limit: Optional[int]
    trajectories: Sequence[tuple[str, Scores]]
    window: Window
    frames: Optional[Frames] = None


@dataclass(frozen=True)
class FrameTable:
    """Frames of one class, one row each.

    Attributes
    ----------
    values
        What was compared with the window, shape (n,).
    steps
        MD step, int, shape (n,).
    trajectories
        Directory of the trajectory, str objects, shape (n,).
    """

    values: np.ndarray
    steps: np.ndarray
    trajectories: np.ndarray

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Selection:
    """All frames by class; candidates beyond the limit are in `deleted`."""

    accurate: FrameTable
    candidate: FrameTable
    deleted: FrameTable
    failed: FrameTable

    @property
    def frames(self) -> int:
        """Number of all frames."""
        return sum(map(len, (self.accurate, self.candidate, self.deleted, self.failed)))


def select_candidates(
    groups: Sequence[Group],
    rng_for: Callable[[int, int], np.random.Generator],
    pick: Pick = RANDOM,
) -> Selection:
    """Classify the frames of all groups by their windows and pick candidates within each limit.

    Parameters
    ----------
    groups
        In the order in which the tables list them.
    rng_for
        Gives the generator of the pick for (md, sys).
    pick
        The rule by which candidates are picked.

    Returns
    -------
    Selection
        Rows in the order of groups, trajectories, steps.
    """
    parts: dict[int, list[FrameTable]] = {ACCURATE: [], CANDIDATE: [], FAILED: []}
    pools = []
    for group in groups:
        table, failed = _gathered(group)
        classes = classify(table.values, failed, group.window.lower, group.window.upper)
        for kind, found in parts.items():
            found.append(_rows(table, classes == kind))
        pools.append(_pool(group, parts[CANDIDATE][-1], rng_for(group.md, group.sys)))
    picked, deleted = [], []
    for table, chosen in zip(parts[CANDIDATE], pick.choose(pools)):
        which = np.zeros(len(table), dtype=bool)
        which[chosen] = True
        picked.append(_rows(table, which))
        deleted.append(_rows(table, ~which))
    return Selection(
        joined(parts[ACCURATE]), joined(picked), joined(deleted), joined(parts[FAILED])
    )


def _pool(group: Group, table: FrameTable, rng: np.random.Generator) -> Pool:
    return Pool(table.values, table.steps, table.trajectories, group.limit, rng, group.frames)


def _gathered(group: Group) -> tuple[FrameTable, np.ndarray]:
    """All frames of a group, and which of them failed."""
    rows = [scores for _, scores in group.trajectories]
    names = np.array([directory for directory, _ in group.trajectories], dtype=object)
    table = FrameTable(
        np.concatenate([row.values for row in rows] or [np.empty(0)]),
        np.concatenate([row.steps for row in rows] or [np.empty(0, dtype=np.int64)]),
        np.repeat(names, [len(row.steps) for row in rows]),
    )
    return table, np.concatenate([row.failed for row in rows] or [np.empty(0, dtype=bool)])


def _rows(table: FrameTable, which: np.ndarray) -> FrameTable:
    return FrameTable(table.values[which], table.steps[which], table.trajectories[which])


def joined(tables: Sequence[FrameTable]) -> FrameTable:
    """The rows of several tables, one after the other."""
    return FrameTable(
        np.concatenate([table.values for table in tables] or [np.empty(0)]),
        np.concatenate([table.steps for table in tables] or [np.empty(0, dtype=np.int64)]),
        np.concatenate([table.trajectories for table in tables] or [np.empty(0, dtype=object)]),
    )
