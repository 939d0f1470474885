"""Draws what a campaign explored and learned, also one that runs, has died, or is PWact's."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Callable, Optional

from pwact import layout
from pwact.errors import InputError, PwactError, UsageError
from pwact.io.journal import Journal
from pwact.query.window import Limits
from pwact.report import pictures, plots
from pwact.report.parity import Compared, read_parity
from pwact.report.parity_pictures import parity
from pwact.report.records import IterationRow
from pwact.report.target_pictures import accepted, errors, reliability
from pwact.takeover.rows import rows_of_pwact
from pwact.takeover.tree import tree_in
from pwact.tools.explored.pictures import AllIterations, Drawn, chosen_frames, make, paths
from pwact.tools.explored.rounds import (
    Decided,
    aim_of,
    line_of,
    points_of,
    read_rounds,
    reliability_of,
    rows_of,
)
from pwact.tools.explored.trees import ExploredTree, find_explored, judged_systems
from pwact.uncertainties import recorded_in
from pwact.workflow import ledger, steps
from pwact.workflow.reports import ExploreReport
from pwact.workflow.rows import row

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Subject:
    """What there is to draw.

    Attributes
    ----------
    iterations
        By number, the directories of those that are to be drawn.
    limits
        Of each iteration, as its uncertainty understands them; what is absent is not drawn.
    rows
        One an iteration, for the learning curve.
    work_dir
        Where they lie.
    structures
        What the explored structures are called: (iteration, system) → name, where that is known.
    """

    iterations: Mapping[int, Path]
    limits: Mapping[int, Limits]
    rows: Sequence[IterationRow]
    work_dir: Path
    structures: Mapping[tuple[int, str], str]

    def called(self, iteration: int, system: str) -> str:
        """A system in titles: ``slab.vasp (md.000.sys.000)``."""
        name = self.structures.get((iteration, system))
        return f"{name} ({system})" if name else system


def subject_of(
    work_dir: Path,
    wanted: Optional[Sequence[int]] = None,
    limits: Optional[Limits] = None,
) -> Subject:
    """Find out what can be drawn of a work directory; nothing is written.

    Parameters
    ----------
    wanted
        Iterations; all by default.
    limits
        In place of those of the campaign.

    Raises
    ------
    UsageError
        There are no iterations, or not the one that is wanted; or the limits make no sense.
    """
    if not work_dir.is_dir():
        raise UsageError(f"{work_dir} is not a directory")
    found = {
        int(path.name[len("iter.") :]): path
        for path in sorted(work_dir.glob("iter.*"))
        if path.is_dir() and re.fullmatch(r"iter\.\d{4,}", path.name)
    }
    if not found:
        raise UsageError(f"{work_dir}: no run of pwact, nor one of PWact, was begun here")
    chosen = list(found) if wanted is None else list(wanted)
    for number in chosen:
        if number not in found:
            raise UsageError(
                f"{layout.iteration_name(number)} is not there; there are "
                f"{layout.iteration_name(min(found))} to {layout.iteration_name(max(found))}"
            )
    if limits is not None:
        _check_limits(limits, [found[number] for number in chosen])
    stages = ledger.stages(Journal(work_dir / layout.STATE_DIR / layout.JOURNAL).events())
    known = {number: limits or _limits(stages, number) for number in chosen}
    return Subject(
        {number: found[number] for number in chosen},
        {number: pair for number, pair in known.items() if pair},
        _rows(work_dir, stages, found),
        work_dir,
        _structures(stages, chosen),
    )


def _structures(
    stages: Mapping[str, ledger.StageState], iterations: Sequence[int]
) -> dict[tuple[int, str], str]:
    """What explorations say of their structures; older journals do not."""
    found = {}
    for number in iterations:
        state = stages.get(f"{layout.iteration_name(number)}/explore")
        for entry in ExploreReport.from_json(state.report).paths if state else ():
            if entry.structure:
                found[number, entry.system] = entry.structure
    return found


def _check_limits(limits: Limits, places: Sequence[Path]) -> None:
    for place in places:
        try:
            tree = _explored(place)
        except InputError:
            continue
        if error := tree.uncertainty.error_in(limits):
            raise UsageError(error)


def _limits(stages: Mapping[str, ledger.StageState], iteration: int) -> Optional[Limits]:
    state = stages.get(f"{layout.iteration_name(iteration)}/select")
    given: Mapping[str, Any] = state.inputs if state else {}
    judge = recorded_in(given)
    return Limits(*(float(given[key]) for key in judge.measure.keys)) if judge else None


def _rows(
    work_dir: Path, stages: Mapping[str, ledger.StageState], found: Mapping[int, Path]
) -> list[IterationRow]:
    if any(name.startswith("iter.") for name in stages):
        return [row(stages, number) for number in sorted(found)]
    tree = tree_in(work_dir)
    return [] if tree is None else rows_of_pwact(tree)


def draw(
    subject: Subject, directory: Path, formats: Sequence[str], drawn: Callable[[], object]
) -> list[Path]:
    """Draw everything into `directory`, and name the pictures.

    For each structure of an iteration ``iter.0000/md.000.sys.000-{histogram,by_step,
    by_temperature}``; ``iterations``, ``parity`` and ``learning_curve`` for all; with a target
    ``iter.0000/errors`` as well, ``reliability`` and ``accepted``.

    Parameters
    ----------
    formats
        ``png``, ``svg``.
    drawn
        Called after each iteration.

    Raises
    ------
    PwactError
        There is no matplotlib that works.
    """
    if reason := plots.flaw():
        raise PwactError(f"nothing can be drawn: {reason}; pip install matplotlib mends it")
    made: list[Path] = []
    everything = AllIterations(set(subject.limits.values()))
    for number, place in subject.iterations.items():
        name = layout.iteration_name(number)
        explored = layout.step_names(steps.source_of(steps.FRAMES).mark)
        if not any((place / step).is_dir() for step in (*explored, layout.PWACT_WORK)):
            drawn()
            continue  # trained only
        try:
            tree = _explored(place)
            chosen = chosen_frames(subject.work_dir, number)
            for system, scores in judged_systems(tree):
                title = f"{name} {subject.called(number, system.directory.name)}"
                one = Drawn(title, tree.uncertainty, scores, chosen)
                base = directory / name / system.directory.name
                made += one.draw(base, formats, subject.limits.get(number))
                everything.add(name, tree.uncertainty, scores)
        except InputError as error:
            logger.warning("%s: no deviations to draw: %s", name, error)
        drawn()
    painters: dict[str, Callable[[Path], bool]] = {
        "iterations": everything.draw,
        "parity": lambda path: parity(path, _compared(subject)),
        "learning_curve": lambda path: pictures.learning_curve(path, subject.rows),
    }
    made += [
        path
        for name, painter in painters.items()
        for path in paths(directory / name, formats)
        if make(path, painter)
    ]
    return made + _draw_rounds(subject, directory, formats)


def _compared(subject: Subject) -> list[tuple[str, list[Compared]]]:
    """The labels of each iteration that is drawn, beside what its exploring model said."""
    found = []
    for number in subject.iterations:
        path = layout.parity(subject.work_dir, number)
        try:
            frames = read_parity(path) if path.exists() else []
        except InputError as error:
            logger.warning("%s", error)
            continue
        found.append((layout.iteration_name(number), frames))
    return found


def _draw_rounds(subject: Subject, directory: Path, formats: Sequence[str]) -> list[Path]:
    """The pictures of a campaign with a target; none of others."""
    try:
        rounds = read_rounds(subject.work_dir)
    except InputError as error:
        logger.warning("no picture of the target is drawn: %s", error)
        return []
    painters: list[tuple[Path, Callable[[Path], bool]]] = []
    for one in rounds:
        if one.iteration in subject.iterations:
            name = layout.iteration_name(one.iteration)
            painters.append((directory / name / "errors", partial(_errors, one)))
    bins, title = reliability_of(rounds), "Promised, and found"
    painters.append((directory / "reliability", lambda path: reliability(path, title, bins)))
    painters.append((directory / "accepted", lambda path: accepted(path, rows_of(rounds))))
    return [
        path for base, painter in painters for path in paths(base, formats) if make(path, painter)
    ]


def _errors(one: Decided, path: Path) -> bool:
    title = f"{layout.iteration_name(one.iteration)}, md_jobs[{one.condition}]"
    return errors(path, title, points_of(one), line_of(one), aim_of(one))


def _explored(place: Path) -> ExploredTree:
    """What was explored in an iteration, else in PWact's working copy of it."""
    try:
        return find_explored(place)
    except InputError:
        copy = place / layout.PWACT_WORK
        if not copy.is_dir():
            raise
        return find_explored(copy)
