"""Why a selection found nothing, or hardly anything, by its numbers alone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Optional

from pwact.report.measure import Measure
from pwact.report.records import ExploreRecord, LabelRecord, SelectRecord, SpreadRecord

HARDLY = 0.01  # share of candidates, below which there is hardly one
HOPELESS = 1.0  # eV/Å: models that differ by so much know nothing


class Kind(Enum):
    """What was found; the value says it in short."""

    NO_FRAMES = "no frame was explored"
    UNPHYSICAL = "frames are unphysical"
    SYSTEM_EMPTY = "of a structure no frame is physical"
    NO_SPREAD = "the deviations of all frames are zero"
    UNUSABLE = "no frame has a usable value"
    NO_LIMITS = "no limits can be derived"
    ALL_FAILED = "all frames lie above the window"
    ALL_ACCURATE = "all frames lie below the window"
    BETWEEN = "all frames lie below or above the window"
    HARDLY_ANY = "there is hardly a candidate"
    NONE_CHOSEN = "no candidate was chosen"
    ALL_KNOWN = "all candidates are in the data already"
    LABELS_LOST = "no label succeeded"
    SYSTEM_FAILED = "nothing of a system was selected"


@dataclass(frozen=True)
class Limits:
    """The limits of the user, and what they are compared with."""

    lower: float
    upper: float
    measure: Measure


@dataclass(frozen=True)
class Case:
    """What is known of one iteration.

    Attributes
    ----------
    name
        ``iter.0000``.
    valid, new
        Errors of forces in eV/Å: of its models on the validation data, and of the last exploring
        model on the labels that were made last.
    chosen
        How many candidates a DIRECT script chose; None without.
    label
        None where nothing was labelled yet.
    window
        A window to try, in the units of `limits`; None where nobody can tell.
    validated
        Whether its training got ``valid_data``.
    """

    name: str
    limits: Limits
    select: SelectRecord
    spread: SpreadRecord = SpreadRecord()
    explore: Optional[ExploreRecord] = None
    valid: Optional[float] = None
    new: Optional[float] = None
    chosen: Optional[int] = None
    label: Optional[LabelRecord] = None
    window: Optional[tuple[float, float]] = None
    validated: bool = False

    @property
    def wrong(self) -> Optional[bool]:
        """Whether a measured error lies above the lower limit; None where none can be compared."""
        errors = [error for error in (self.valid, self.new) if error is not None]
        if self.limits.measure.relative or not errors:
            return None
        return max(errors) > self.limits.lower


def kind_of(case: Case) -> Optional[Kind]:
    """Which of the causes it is that nothing, or hardly anything, was selected or labelled.

    None where enough was, and where hardly anything was, but the models are as good as they say.
    """
    counts, spread = case.select, case.spread
    if not counts.frames:
        return Kind.NO_FRAMES
    if counts.candidate:
        return _kind_with_candidates(case)
    if spread.zeros == counts.frames:
        return Kind.NO_SPREAD
    if counts.failed == counts.frames:
        if spread.unusable == counts.frames:
            return Kind.UNUSABLE
        return Kind.NO_LIMITS if _without_limits(case) else Kind.ALL_FAILED
    return Kind.ALL_ACCURATE if counts.accurate == counts.frames else Kind.BETWEEN


def _kind_with_candidates(case: Case) -> Optional[Kind]:
    counts = case.select
    if case.chosen == 0 or not counts.selected:
        return Kind.NONE_CHOSEN
    if case.label is not None and not case.label.labelled:
        known = case.label.repeated and not case.label.failed
        return Kind.ALL_KNOWN if known else Kind.LABELS_LOST
    if counts.candidate >= HARDLY * counts.frames:
        return None
    mostly_failed = counts.failed > counts.accurate
    return Kind.HARDLY_ANY if mostly_failed or case.wrong else None


def _without_limits(case: Case) -> bool:
    limits = [one.lower for one in case.spread.systems if one.frames]
    return bool(limits) and all(lower is None for lower in limits)
