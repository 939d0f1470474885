"""Opposite causes of one outcome have opposite words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Optional

import pytest

from pwact.report.causes import Case, Kind, Limits, kind_of
from pwact.report.findings import findings
from pwact.report.hindrances import aimed_findings
from pwact.report.records import (
    AcceptedRecord,
    ExploreRecord,
    LabelRecord,
    RoundRecord,
    SelectRecord,
    SpreadRecord,
    SystemRecord,
)
from pwact.uncertainties.committee import CommitteeDeviation
from pwact.uncertainties.kpu import KalmanUncertainty

LIMITS = Limits(0.05, 0.15, CommitteeDeviation.measure)
KPU = Limits(5.0, 10.0, KalmanUncertainty.measure)
NUMBERS = (0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.007)


def case(
    accurate: int = 0,
    candidate: int = 0,
    failed: int = 0,
    unusable: int = 0,
    zeros: int = 0,
    lower: Optional[float] = 0.05,
    **more: Any,
) -> Case:
    frames = accurate + candidate + failed
    system = SystemRecord(
        "md.000.sys.000", frames, accurate, candidate, failed, unusable, lower, NUMBERS
    )
    spread = SpreadRecord(() if unusable == frames else NUMBERS, zeros, (system,))
    counts = SelectRecord(frames, accurate, candidate, failed, candidate)
    values: dict[str, Any] = {"limits": LIMITS, "select": counts, "spread": spread, **more}
    return Case("iter.0003", **values)


KINDS: list[tuple[Case, Optional[Kind]]] = [
    (case(), Kind.NO_FRAMES),
    (case(accurate=10), Kind.ALL_ACCURATE),
    (case(failed=10), Kind.ALL_FAILED),
    (case(failed=10, unusable=4), Kind.ALL_FAILED),
    (case(failed=10, unusable=10), Kind.UNUSABLE),
    (case(accurate=1, failed=9, unusable=9, zeros=10), Kind.NO_SPREAD),
    (case(accurate=10, zeros=10), Kind.NO_SPREAD),
    (case(accurate=10, zeros=9), Kind.ALL_ACCURATE),
    (case(failed=10, limits=KPU, lower=None), Kind.NO_LIMITS),
    (case(failed=10, limits=KPU), Kind.ALL_FAILED),
    (case(accurate=5, failed=5), Kind.BETWEEN),
    (case(accurate=50, candidate=50), None),
    (case(accurate=990, candidate=10, valid=0.2), None),
    (case(accurate=991, candidate=9), None),
    (case(accurate=991, candidate=9, valid=0.04), None),
    (case(accurate=991, candidate=9, valid=0.06), Kind.HARDLY_ANY),
    (case(accurate=991, candidate=9, valid=0.04, new=0.06), Kind.HARDLY_ANY),
    (case(accurate=991, candidate=9, valid=0.06, limits=KPU), None),
    (case(failed=991, candidate=9), Kind.HARDLY_ANY),
    (case(candidate=10, chosen=0), Kind.NONE_CHOSEN),
    (case(candidate=10, chosen=2), None),
    (case(candidate=10, label=LabelRecord(0, 10)), Kind.LABELS_LOST),
    (case(candidate=10, label=LabelRecord(1, 9)), None),
    (case(candidate=10, label=LabelRecord(0, 0, None, 10)), Kind.ALL_KNOWN),
    (case(candidate=10, label=LabelRecord(0, 1, None, 9)), Kind.LABELS_LOST),
    (case(accurate=10, label=LabelRecord(0, 0)), Kind.ALL_ACCURATE),
]


@pytest.mark.parametrize(("given", "kind"), KINDS)
def test_which_cause_it_is(given: Case, kind: Optional[Kind]) -> None:
    assert kind_of(given) is kind
    found = [finding.kind for finding in findings(given) if finding.kind is not Kind.SYSTEM_FAILED]
    assert found == ([] if kind is None else [kind])
    for finding in findings(given):
        assert finding.words.startswith("iter.0003: ")
        assert "\n" not in finding.words


SAID: list[tuple[Case, bool, list[str], list[str]]] = [
    (
        case(failed=11, window=(0.002, 0.006)),
        True,
        [
            "all 11 frames lie above the window, upper_model_devi_f 0.15 eV/Å",
            "5 % 0.002, 25 % 0.003, 50 % 0.004, 75 % 0.005, 95 % 0.006, largest 0.007",
            "a window to try: lower_model_devi_f 0.002, upper_model_devi_f 0.006",
            "or the models or the data are wrong",
        ],
        ["below", "rmse"],
    ),
    (case(failed=1), True, ["the only frame lies above the window"], []),
    (case(failed=11, unusable=4), True, ["4 of them without a usable value"], []),
    (
        case(accurate=42, valid=0.12, window=(0.013, 0.044)),
        True,
        [
            "all 42 frames lie below the window, lower_model_devi_f 0.05 eV/Å",
            "but the measured error is above the lower limit: rmse_f valid 0.12 eV/Å",
            "95 % 0.006",
            "a window to try: lower_model_devi_f 0.013, upper_model_devi_f 0.044",
        ],
        ["above the window", "rmse_f new"],
    ),
    (case(accurate=42, new=0.12), True, ["above the lower limit: rmse_f new 0.12 eV/Å"], []),
    (
        case(accurate=42, valid=0.05, new=0.02),
        False,
        ["and so does the measured error: rmse_f valid 0.05 eV/Å and rmse_f new 0.02 eV/Å"],
        ["window to try"],
    ),
    (case(accurate=42), True, ["no error was measured that could confirm it", "valid_data"], []),
    (
        case(accurate=42, limits=KPU, valid=0.12, window=(1.2, 8.0)),
        True,
        [
            "all 42 frames lie below the window, kpu_lower 5,",
            "look whether the measured error agrees: rmse_f valid 0.12 eV/Å",
            "KPU in multiples of the lower limit: 5 % 0.002",
            "a window to try: kpu_lower 1.2, kpu_upper 8",
        ],
        ["above the lower limit"],
    ),
    (
        case(accurate=42, valid=0.12, explore=ExploreRecord((300.0,), 4, 1)),
        True,
        ["3 of 4 trajectories stopped early"],
        [],
    ),
    (case(explore=ExploreRecord((300.0,), 4, 4)), True, ["no frame was explored"], ["early"]),
    (
        case(accurate=991, candidate=9, valid=0.2),
        True,
        ["9 of 1000 frames; 991 lie below the window", "rmse_f valid 0.2 eV/Å"],
        [],
    ),
    (case(accurate=5, zeros=5), True, ["the deviation of all 5 frames is exactly 0"], ["window"]),
    (case(accurate=5, zeros=5, limits=KPU), True, ["the KPU of all 5 frames is exactly 0"], []),
    (case(candidate=7, chosen=0), True, ["none of 7 candidates was chosen"], []),
    (
        case(candidate=7, label=LabelRecord(0, 0, None, 7)),
        True,
        ["all 7 selected frames are in the data already"],
        [],
    ),
    (case(candidate=7, label=LabelRecord(0, 3)), True, ["of 7 selected frames 3 labels"], []),
]


@pytest.mark.parametrize(("given", "warns", "said", "unsaid"), SAID)
def test_the_words(given: Case, warns: bool, said: list[str], unsaid: list[str]) -> None:
    (finding,) = findings(given)
    assert finding.warns == warns
    for part in said:
        assert part in finding.words
    for part in unsaid:
        assert part not in finding.words


def systems(*counts: tuple[int, int, int, int]) -> SpreadRecord:
    """Systems by accurate, candidate, failed, unusable."""
    return SpreadRecord(
        NUMBERS,
        0,
        tuple(
            SystemRecord(f"md.000.sys.{n:03d}", sum(one[:3]), *one, 0.05, NUMBERS)
            for n, one in enumerate(counts)
        ),
    )


def test_systems_that_differ_are_named() -> None:
    spread = systems((11, 0, 0, 0), (0, 0, 11, 0))
    (finding,) = findings(case(accurate=11, failed=11, spread=spread))
    assert finding.kind is Kind.BETWEEN
    assert "(md.000.sys.000 11 below, 0 above; md.000.sys.001 0 below, 11 above)" in finding.words
    many = systems(*[(1, 0, 0, 0)] * 8, (0, 0, 1, 0))
    (finding,) = findings(case(accurate=8, failed=1, spread=many))
    assert "md.000.sys.004 1 below, 0 above; 4 more)" in finding.words


def test_a_system_that_is_lost_while_others_have_candidates() -> None:
    spread = systems((5, 6, 0, 0), (0, 0, 11, 0), (0, 0, 11, 11), (11, 0, 0, 0), (6, 0, 5, 5))
    found = findings(case(accurate=16, candidate=6, failed=22, spread=spread))
    assert [one.kind for one in found] == [Kind.SYSTEM_FAILED] * 2
    assert all(one.warns for one in found)
    assert found[0].words == (
        "iter.0003: nothing of md.000.sys.001 is selected: 11 of 11 frames lie above the window, "
        "upper_model_devi_f 0.15 eV/Å: 5 % 0.002, 25 % 0.003, 50 % 0.004, 75 % 0.005, 95 % 0.006, "
        "largest 0.007"
    )
    assert "md.000.sys.002 is selected: 11 of 11 frames failed without a usable" in found[1].words


def test_an_older_journal_has_no_spread() -> None:
    (finding,) = findings(case(failed=9, spread=SpreadRecord.from_json({})))
    assert finding.kind is Kind.ALL_FAILED
    assert "pwact filter" in finding.words


def test_a_spread_survives_json() -> None:
    spread = systems((5, 6, 0, 0), (0, 0, 11, 11))
    assert SpreadRecord.from_json(spread.to_json()) == spread
    assert spread.unusable == 11


SEEN = SelectRecord(100, candidate=4, selected=4)
GOOD = RoundRecord(frames=100, accepted=90, spread=(0.1, None))


@pytest.mark.parametrize(
    ("counts", "aim", "label", "kind"),
    [
        (SEEN, GOOD, LabelRecord(3, 1), None),
        (SEEN, GOOD, None, None),
        (SelectRecord(), RoundRecord(), None, Kind.NO_FRAMES),
        (SEEN, replace(GOOD, unphysical=5), LabelRecord(4), None),
        (SEEN, replace(GOOD, unphysical=6), LabelRecord(4), Kind.UNPHYSICAL),
        (SEEN, replace(GOOD, systems=(AcceptedRecord("a", empty=True),)), None, Kind.SYSTEM_EMPTY),
        (SEEN, replace(GOOD, spread=(None, None)), LabelRecord(4), Kind.UNUSABLE),
        (SelectRecord(100), GOOD, LabelRecord(), Kind.ALL_KNOWN),
        (SEEN, GOOD, LabelRecord(0, 0, None, 4), Kind.ALL_KNOWN),
        (SEEN, GOOD, LabelRecord(0, 4), Kind.LABELS_LOST),
        (SEEN, GOOD, LabelRecord(0, 1, None, 3), Kind.LABELS_LOST),
    ],
)
def test_what_a_selection_with_a_target_says(
    counts: SelectRecord, aim: RoundRecord, label: Optional[LabelRecord], kind: Optional[Kind]
) -> None:
    found = aimed_findings("iter.0003", counts, aim, label)
    assert [one.kind for one in found] == ([] if kind is None else [kind])
    assert all(one.warns and one.words.startswith("iter.0003: ") for one in found)
