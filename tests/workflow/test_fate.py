from __future__ import annotations

import pytest

from pwact.workflow.changes import read_otherwise
from pwact.workflow.fate import Decision, Fate, Situation, decide

WORDS = ("x was 1, is 2",)


@pytest.mark.parametrize(
    ("found", "fate", "why"),
    [
        (Situation(begun=False, done=False), Fate.BEGIN, ""),
        (Situation(begun=False, done=False, asked=True), Fate.BEGIN, ""),
        (Situation(), Fate.SKIP, ""),
        (Situation(done=False), Fate.GO_ON, ""),
        (Situation(asked=True), Fate.REDO, "--redo"),
        (Situation(asked=True, done=False), Fate.REDO, "--redo"),
        (Situation(asked=True, changes=WORDS), Fate.REDO, "--redo"),
        (Situation(deleted=True), Fate.REDO, "deleted"),
        (Situation(deleted=True, done=False), Fate.GO_ON, ""),
        (Situation(stale=True, changes=WORDS), Fate.REDO, "earlier step"),
        (Situation(stale=True, done=False), Fate.REDO, "earlier step"),
        (Situation(stale=True, changes=WORDS, keep=True), Fate.REDO, "earlier step"),
        (Situation(changes=WORDS), Fate.REFUSE, "x was 1, is 2"),
        (Situation(changes=WORDS, done=False), Fate.REFUSE, "x was 1, is 2"),
        (Situation(changes=WORDS, done=False, at_stake=False), Fate.REDO, "no job"),
        (Situation(changes=WORDS, done=False, at_stake=False, keep=True), Fate.REDO, "no job"),
        (Situation(changes=WORDS, keep=True), Fate.SKIP, "kept, though x was 1"),
        (Situation(changes=WORDS, keep=True, done=False), Fate.GO_ON, "kept, though x was 1"),
        (Situation(keep=True), Fate.SKIP, ""),
        (Situation(late=True), Fate.SKIP, ""),
        (Situation(late=True, changes=WORDS), Fate.REDO, "more results"),
        (Situation(taken=True, changes=WORDS), Fate.REDO, "crash"),
        (Situation(taken=True), Fate.SKIP, ""),
        (Situation(remake=True), Fate.REDO, "needed again"),
        (Situation(remake=True, stale=True, changes=WORDS), Fate.REDO, "earlier step"),
        (Situation(remake=True, changes=WORDS), Fate.REFUSE, "x was 1"),
        (Situation(remake=True, changes=WORDS, keep=True), Fate.REFUSE, "x was 1"),
    ],
)
def test_what_becomes_of_a_step(found, fate, why):
    decision = decide(found)
    assert decision.fate is fate
    assert why in decision.why
    if not why:
        assert decision == Decision(fate)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"window": 1, "candidates": "a"}, {"window": 1, "candidates": "b"}, True),
        ({"window": 1, "candidates": "a"}, {"window": 2, "candidates": "a"}, False),
        ({"window": 1}, {"window": 1, "candidates": "b"}, True),
        ({"c": {"structures": ["a"], "perturb": 1}}, {"c": {"structures": ["b"]}}, True),
        ({"c": {"structures": ["a"], "perturb": 1}}, {"c": {"structures": ["a"]}}, False),
        ({"candidates_limit": 1}, {"candidates_limit": 2}, False),
    ],
)
def test_what_a_step_read_is_told_from_what_was_asked(old, new, expected):
    assert read_otherwise(old, new, ("candidates", "c.structures")) is expected
