"""The table of iterations: how the committee got better."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from pwact.report.records import ExploreRecord, IterationRow, LabelRecord, SelectRecord

HEADINGS = (
    ("iteration", ""),
    ("temps", "K"),
    ("frames", ""),
    ("accurate", "%"),
    ("candidate", "%"),
    ("failed", "%"),
    ("labelled", ""),
    ("failed labels", ""),
    ("rmse_f new", "eV/Å"),
    ("rmse_f valid", "eV/Å"),
    ("wall", "s"),
)
ABSENT = "-"


def iteration_table(rows: Sequence[IterationRow]) -> str:
    """One line an iteration under two heading lines (name and unit), columns aligned.

    Percentages refer to all frames looked at; a value that does not exist is shown as ``-``. With a
    target there is a column with the condition that each iteration served.
    """
    lines = [[name for name, _ in HEADINGS], [unit for _, unit in HEADINGS]]
    lines += [_cells(row) for row in rows]
    served = [row.explore.condition if row.explore else None for row in rows]
    if any(condition is not None for condition in served):  # a campaign with a target
        words = [ABSENT if condition is None else str(condition) for condition in served]
        for line, word in zip(lines, ("condition", "", *words)):
            line.insert(1, word)
    return aligned(lines)


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Cells in columns: the first flush left, the others flush right."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(_aligned(line, widths) for line in lines)


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    first = cells[0].ljust(widths[0])
    rest = (cell.rjust(width) for cell, width in zip(cells[1:], widths[1:]))
    return "  ".join([first, *rest]).rstrip()


def _cells(row: IterationRow) -> list[str]:
    return [
        row.name,
        _temps(row.explore),
        *_classes(row.select),
        *_labels(row.label),
        _error(row.train.valid_rmse_f),
        ABSENT if row.wall_s is None else f"{row.wall_s:.0f}",
    ]


def _temps(explore: Optional[ExploreRecord]) -> str:
    if explore is None or not explore.temps_k:
        return ABSENT
    temps = sorted(set(explore.temps_k))
    if len(temps) > 3:
        return f"{temps[0]:g}-{temps[-1]:g}"
    return ",".join(f"{temp:g}" for temp in temps)


def _classes(select: Optional[SelectRecord]) -> list[str]:
    if select is None:
        return [ABSENT] * 4
    total = max(select.frames, 1)
    shares = (select.accurate, select.candidate, select.failed)
    return [str(select.frames), *(f"{100 * share / total:.1f}" for share in shares)]


def _labels(label: Optional[LabelRecord]) -> list[str]:
    if label is None:
        return [ABSENT] * 3
    return [str(label.labelled), str(label.failed), _error(label.rmse_f)]


def _error(value: Optional[float]) -> str:
    return ABSENT if value is None else f"{value:.4f}"
