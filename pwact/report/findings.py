"""What a selection says beyond its numbers: why nothing was selected, and whether that is good.

The remedies are opposite, so the words are: frames of which the models are sure need no labels,
if the models are right; frames of which they know nothing show a wrong window or wrong data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Callable

from pwact.report.causes import HOPELESS, Case, Kind, kind_of
from pwact.report.records import SystemRecord

SHOWN = 5  # systems in one line
_PERCENT = ("5 %", "25 %", "50 %", "75 %", "95 %", "largest")


@dataclass(frozen=True)
class Finding:
    """One sentence about an iteration.

    Attributes
    ----------
    warns
        Whether the user has to look.
    """

    kind: Kind
    words: str
    warns: bool = True


def findings(case: Case) -> list[Finding]:
    """What the user must know of a selection, beyond the numbers of its classes."""
    kind = kind_of(case)
    found = []
    if kind is not None:
        warns = kind is not Kind.ALL_ACCURATE or case.wrong is not False
        words = f"{case.name}: {_WORDS[kind](case)}{_early(case)}"
        found.append(Finding(kind, words, warns))
    if kind in {None, Kind.HARDLY_ANY, Kind.NONE_CHOSEN, Kind.ALL_KNOWN, Kind.LABELS_LOST}:
        found += _lost_systems(case)
    return found


def _no_frames(_: Case) -> str:
    return "nothing is selected: no frame was explored"


def _no_spread(case: Case) -> str:
    what = case.limits.measure.noun
    return (
        f"nothing is selected: the {what} of {_frames(case.select.frames)} is exactly 0, which "
        "says nothing: the models are identical, no data decide about these atoms, or all forces "
        "are zero by symmetry"
    )


def _unusable(case: Case) -> str:
    return (
        f"nothing is selected: {_frames(case.select.frames)} failed without a usable value (not "
        "finite, or zero after the first step): the models cannot describe what was explored"
    )


def _no_limits(case: Case) -> str:
    return (
        f"nothing is selected: for {_frames(case.select.frames)} no limits can be derived, for the "
        f"first frames have a {case.limits.measure.noun} of zero"
    )


def _all_failed(case: Case) -> str:
    unusable = case.spread.unusable
    others = f", {unusable} of them without a usable value" if unusable else ""
    return (
        f"nothing is selected: {_lie(case.select.frames)} above the window, "
        f"{_limit(case, 1)}{others}; {_spread(case)}; or the models or the data are wrong"
    )


def _all_accurate(case: Case) -> str:
    return (
        f"nothing is selected: {_lie(case.select.frames)} below the window, {_limit(case, 0)}, "
        f"{_measured(case)}"
    )


def _between(case: Case) -> str:
    counts = case.select
    return (
        f"nothing is selected: of {counts.frames} frames {counts.accurate} lie below the window, "
        f"{_limit(case, 0)}, and {counts.failed} above it, {_limit(case, 1)}"
        f"{_by_system(case.spread.systems)}; {_spread(case)}"
    )


def _hardly_any(case: Case) -> str:
    counts = case.select
    return (
        f"hardly anything is selected: {counts.candidate} of {counts.frames} frames; "
        f"{counts.accurate} lie below the window, {_limit(case, 0)}, and {counts.failed} above "
        f"it, {_measured(case)}"
    )


def _none_chosen(case: Case) -> str:
    return f"nothing is labelled: none of {case.select.candidate} candidates was chosen"


def _all_known(case: Case) -> str:
    return (
        f"nothing is labelled: all {case.select.selected} selected frames are in the data already, "
        "and the models are still unsure of them: explore other structures or conditions, or let "
        "the models fit more"
    )


def _labels_lost(case: Case) -> str:
    return labels_lost(case.select.selected, case.label.failed if case.label else 0)


def labels_lost(selected: int, failed: int) -> str:
    """No label of so many selected frames succeeded."""
    return (
        f"nothing is labelled: of {selected} selected frames {failed} labels failed, "
        "the others were left out; iter_result.txt and the log name them"
    )


_WORDS: Mapping[Kind, Callable[[Case], str]] = {
    Kind.NO_FRAMES: _no_frames,
    Kind.NO_SPREAD: _no_spread,
    Kind.UNUSABLE: _unusable,
    Kind.NO_LIMITS: _no_limits,
    Kind.ALL_FAILED: _all_failed,
    Kind.ALL_ACCURATE: _all_accurate,
    Kind.BETWEEN: _between,
    Kind.HARDLY_ANY: _hardly_any,
    Kind.NONE_CHOSEN: _none_chosen,
    Kind.ALL_KNOWN: _all_known,
    Kind.LABELS_LOST: _labels_lost,
}


def _frames(count: int) -> str:
    return "the only frame" if count == 1 else f"all {count} frames"


def _lie(count: int) -> str:
    return f"{_frames(count)} {'lies' if count == 1 else 'lie'}"


def _limit(case: Case, which: int) -> str:
    """The lower (0) or upper (1) limit by its key."""
    limits = case.limits
    value = (limits.lower, limits.upper)[which]
    measure = limits.measure
    return f"{measure.keys[which]} {value:g}" + ("" if measure.relative else f" {measure.unit}")


def _measured(case: Case) -> str:
    """How the measured errors agree with models that are sure of themselves."""
    known = [
        f"{name} {error:.4g} eV/Å"
        for name, error in (("rmse_f valid", case.valid), ("rmse_f new", case.new))
        if error is not None
    ]
    errors = " and ".join(known)
    if not known:
        why = "the training gave none on valid_data" if case.validated else "give valid_data"
        start = f"and no error was measured that could confirm it ({why})"
    elif case.wrong is None:
        start = f"look whether the measured error agrees: {errors}"
    elif case.wrong:
        start = f"but the measured error is above the lower limit: {errors}"
    else:
        return f"and so does the measured error: {errors}"
    return f"{start}; {_spread(case)}"


def _spread(case: Case) -> str:
    """How the values are spread, and a window to try."""
    words, measure = [], case.limits.measure
    if case.spread.quantiles:
        unit = f"{measure.noun} in multiples of the lower limit"
        if not measure.relative:
            unit = f"{measure.noun}s in {measure.unit}"
        words.append(f"{unit}: {_quantiles(case.spread.quantiles)}")
    if case.window is None and case.select.failed and words and not measure.relative:
        words.append(f"models that differ by {HOPELESS:g} eV/Å and more know nothing")
    if case.window is not None:
        pairs = (f"{key} {value:g}" for key, value in zip(measure.keys, case.window))
        words.append(f"a window to try: {', '.join(pairs)}")
    return "; ".join(words) or "pwact filter counts the frames of other limits"


def _quantiles(quantiles: Sequence[float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in zip(_PERCENT, quantiles[1:]))


def _by_system(systems: Sequence[SystemRecord]) -> str:
    parts = [
        f"{one.name} {one.accurate} below, {one.failed} above" for one in systems if one.frames
    ]
    if len(parts) < 2:
        return ""
    more = f"; {len(parts) - SHOWN} more" if len(parts) > SHOWN else ""
    return f" ({'; '.join(parts[:SHOWN])}{more})"


def _early(case: Case) -> str:
    if case.explore is None:
        return ""
    total = case.explore.trajectories
    early = total - case.explore.ended_normally
    where = "01.explore/select/error_traj.log lists them"
    return f"; {early} of {total} trajectories stopped early ({where})" if early else ""


def _lost_systems(case: Case) -> Iterator[Finding]:
    """Systems of which most frames are of no use and none is selected, while others have some."""
    for one in case.spread.systems:
        if one.candidate or one.failed <= one.accurate:
            continue
        counted = f"{one.failed} of {one.frames} frames"
        if one.unusable == one.failed:
            words = f"{counted} failed without a usable value"
        elif one.lower is None:
            words = f"for {counted} no limits can be derived"
        else:
            words = f"{counted} lie above the window, {_limit(case, 1)}: "
            words += _quantiles(one.quantiles)
        found = f"{case.name}: nothing of {one.name} is selected: {words}"
        yield Finding(Kind.SYSTEM_FAILED, found)
