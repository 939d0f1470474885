"""The files of ``01.explore/select`` and the lines of ``iter_result.txt``."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pwact import layout
from pwact.io import files
from pwact.report.records import SelectRecord

if TYPE_CHECKING:
    from pwact.query.candidates import FrameTable, Selection

ACCURATE = "accurate.csv"
CANDIDATE = layout.CANDIDATE
DELETED = "candidate_delete.csv"
FAILED = "fail.csv"
CHOSEN = "select.csv"
SUMMARY = "select_summary.txt"
ERROR_TRAJ = "error_traj.log"
_AT_A_TIME = 4096
COLUMNS = ("devi_force", "config_index", "file_path")
TARGET_COLUMNS = (*COLUMNS, "kind", "uncertainty_scaled", "rms_force", "sigma")  # with a target


@dataclass(frozen=True)
class MdEnd:
    """How one trajectory ended, and why early; `directory` is relative to the work directory."""

    directory: str
    normal: bool
    why: str = ""


@dataclass(frozen=True)
class Basis:
    """What a selection is based on.

    Attributes
    ----------
    words
        What the frames were judged by.
    limits
        One line a system about its limits, where they are not the user's own.
    pick
        How candidates were picked where there are more than the limit.
    """

    words: str = "model deviation force"
    limits: Sequence[str] = ()
    pick: str = "randomly"


def record(selection: Selection) -> SelectRecord:
    """Count the classes of `selection`."""
    accurate, failed = len(selection.accurate), len(selection.failed)
    selected = len(selection.candidate)
    candidate = selected + len(selection.deleted)
    total = accurate + candidate + failed
    return SelectRecord(total, accurate, candidate, failed, selected)


def write_selection(
    select_dir: Path, selection: Selection, md_ends: Sequence[MdEnd], basis: Basis = Basis()
) -> str:
    """Write the tables, the summary and the list of early ends; return the summary line.

    ``candidate_delete.csv`` exists only when the limit left candidates out.
    """
    write_classes(select_dir, selection)
    if len(selection.deleted):
        write_table(select_dir / DELETED, selection.deleted)
    else:
        files.remove(select_dir / DELETED)
    counts = record(selection)
    files.write_text(select_dir / SUMMARY, summary_text(counts, md_ends, basis))
    files.write_text(select_dir / ERROR_TRAJ, _error_traj(md_ends))
    return summary_line(counts)


def write_classes(directory: Path, selection: Selection) -> None:
    """Write the tables of the three classes."""
    write_table(directory / ACCURATE, selection.accurate)
    write_table(directory / CANDIDATE, selection.candidate)
    write_table(directory / FAILED, selection.failed)


def write_table(path: Path, table: FrameTable) -> None:
    """Write one class of frames as CSV: uncertainty, MD step, trajectory directory."""
    write_rows(path, _rows(table))


def _rows(table: FrameTable) -> Iterator[tuple[float, int, str]]:
    """Its rows as plain values, of which there are few at a time."""
    columns = (table.values, table.steps, table.trajectories)
    for first in range(0, len(table), _AT_A_TIME):
        yield from zip(*(column[first : first + _AT_A_TIME].tolist() for column in columns))


def write_rows(path: Path, rows: Iterable[tuple[float, int, str]]) -> None:
    """Write frames, given row by row, as `write_table` does."""
    with (
        files.replacing(path) as aside,
        aside.open("w", newline="", encoding="utf-8", errors="surrogateescape") as stream,
    ):
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)


def summary_line(counts: SelectRecord) -> str:
    """The line that users search for; percentages of all frames, 2 decimals."""
    total = max(counts.frames, 1)
    shares = [100 * part / total for part in (counts.accurate, counts.candidate, counts.failed)]
    return (
        f"Total structures {counts.frames}"
        f"    accurate {counts.accurate} rate {shares[0]:.2f}%"
        f"    selected {counts.candidate} rate {shares[1]:.2f}%"
        f"    error {counts.failed} rate {shares[2]:.2f}%"
    )


def summary_text(counts: SelectRecord, md_ends: Sequence[MdEnd], basis: Basis = Basis()) -> str:
    """The text of ``select_summary.txt``."""
    return f"{classes_text(counts, basis)}\n\n{md_line(md_ends)}\n"


def classes_text(counts: SelectRecord, basis: Basis = Basis(), with_files: bool = True) -> str:
    """How many frames each class has, and, if `with_files`, in which tables they are listed."""
    left_out = counts.candidate - counts.selected
    limited = f", {basis.pick} select {counts.selected}, delete {left_out}" if left_out else ""
    details = {name: f", details in file {name}" for name in (ACCURATE, FAILED) if with_files}
    lines = [
        summary_line(counts),
        "",
        f"Select by {basis.words}:",
        *basis.limits,
        f"Accurate configurations: {counts.accurate}{details.get(ACCURATE, '')}",
        f"Candidate configurations: {counts.candidate}{limited}",
    ]
    if with_files:
        lines.append(f"        Select details in file {CANDIDATE}")
    if left_out:
        lines.append(f"        Delete details in file {DELETED}.")
    lines.append(f"Error configurations: {counts.failed}{details.get(FAILED, '')}")
    return "\n".join(lines)


def md_line(md_ends: Sequence[MdEnd]) -> str:
    """How many trajectories there are and how many of them stopped early."""
    early = sum(not end.normal for end in md_ends)
    text = (
        f"Total trajectories: {len(md_ends)}, "
        f"ended normally: {len(md_ends) - early}, stopped early: {early}"
    )
    return f"{text}, details in file {ERROR_TRAJ}" if early else text


def iteration_entry(name: str, counts: SelectRecord, md_ends: Sequence[MdEnd]) -> str:
    """The entry of one selection in ``iter_result.txt`` of the iteration called `name`."""
    return f"{name}  {summary_line(counts)}\n{md_line(md_ends)}\n"


def direct_entry(candidates: int, chosen: int) -> str:
    """The entry of the choice by a DIRECT script in ``iter_result.txt``."""
    return f"DIRECT: candidates {candidates}, chosen {chosen}\n"


def label_entry(converged: int, not_converged: Sequence[str], repeated: int = 0) -> str:
    """The entry of one labelling in ``iter_result.txt``; the second argument holds directories."""
    text = (
        f"Number of converged files: {converged}, "
        f"number of non-converged files: {len(not_converged)}\n"
    )
    if repeated:
        text += f"Number of repeated structures, which are in the data once: {repeated}\n"
    if not_converged:
        text += "Non-converged files:\n" + "".join(f"{path}\n" for path in not_converged)
    return text


def _error_traj(md_ends: Sequence[MdEnd]) -> str:
    early = [
        f"{end.directory}: {end.why}" if end.why else end.directory
        for end in md_ends
        if not end.normal
    ]
    normal = [end.directory for end in md_ends if end.normal]
    lines = [md_line(md_ends), "", "Stopped early:", *early, "", "Ended normally:", *normal]
    return "\n".join(lines) + "\n"
