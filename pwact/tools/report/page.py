"""Gathers the facts of a campaign for its page, and writes that. Nothing else is written."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import numpy as np

from pwact import __version__, layout
from pwact.errors import PwactError
from pwact.io import files
from pwact.io.journal import Journal
from pwact.report.html.facts import CurvePoint, Facts, LabelledFrame, Measured, Rows
from pwact.report.html.page import Elements, moment, page_text
from pwact.report.records import IterationRow
from pwact.report.standing import standing
from pwact.report.status import Status
from pwact.takeover.tree import tree_in
from pwact.tools.data.first_data import first_data
from pwact.tools.report.errors import error_rows, on_labels, on_valid, valid_rows
from pwact.tools.report.force_field import known_of_force_field
from pwact.tools.report.frames import (
    LabelledFrames,
    Labels,
    column,
    errors_of,
    labels_in,
)
from pwact.tools.report.jobs import job_bars, shown, step_costs
from pwact.tools.report.map import LABELLED, Placed, evenly, explored_frames, first_frames, map_of
from pwact.tools.report.origin import commands, origin, origin_of_pwact
from pwact.tools.report.shared import shared_rows
from pwact.tools.status.status import status_of
from pwact.tools.status.story import Story
from pwact.workflow import ledger
from pwact.workflow.findings import limits_of
from pwact.workflow.reports import SelectReport
from pwact.workflow.rows import report_of

if TYPE_CHECKING:
    from ase import Atoms

Events = Sequence[Mapping[str, Any]]
PAGE = "report.html"
SCALED = "scaled uncertainty U"  # of a campaign with a target
_RESAMPLES = 400
_ALIVE = ("running", "unknown")


def write_report(work_dir: Path, path: Path, now: float) -> None:
    """Write the page of a campaign; `now` in seconds since the epoch.

    Raises
    ------
    UsageError
        Neither pwact nor PWact ever worked there.
    PwactError
        The journal is damaged.
    """
    gathering = Gathering(work_dir, now, path)
    text = page_text(gathering.facts(), elements_of(gathering.frames))
    files.write_text(path, text.encode("utf-8", "replace").decode("utf-8"))  # names in any bytes


@dataclass
class Gathering:
    """The facts of a campaign, found one after the other."""

    work_dir: Path
    now: float
    page: Path = Path(PAGE)

    def __post_init__(self) -> None:
        self.status: Status = status_of(self.work_dir, self.now)
        journal = self.work_dir / layout.STATE_DIR / layout.JOURNAL
        self.events: Events = Journal(journal).events()
        self.stages = ledger.stages(self.events)
        self.rows: Sequence[IterationRow] = self.status.rows
        self.frames: list[tuple[LabelledFrame, Optional[Atoms]]] = []
        self.notes: list[str] = []

    def facts(self) -> Facts:
        """All of them."""
        labels = self._labels()
        measure, limits = self._measure()
        reader = LabelledFrames(self.work_dir, measure)
        self.frames = reader.read(labels)
        self.notes += reader.notes
        until = self._until()
        jobs = job_bars(Story(self.work_dir, self.events)) if self._own else []
        curve = _curve(self.work_dir, self.rows, {one.iteration: one for one in labels})
        return Facts(
            title=self.work_dir.name,
            status=self.status,
            verdict=standing(self.status, self.rows),
            made_at=self.now,
            until=until,
            version=__version__,
            rows=self.rows,
            advice=self.status.advice,
            curve=curve,
            frames=[frame for frame, _ in self.frames],
            shared=self._shared(labels),
            parity=on_labels(self.work_dir, [one.iteration for one in labels], self.notes),
            errors=error_rows(self.rows),
            valid_parity=on_valid(self.work_dir, self.rows, self.notes),
            valid_errors=valid_rows(self.rows),
            force_field=known_of_force_field(self.work_dir),
            folder=os.path.relpath(layout.final_dir(self.work_dir), self.page.parent),
            map=self._map(),
            measure=measure,
            limits=limits,
            target=self.status.target.force_error if self.status.target else None,
            jobs=jobs,
            costs=step_costs(jobs, until),
            lots=_lots(curve),
            notes=self._job_notes(len(jobs)),
            provenance=self._origin(),
        )

    def _shared(self, labels: Sequence[Labels]) -> Mapping[int, Rows]:
        """Iteration → what is the same for all its labels."""
        given = commands(self.events)
        return {
            one.iteration: shared_rows(self.stages, one.iteration, moment, given) for one in labels
        }

    @property
    def _own(self) -> bool:
        """Whether it is a campaign with a journal."""
        return self.status.program == "pwact"

    def _labels(self) -> list[Labels]:
        try:
            return labels_in(self.work_dir)
        except PwactError as error:
            self.notes.append(f"no labelled frames are shown: {error}")
            return []

    def _measure(self) -> tuple[str, Sequence[tuple[str, float]]]:
        """By what frames are chosen, for an axis, and the limits of the last selection."""
        if self.status.target is not None:
            return SCALED, self._limit_of_target()
        for number in range(len(self.rows) - 1, -1, -1):
            found = limits_of(self.stages, number)
            if found is not None:
                both = (("lower limit", found.lower), ("upper limit", found.upper))
                return found.measure.with_unit, () if found.measure.relative else both
        return "uncertainty", ()

    def _limit_of_target(self) -> Sequence[tuple[str, float]]:
        """The limit that the last selection found."""
        for number in range(len(self.rows) - 1, -1, -1):
            report = report_of(self.stages, number, SelectReport)
            made = report.target if report is not None else None
            if made is not None and made.limit is not None:
                return ((f"accepted in {layout.iteration_name(number)} up to", made.limit),)
        return ()

    def _until(self) -> float:
        """Up to when open jobs count: where nobody works any more, up to the last event."""
        times = [float(event["time"]) for event in self.events if event.get("time")]
        return self.now if self.status.state in _ALIVE or not times else max(times)

    def _map(self) -> Any:
        groups: list[list[Placed]] = []
        notes = list(self.notes)
        explored = explored_frames(self.work_dir)
        notes.append(explored.words)
        groups.append(explored.frames)
        groups.append(self._first_frames(notes))
        labelled = [
            Placed(atoms, "labelled", number, frame.iteration)
            for number, (frame, atoms) in enumerate(self.frames)
            if atoms is not None
        ]
        groups.append(evenly(labelled, LABELLED))
        if len(groups[-1]) < len(labelled):
            notes.append(f"{len(groups[-1])} of {len(labelled)} labelled frames are on the map")
        return map_of(groups, notes)

    def _first_frames(self, notes: list[str]) -> list[Placed]:
        try:
            found = first_data(self.work_dir)
            return [] if found is None else first_frames(found.paths, "training")
        except PwactError as error:
            notes.append(f"the first data are not on the map: {error}")
            return []

    def _job_notes(self, jobs: int) -> list[str]:
        if not self._own:
            return ["PWact keeps no record of its jobs."]
        notes = [
            "A job counts as working from when it was first seen running; core-hours are those "
            "hours times the cores that were asked for."
        ]
        from_ = shown(jobs)
        return notes if from_ == jobs else [*notes, f"{from_} of {jobs} jobs are drawn."]

    def _origin(self) -> Any:
        if self._own:
            return origin(self.events, self.stages, moment)
        tree = tree_in(self.work_dir)
        return [] if tree is None else origin_of_pwact(tree)


def _curve(
    work_dir: Path, rows: Sequence[IterationRow], labels: Mapping[int, Labels]
) -> list[CurvePoint]:
    """The errors of each iteration's models; the number of labels is that of those before."""
    points, known = [], 0
    for number, row in enumerate(rows):
        mine = labels.get(number)
        points.append(
            CurvePoint(
                number,
                known,
                _valid(work_dir, number, row),
                _interval(errors_of(mine, False)) if mine else None,
                _interval(errors_of(mine, True)) if mine else None,
            )
        )
        known += row.label.labelled if row.label is not None else 0
    return points


