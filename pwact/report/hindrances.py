"""What keeps an iteration with a target from its end beside its errors.

An MD that breaks, a structure of which nothing is explored, or uncertainties that say nothing: more
labels alone do not help there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

from pwact.report.causes import Kind
from pwact.report.findings import Finding, labels_lost
from pwact.report.records import ExploreRecord, LabelRecord, RoundRecord, SelectRecord

SHOWN = 5  # systems in one line
FEW = 0.05  # share of frames or trajectories that may be lost: `pwact.query.driving.SHARE` are left


def aimed_findings(
    name: str, counts: SelectRecord, aim: RoundRecord, label: Optional[LabelRecord]
) -> list[Finding]:
    """What the user must know of a selection with a target, beyond its numbers.

    Parameters
    ----------
    name
        ``iter.0000``.
    label
        None where nothing was labelled yet.
    """
    found = [*_unlabelled(counts, aim, label), *_broken(counts, aim)]
    return [Finding(kind, f"{name}: {words}") for kind, words in found]


def hindrance(counts: SelectRecord, aim: RoundRecord, explore: ExploreRecord) -> str:
    """What is wrong with the frames and trajectories of an iteration, in words; "" for nothing."""
    words = [words for _, words in _broken(counts, aim)]
    early = explore.trajectories - explore.ended_normally
    if early > FEW * explore.trajectories:
        words.append(f"{early} of {explore.trajectories} trajectories did not come to their end")
    return "; ".join(words)


def _unlabelled(
    counts: SelectRecord, aim: RoundRecord, label: Optional[LabelRecord]
) -> Iterator[tuple[Kind, str]]:
    """Why nothing is labelled, where there were frames."""
    if aim.frames and not counts.selected:
        yield (
            Kind.ALL_KNOWN,
            "nothing is labelled: all frames are nearly in the data already",
        )
    if counts.selected and label is not None and not label.labelled:
        if label.repeated and not label.failed:
            words = f"all {counts.selected} selected frames are in the data already"
            yield Kind.ALL_KNOWN, f"nothing is labelled: {words}"
        else:
            yield Kind.LABELS_LOST, labels_lost(counts.selected, label.failed)


def _broken(counts: SelectRecord, aim: RoundRecord) -> Iterator[tuple[Kind, str]]:
    if not counts.frames:
        yield Kind.NO_FRAMES, "no frame was explored"
        return
    if aim.unphysical > FEW * counts.frames:
        yield Kind.UNPHYSICAL, f"{aim.unphysical} of {counts.frames} frames are unphysical"
    empty = [one.name for one in aim.systems if one.empty]
    if empty:
        more = f" and {len(empty) - SHOWN} more" if len(empty) > SHOWN else ""
        names = ", ".join(empty[:SHOWN])
        yield Kind.SYSTEM_EMPTY, f"there is no physical frame of {names}{more}"
    if aim.spread and all(one is None for one in aim.spread):
        yield (
            Kind.UNUSABLE,
            f"the uncertainty of all {aim.frames} physical frames is zero or no number, so that "
            "none is ever accepted: the models are identical, or no data decide about these atoms",
        )
