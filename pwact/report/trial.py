"""What limits on trial would make of the explored frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

from pwact.report.measure import Measure
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


@dataclass(frozen=True)
class TargetRecord:
    """What the labelled frames of an iteration say of all its explored ones.

    Attributes
    ----------
    target
        Force error that is asked for, eV/Å.
    pairs
        On how many labelled frames it rests.
    frames
        Number of explored frames.
    limit
        Largest uncertainty that is accepted; None if not even the smallest is.
    accepted
        Number of frames up to the limit.
    expected
        Share of them whose error is expected to be below the target; NaN without any.
    smallest, error
        The smallest uncertainty, and the error that it lets expect (eV/Å); NaN without any.
    """

    target: float
    pairs: int
    frames: int
    limit: Optional[float]
    accepted: int
    expected: float
    smallest: float
    error: float


def target_text(record: TargetRecord, measure: Measure) -> str:
    """What a target error would accept, and on what that rests, in a few lines."""
    head = (
        f"target {record.target:g} eV/Å, judged by {measure.words} and the true errors of "
        f"{record.pairs} labelled frames"
    )
    if record.limit is None:
        return (
            f"{head}\n\nnone of {record.frames} frames counts as accurate: at the smallest "
            f"{measure.noun}, {measure.text(_short(record.smallest))}, "
            f"the force error is about {record.error:.2g} eV/Å"
        )
    share = 100 * record.accepted / max(record.frames, 1)
    return (
        f"{head}\n\nlower limit {measure.text(_short(record.limit))}: "
        f"{record.accepted} of {record.frames} frames ({share:.2f}%) count as accurate; "
        f"the error of {100 * record.expected:.0f}% of them is expected to be below the target"
    )


def _short(value: float) -> float:
    return float(f"{value:.3g}")
