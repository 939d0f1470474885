"""What limits on trial would make of the explored frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from pwact.report.records import SelectRecord
from pwact.report.table import aligned

HEADINGS = ("lower", "upper", "accurate", "%", "candidate", "%", "failed", "%")


def trial_table(
    limits: Sequence[tuple[float, float]], counts: Sequence[Optional[SelectRecord]]
) -> str:
    """One line a pair of limits; blank where no value lies between them.

    Parameters
    ----------
    limits
        Lower and upper limit.
    counts
        What they make of the frames; percentages are of all frames.
    """
    lines = [list(HEADINGS)]
    for (lower, upper), record in zip(limits, counts):
        cells = [""] * 6
        if record is not None:
            cells = []
            for number in (record.accurate, record.candidate, record.failed):
                cells += [str(number), f"{100 * number / max(record.frames, 1):.2f}"]
        lines.append([f"{lower:g}", f"{upper:g}", *cells])
    return aligned(lines)
