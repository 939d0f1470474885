"""The table of iterations: how the models got better."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import Callable, Optional

from pwact.report.records import ExploreRecord, IterationRow, SelectRecord

ABSENT = "-"
WIDTH = 80  # of a terminal that nobody has made wider

Column = tuple[str, str, Callable[[IterationRow], str]]


def iteration_table(rows: Sequence[IterationRow], wide: bool = False) -> str:
    """One line an iteration under two heading lines (name and unit), columns aligned.

    Percentages refer to all frames looked at; a value that does not exist is shown as ``-``. With a
    target there is a column with the condition that each iteration served. The words below say what
    the columns are.

    Parameters
    ----------
    wide
        With more columns, and headings that speak for themselves; else it fits 80 columns.
    """
    lines = iteration_cells(rows, wide)
    return "\n".join([aligned(lines), *([] if wide else _words(rows))])


def iteration_cells(rows: Sequence[IterationRow], wide: bool = True) -> list[list[str]]:
    """The cells of that table, the two heading lines first."""
    aims = any(row.explore is not None and row.explore.condition is not None for row in rows)
    columns = [one for one in (_WIDE if wide else _NARROW) if aims or one[0] not in _OF_TARGET]
    lines = [[name for name, _, _ in columns], [unit for _, unit, _ in columns]]
    return lines + [[cell(row) for _, _, cell in columns] for row in rows]


def _words(rows: Sequence[IterationRow]) -> list[str]:
    """What stands below the narrow table: what its columns are, and what it leaves out."""
    failed = [row for row in rows if row.label is not None and row.label.failed]
    lost = ", ".join(f"{row.label.failed} in {row.name}" for row in failed if row.label)
    return [
        *([f"labels that failed: {lost}"] if lost else []),
        "acc, cand, fail: accurate frames, candidates, failed ones; lab.: new labels",
        "E, F new: error (RMSE) on them of energy per atom and forces, before training",
        "F val.: force error on valid_data; more: pwact status --wide",
    ]


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Cells in columns: the first flush left, the others flush right."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(_aligned(line, widths) for line in lines)


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    first = cells[0].ljust(widths[0])
    rest = (cell.rjust(width) for cell, width in zip(cells[1:], widths[1:]))
    return "  ".join([first, *rest]).rstrip()


def _condition(row: IterationRow) -> str:
    explore = row.explore
    return ABSENT if explore is None or explore.condition is None else str(explore.condition)


def _temps(row: IterationRow, longest: int = 99) -> str:
    explore: Optional[ExploreRecord] = row.explore
    if explore is None or not explore.temps_k:
        return ABSENT
    temps = sorted(set(explore.temps_k))
    listed = ",".join(f"{temp:g}" for temp in temps)
    fits = len(temps) <= 3 and len(listed) <= longest
    return listed if fits else f"{temps[0]:g}-{temps[-1]:g}"


def _frames(row: IterationRow) -> str:
    return ABSENT if row.select is None else str(row.select.frames)


def _share(
    part: Callable[[SelectRecord], int], short: bool = False
) -> Callable[[IterationRow], str]:
    def cell(row: IterationRow) -> str:
        if row.select is None:
            return ABSENT
        share = 100 * part(row.select) / max(row.select.frames, 1)
        return _whole(share) if short else f"{share:.1f}"

    return cell


def _whole(share: float) -> str:
    """A percentage in two or three letters; what is not all is not shown as all."""
    if 0 < share < 0.5:
        return "<1"
    return ">99" if 99.5 <= share < 100 else f"{share:.0f}"


def _labelled(row: IterationRow) -> str:
    return ABSENT if row.label is None else str(row.label.labelled)


def _failed_labels(row: IterationRow) -> str:
    return ABSENT if row.label is None else str(row.label.failed)


def _number(value: Optional[float], digits: int = 4) -> str:
    return ABSENT if value is None or isnan(value) else f"{value:.{digits}f}"


def _mev(value: Optional[float]) -> str:
    """An energy per atom (eV) in meV."""
    return _number(None if value is None else 1000 * value, 1)


def _wall(row: IterationRow) -> str:
    return ABSENT if row.wall_s is None else f"{row.wall_s:.0f}"


def _accurate(select: SelectRecord) -> int:
    return select.accurate


def _candidate(select: SelectRecord) -> int:
    return select.candidate


def _failed(select: SelectRecord) -> int:
    return select.failed


_OF_TARGET = ("condition", "job")
_NARROW: Sequence[Column] = (
    ("iteration", "", lambda row: row.name),
    ("job", "", _condition),
    ("T", "K", lambda row: _temps(row, 9)),
    ("frames", "", _frames),
    ("acc", "%", _share(_accurate, short=True)),
    ("cand", "%", _share(_candidate, short=True)),
    ("fail", "%", _share(_failed, short=True)),
    ("lab.", "", _labelled),
    ("E new", "meV", lambda row: _mev(row.on_labels.rmse_e)),
    ("F new", "eV/Å", lambda row: _number(row.on_labels.rmse_f)),
    ("F val.", "eV/Å", lambda row: _number(row.train.valid_rmse_f)),
)
_WIDE: Sequence[Column] = (
    ("iteration", "", lambda row: row.name),
    ("condition", "", _condition),
    ("temps", "K", _temps),
    ("frames", "", _frames),
    ("accurate", "%", _share(_accurate)),
    ("candidate", "%", _share(_candidate)),
    ("failed", "%", _share(_failed)),
    ("labelled", "", _labelled),
    ("failed labels", "", _failed_labels),
    ("rmse_e new", "meV/atom", lambda row: _mev(row.on_labels.rmse_e)),
    ("mae_e new", "meV/atom", lambda row: _mev(row.on_labels.mae_e)),
    ("rmse_f new", "eV/Å", lambda row: _number(row.on_labels.rmse_f)),
    ("mae_f new", "eV/Å", lambda row: _number(row.on_labels.mae_f)),
    ("worst atom", "eV/Å", lambda row: _number(row.on_labels.worst_f)),
    ("rmse_e valid", "meV/atom", lambda row: _mev(row.train.valid_rmse_e)),
    ("rmse_f valid", "eV/Å", lambda row: _number(row.train.valid_rmse_f)),
    ("wall", "s", _wall),
)