def _valid(work_dir: Path, iteration: int, row: IterationRow) -> Optional[Measured]:
    """Errors of all members on the validation data, else that of the first."""
    path = layout.train_dir(work_dir, iteration) / layout.VALID_ERROR
    errors = column(path, "rmse_force")
    if not errors and row.train.valid_rmse_f is not None:
        errors = [row.train.valid_rmse_f]
    if not errors:
        return None
    return Measured(float(np.mean(errors)), min(errors), max(errors), len(errors))


def _interval(errors: np.ndarray) -> Optional[Measured]:
    """Root mean square of the frames' errors; its interval of 90 % by drawing them again."""
    if not len(errors):
        return None
    lots = np.random.default_rng(len(errors))
    drawn = errors[lots.integers(0, len(errors), (_RESAMPLES, len(errors)))]
    low, high = np.quantile(np.sqrt(np.mean(drawn**2, axis=1)), (0.05, 0.95)).tolist()
    return Measured(float(np.sqrt(np.mean(errors**2))), low, high, len(errors))


def _lots(curve: Sequence[CurvePoint]) -> str:
    """What controls, drawn by lot from all that was explored, say beside the chosen frames."""
    both = [(one.chosen.value, one.control.value) for one in curve if one.chosen and one.control]
    if not both:
        return ""
    ratio = float(np.median([chosen / control for chosen, control in both if control > 0] or [1]))
    return (
        f"Controls are drawn by lot from all explored frames, as random choice would draw them: "
        f"the frames that were chosen had {ratio:.2g} times their error (median of "
        f"{len(both)} iteration{'s' if len(both) > 1 else ''}). What a model would be that is "
        "trained on random frames alone, they cannot tell."
    )


def elements_of(frames: Sequence[tuple[LabelledFrame, Optional[Atoms]]]) -> Elements:
    """Symbol, colour and radius of the elements that are drawn."""
    from ase.data import chemical_symbols, covalent_radii  # noqa: PLC0415
    from ase.data.colors import jmol_colors  # noqa: PLC0415

    drawn = [frame.structure.numbers for frame, _ in frames if frame.structure is not None]
    numbers = np.unique(np.concatenate(drawn)).tolist() if drawn else []
    return {
        int(z): (
            chemical_symbols[z],
            (
                int(255 * jmol_colors[z][0]),
                int(255 * jmol_colors[z][1]),
                int(255 * jmol_colors[z][2]),
            ),
            round(float(covalent_radii[z]), 2),
        )
        for z in numbers
    }
