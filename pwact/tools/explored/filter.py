"""Sorts explored frames by limits on trial, to see how many would be candidates."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

import numpy as np

from pwact.errors import InputError
from pwact.io import files
from pwact.query.candidates import Group, Selection, select_candidates
from pwact.query.window import ACCURATE, CANDIDATE, FAILED, Limits, classify
from pwact.report import selection as tables
from pwact.report.records import SelectRecord
from pwact.tools.explored.trees import ExploredTree, find_explored, judged_systems

logger = logging.getLogger(__name__)

RESULT = "filter_test_result"


def judged_tree(md_dir: Path, limits: Sequence[Limits]) -> ExploredTree:
    """What was explored below a directory, if one of the pairs of limits makes sense for it.

    Raises
    ------
    InputError
        There is nothing to be judged, or no pair has values between its limits.
    """
    tree = find_explored(md_dir)
    errors = [tree.uncertainty.error_in(pair) for pair in limits]
    if all(errors):
        raise InputError(errors[0])
    return tree


def count(tree: ExploredTree, limits: Sequence[Limits]) -> list[Optional[SelectRecord]]:
    """Count the classes for each pair of limits, in memory for one system at a time.

    Returns
    -------
    list
        None for a pair that has no values between its limits.
    """
    judge = tree.uncertainty
    totals = {pair: np.zeros(3, dtype=int) for pair in limits if not judge.error_in(pair)}
    for _, rows in judged_systems(tree):
        trajectories = [scores for _, scores in rows]
        for pair in totals:
            window, _ = judge.window(pair, trajectories)
            for one in trajectories:
                classes = classify(one.values, one.failed, window.lower, window.upper)
                totals[pair] += np.bincount(classes, minlength=3)
    return [_record(totals[pair]) if pair in totals else None for pair in limits]


def _record(total: np.ndarray) -> SelectRecord:
    accurate, candidate, failed = (int(total[kind]) for kind in (ACCURATE, CANDIDATE, FAILED))
    return SelectRecord(int(total.sum()), accurate, candidate, failed, candidate)


def select_all(tree: ExploredTree, limits: Limits) -> tuple[Selection, tables.Basis]:
    """Sort the frames by one pair of limits; all candidates are selected.

    Returns
    -------
    Selection
        Trajectories by their absolute directories.
    Basis
        What the frames are judged by, and the limits of systems that have their own.
    """
    groups, stories = [], []
    for number, (system, rows) in enumerate(judged_systems(tree)):
        window, story = tree.uncertainty.window(limits, [scores for _, scores in rows])
        named = [(str(path), scores) for path, scores in rows]
        groups.append(Group(0, number, None, named, window))
        if story:
            stories.append(f"{system.directory.name}: {story}")
    selection = select_candidates(groups, lambda _md, _sys: np.random.default_rng(0))
    return selection, tables.Basis(tree.uncertainty.measure.words, stories)


def write(directory: Path, selection: Selection, basis: tables.Basis) -> str:
    """Write the tables and ``select_summary.txt`` into `directory`; return the summary."""
    directory.mkdir(exist_ok=True)
    text = tables.classes_text(tables.record(selection), basis)
    tables.write_classes(directory, selection)
    files.write_text(directory / tables.SUMMARY, f"{text}\n")
    return text
