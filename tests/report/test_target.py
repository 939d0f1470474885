"""What is said of a campaign with a target, and never more than is known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pwact.report.target import (
    LEFT,
    REACHED,
    RUNNING,
    USED_UP,
    WAITING,
    ConditionFacts,
    ProofFacts,
    TargetFacts,
    status_words,
    target_lines,
    unproved_in,
    verdict,
)

PROOF = ProofFacts("", 200, 196, 8, 0, 0.7499, 0.012, 0.018)
SYSTEMS = (replace(PROOF, name="md.000.sys.000", controls=5), ProofFacts("md.000.sys.001", 9, 3))
FIRST = ConditionFacts(0, (0, 1, 2), REACHED, "", PROOF, SYSTEMS)
LAST = ConditionFacts(1, (3, 4), USED_UP, "", replace(PROOF, accepted=100, wrong=2, after=0.96))


def facts(*conditions: ConditionFacts, reached: object = False) -> TargetFacts:
    return TargetFacts(0.02, reached, 2, conditions)  # type: ignore[arg-type]


def test_each_condition_and_system_has_a_line() -> None:
    lines = target_lines(facts(FIRST, LAST))
    assert lines[0] == "target_force_error 0.02 eV/Å:"
    table = lines[2].splitlines()
    proof = ["75", "0.0120", "0.0180"]
    assert table[2].split() == ["condition", "0", "0-2", "98.0", "-", "8", "0", *proof]
    assert table[3].split() == ["md.000.sys.000", "98.0", "-", "5", "0", *proof]
    assert table[4].split() == ["md.000.sys.001", "33.3", "-", "-", "-", "-", "-", "-"]
    assert table[5].split() == ["condition", "1", "3-4", "50.0", "96", "8", "2", *proof]


def test_the_last_line_says_that_it_was_not_reached_and_the_one_before_what_may_help() -> None:
    lines = target_lines(facts(FIRST, LAST))
    assert lines[-1] == "target of 0.02 eV/Å NOT reached in condition 1"
    assert lines[-2] == (
        "condition 1: strategy.max_iterations (2) is used up; a larger one goes on where it ended. "
        "A larger strategy.max_select gives more labels each iteration"
    )
    early = target_lines(facts(replace(LAST, number=0), replace(FIRST, number=1)))[-2]
    assert "append its element of md_jobs once more" in early
    assert "a larger one goes on" not in early


def test_a_model_at_its_floor_is_told_other_things_than_more_iterations() -> None:
    floor = "its force error on its own training data is 0.05 eV/Å"
    words = target_lines(facts(replace(LAST, floor=floor)))[-2]
    assert floor in words
    assert "larger cutoff" in words
    assert "max_iterations" not in words


def test_a_condition_that_was_left_is_said_to_be() -> None:
    words = target_lines(facts(replace(LAST, state=LEFT), FIRST))
    assert "--keep-finished" in words[-2]
    assert words[-1].endswith("NOT reached in condition 1")


def test_md_that_breaks_is_named_before_more_iterations() -> None:
    broken = replace(PROOF, accepted=100, unphysical=300)
    words = target_lines(facts(FIRST, replace(LAST, all=broken, hindrance="300 of 500 frames are")))
    assert words[2].splitlines()[5].split()[3] == "20.0"
    assert words[-2].startswith(
        "condition 1: strategy.max_iterations (2) is used up: 300 of 500 frames are. What may help"
    )
    assert "20.0 % accepted" in status_words(facts(replace(LAST, all=broken)))[0]


def test_unproved_in_what_was_reached_are_named() -> None:
    seldom = replace(SYSTEMS[1], name="md.000.sys.002", controls=2)
    one = replace(FIRST, all=replace(PROOF, unlabelled=2), systems=(*SYSTEMS, seldom))
    lines = target_lines(facts(one, reached=True))
    assert lines[-4:-1] == [
        "condition 0: 2 of 10 control frames have no label",
        "condition 0: nothing is proved of md.000.sys.001, which has no control label",
        "condition 0: of md.000.sys.002 only 33.3 % of the frames are accepted",
    ]
    assert lines[-1].endswith(f"are wrong; but {lines[-4]}, and 2 more")
    missed = replace(one, state=USED_UP)
    assert not unproved_in(facts(missed))
    late = replace(PROOF, accepted=10)  # its own labels showed it: the limit accepted few of any
    mine = tuple(replace(system, accepted=2) for system in (SYSTEMS[0], seldom))
    assert not unproved_in(facts(replace(FIRST, all=late, systems=mine)))


def test_reached_names_its_evidence() -> None:
    whole = replace(FIRST, systems=SYSTEMS[:1])
    words = verdict(facts(whole, replace(LAST, state=REACHED), reached=True))
    assert words == (
        "target of 0.02 eV/Å reached in all conditions: 2 of their last 16 control labels are wrong"
    )
    assert "not decided" in verdict(facts(FIRST, reached=None))


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (
            FIRST,
            "condition 0 reached (iterations 0-2): 98.0 % accepted, 8 controls, 0 wrong; "
            "at least 75 % of the frames are right",
        ),
        (
            replace(FIRST, all=replace(PROOF, after=1.0)),
            "condition 0 reached (iterations 0-2): 98.0 % accepted (100 % by their own labels), "
            "8 controls, 0 wrong; at least 75 % of the frames are right",
        ),
        (
            replace(LAST, state=RUNNING, iterations=(3,)),
            "condition 1 under way (iteration 3; 1 of at most 2): 50.0 % accepted "
            "(96 % by their own labels), 8 controls, 2 wrong; at least 75 % of the frames are "
            "right",
        ),
        (ConditionFacts(2, state=WAITING), "condition 2 still to come"),
    ],
    ids=["reached", "by its own labels", "running", "waiting"],
)
def test_status_has_a_line_for_each(one: ConditionFacts, words: str) -> None:
    assert status_words(facts(one)) == [words]
