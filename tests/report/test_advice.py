"""The rules: what is so, and what is advised."""

from __future__ import annotations

import dataclasses

import pytest

from pwact.report.advice import ERROR, NOTE, RULES, WARNING, Situation, advice_of
from pwact.report.causes import Kind
from pwact.report.findings import Finding
from pwact.report.records import (
    ErrorRecord,
    ExploreRecord,
    IterationRow,
    LabelRecord,
    SelectRecord,
    TrainRecord,
)
from pwact.report.target import (
    USED_UP,
    ConditionFacts,
    ProofFacts,
    TargetFacts,
    target_lines,
)

FINE = Situation("running")


def row(
    number: int, valid: float | None = 0.02, labelled: int = 8, failed: int = 0
) -> IterationRow:
    return IterationRow(
        f"iter.{number:04d}",
        TrainRecord(0.001, valid),
        ExploreRecord((300.0,), 4, 4),
        None,
        LabelRecord(labelled, failed, 0.1),
    )


def test_nothing_is_advised_where_nothing_is_wrong() -> None:
    assert advice_of(FINE) == []
    assert advice_of(dataclasses.replace(FINE, rows=[row(0), row(1)])) == []
    assert advice_of(Situation("finished", rows=[row(0)])) == []


@pytest.mark.parametrize(
    ("case", "weight", "fact"),
    [
        (Situation("died"), ERROR, "the campaign was killed without a word"),
        (Situation("failed", "no\nmore"), ERROR, "the campaign ended with an error: no"),
        (Situation("stopped", "SIGTERM"), NOTE, "the campaign was stopped: SIGTERM"),
        (Situation("running", failures=1), WARNING, "1 task or job failed"),
        (Situation("running", failures=2), WARNING, "2 tasks or jobs failed"),
        (
            Situation("running", waits=["QOSGrpCpuLimit", "QOSGrpCpuLimit"]),
            WARNING,
            "jobs must wait for more than their turn: QOSGrpCpuLimit",
        ),
        (
            Situation("running", early_ends=1, rows=[row(0)]),
            WARNING,
            "1 of 4 trajectories died before their last step",
        ),
        (
            Situation("running", rows=[row(0, labelled=2, failed=1)]),
            WARNING,
            "1 of 3 labels failed",
        ),
        (
            Situation("running", rows=[row(0, None)]),
            NOTE,
            "no error on independent data is known",
        ),
        (
            Situation("running", rows=[row(0, None)], validated=True),
            NOTE,
            "the trainings measured no error on valid_data",
        ),
        (
            Situation("running", rows=[row(0, 0.02), row(1, 0.0261)]),
            WARNING,
            "the force error on the validation data was 0.02 eV/Å in iter.0000 and is 0.0261 "
            "eV/Å in iter.0001",
        ),
    ],
)
def test_each_fact(case: Situation, weight: str, fact: str) -> None:
    (found,) = advice_of(case)
    assert (found.weight, found.fact) == (weight, fact)
    assert found.advice


@pytest.mark.parametrize(
    "case",
    [
        Situation("running", early_ends=1, rows=[row(0), row(1)]),  # 1 of 8
        Situation("running", rows=[row(0, labelled=3, failed=1)]),  # a quarter is not more
        Situation("running", rows=[row(0, 0.5), row(1, 0.65)]),  # 1.3 times
    ],
)
def test_the_bounds(case: Situation) -> None:
    assert advice_of(case) == []


def test_controls_of_a_target_are_independent_data() -> None:
    case = Situation("running", rows=[row(0, None)])
    facts = TargetFacts(0.1, None, 5, (ConditionFacts(0, (0,), all=ProofFacts(controls=0)),))
    (found,) = advice_of(dataclasses.replace(case, target=facts))
    assert found.fact == "no error on independent data is known"
    known = dataclasses.replace(facts.conditions[0], all=ProofFacts(controls=2))
    facts = dataclasses.replace(facts, conditions=(known,))
    assert advice_of(dataclasses.replace(case, target=facts)) == []


def test_a_run_that_ends_with_many_frames_that_are_not_accurate() -> None:
    def ended(accurate: int, state: str = "finished") -> Situation:
        counts = SelectRecord(frames=100, accurate=accurate, candidate=100 - accurate)
        return Situation(state, rows=[dataclasses.replace(row(0), select=counts), row(1)])

    (found,) = advice_of(ended(5))
    assert found.fact == "only 5 % of the frames explored last (iter.0000) were accurate"
    assert advice_of(ended(0))[0].fact.startswith("none of the frames explored last")
    assert found.weight == NOTE
    assert "repeat the last element of md_jobs" in found.advice
    assert advice_of(ended(90)) == []
    assert advice_of(ended(5, "running")) == []
    facts = TargetFacts(0.1, True, 5, ())
    assert advice_of(dataclasses.replace(ended(5), target=facts)) == []


@pytest.mark.parametrize("validated", [True, False])
def test_errors_of_the_force_field_are_known_errors(validated: bool) -> None:
    last = dataclasses.replace(row(0, None), on_valid=(ErrorRecord("all", "", 3),))
    assert advice_of(Situation("finished", rows=[last], validated=validated)) == []


def test_iterations_with_one_finding_are_named_together() -> None:
    found = [Finding(Kind.ALL_FAILED, f"iter.{n:04d}: nothing is selected: …") for n in range(5)]
    (one,) = advice_of(Situation("running", findings=found))
    assert one.fact == (
        "iter.0000, iter.0001, iter.0002 and 2 more: all frames lie above the window"
    )


@pytest.mark.parametrize("kind", Kind)
def test_every_finding_has_advice(kind: Kind) -> None:
    (one,) = advice_of(Situation("running", findings=[Finding(kind, "iter.0003: …")]))
    assert one.fact == f"iter.0003: {kind.value}"


def test_what_is_worst_comes_first() -> None:
    case = Situation("failed", "no", 1, rows=[row(0, None)])
    assert [one.weight for one in advice_of(case)] == [ERROR, WARNING, NOTE]


def test_a_target_that_was_not_reached_has_the_words_of_the_run() -> None:
    facts = TargetFacts(0.1, False, 5, (ConditionFacts(0, (0, 1), USED_UP),))
    (one,) = advice_of(Situation("finished", target=facts))
    assert f"{one.fact}. {one.advice}" in target_lines(facts)
    floor = dataclasses.replace(facts.conditions[0], floor="0.3 eV/Å on its training data")
    facts = dataclasses.replace(facts, conditions=(floor,))
    (one,) = advice_of(Situation("finished", target=facts))
    assert one.advice.startswith("What may help: ")
    assert f"{one.fact}. {one.advice}" in target_lines(facts)


def test_each_rule_says_what_to_do() -> None:
    assert all(rule.weight in (ERROR, WARNING, NOTE) and rule.advice for rule in RULES)
