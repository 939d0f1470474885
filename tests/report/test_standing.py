from __future__ import annotations

from dataclasses import replace

from pwact.report.records import IterationRow, LabelRecord, SelectRecord, TrainRecord
from pwact.report.standing import standing
from pwact.report.target import TargetFacts
from tests.report.test_status import RUNNING

ROWS = [
    IterationRow(
        "iter.0000",
        TrainRecord(0.001, 0.1224),
        None,
        SelectRecord(102, 26, 76, 0, 8),
        LabelRecord(8, 0, 0.03),
    ),
    IterationRow("iter.0001", TrainRecord(0.001, 0.0261)),
]


def test_the_sentence_has_the_figures() -> None:
    assert standing(RUNNING, ROWS) == (
        "This run is at work on iter.0001/explore (iterations 0 to 4, then a last training); "
        "the force error on the validation data went from 0.122 to 0.0261 eV/Å; 8 frames "
        "labelled; 25 % of the frames explored last (iter.0000) were accurate."
    )


def test_other_states() -> None:
    finished = replace(RUNNING, state="finished")
    assert standing(finished, []) == "This run is finished."
    assert standing(finished, ROWS[1:]) == (
        "This run is finished; the force error on the validation data is 0.0261 eV/Å."
    )
    died = replace(RUNNING, state="died", iterations=None)
    assert standing(died, []) == "This run died in iter.0001/explore."
    theirs = replace(died, state="unknown", program="PWact")
    assert standing(theirs, []) == "This run of PWact may be at work on iter.0001/explore."
    target = TargetFacts(0.02, None, 5, ())
    assert standing(replace(finished, target=target), []) == (
        "This run is finished; the target of 0.02 eV/Å is not decided on yet."
    )
