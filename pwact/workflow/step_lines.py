"""What a step has found, in lines for the log: a function a step, named in the table of steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pwact.report.errors import error_words, largest_words, valid_words
from pwact.report.measure import Measure
from pwact.report.records import SpreadRecord, SystemRecord, TrainRecord
from pwact.workflow.explored import read_candidates
from pwact.workflow.reports import LabelReport, SelectReport
from pwact.workflow.rows import report_of
from pwact.workflow.systems import System, explored_names, systems_of

if TYPE_CHECKING:
    from pwact.workflow.turn import Turn

MOST = 20  # systems of an iteration that have a line


def trained(turn: Turn, report: Mapping[str, Any]) -> list[str]:
    """Errors on the validation data, and what they were in the iteration before."""
    before = report_of(turn.stages(), turn.iteration - 1, TrainRecord) if turn.iteration else None
    words = valid_words(before or TrainRecord(), TrainRecord.from_json(report))
    return [f"error on valid_data: {words}"] if words else []


def selected(turn: Turn, report: Mapping[str, Any]) -> list[str]:
    """Of each structure, how many frames are accurate, and how many are labelled."""
    config = turn.config
    names, found = explored_names(config), SelectReport.from_json(report)
    picked = _picked(turn, found)
    known = {one.name: one for one in systems_of(config, turn.iteration, turn.condition)}
    lines = []
    for name, words in _counts(found, turn.uncertainty.measure):
        system = known.get(name)
        what = name if system is None else f"{names[system.structure.path]}{md_words(system)}"
        lines.append(f"{what}: {words[0]}, {picked[name]} to label{words[1]}")
    more = [f"… and {len(lines) - MOST} more"] if len(lines) > MOST else []
    return [*lines[:MOST], *more]


def _picked(turn: Turn, report: SelectReport) -> Counter[str]:
    """How many frames of each system are in the table of those to be labelled."""
    work_dir = turn.config.work_dir
    return Counter(one.system for one in read_candidates(work_dir / report.candidates, work_dir))


def _counts(report: SelectReport, measure: Measure) -> Iterator[tuple[str, tuple[str, str]]]:
    """Name of each system, and what is said before and after the number that is labelled."""
    if report.target is not None:
        for one in report.target.systems:
            yield one.name, (f"{one.frames} frames, {one.accepted} accepted", "")
        return
    for system in (report.spread or SpreadRecord()).systems:
        if system.frames:
            yield system.name, _window_words(system, measure)


def _window_words(system: SystemRecord, measure: Measure) -> tuple[str, str]:
    share = f"{100 * system.accurate / system.frames:.0f} % accurate"
    failed = f", {system.failed} failed" if system.failed else ""
    words = f"{system.frames} frames, {share}, {system.candidate} candidates{failed}"
    largest = system.quantiles[-1:]
    after = f", largest {measure.noun} {largest[0]:.3g} {measure.unit}" if largest else ""
    return words, after.rstrip()


def md_words(system: System) -> str:
    """At which temperatures and pressures a structure is explored: `` at 300, 500 K``."""
    job = system.job
    if system.lammps is not None or not job.temps:
        return " by an own input" if system.lammps is not None else ""
    words = f" at {_listed(job.temps)} K"
    if job.ensemble.startswith("npt") and any(job.press):
        words += f" and {_listed(job.press)} bar"
    return words


def _listed(values: Iterable[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def labelled(turn: Turn, report: Mapping[str, Any]) -> list[str]:
    """How wrong the model was that explored."""
    del turn
    records = LabelReport.from_json(report).errors
    if not records:
        return []
    largest = largest_words(records)
    words = error_words(records[0]) + (f"; {largest}" if largest else "")
    return [f"{records[0].frames} new labels; error of the model that explored: {words}"]
