from __future__ import annotations

import pytest

from pwact.workflow import changes, ledger


def event(kind, name="s", **fields):
    defaults = {
        "stage_started": {"key": "k1", "inputs": {"x": 1}},
        "stage_done": {"key": "k1", "files": {"f": "h"}, "transient": ["t"], "report": {"n": 3}},
        "stage_kept": {"key": "k2", "inputs": {"x": 2}},
        "stage_set_aside": {"directory": "d", "to": "d-bk-1"},
        "job_asked": {},
    }
    return {"event": kind, "name": name, "time": 5.0, **defaults[kind], **fields}


def test_states_follow_the_events():
    started, done = event("stage_started", time=2.0), event("stage_done", time=9.0)
    assert ledger.stages([]) == {}
    begun = ledger.stages([event("job_asked"), started])["s"]
    assert (begun.begun, begun.done, begun.begun_at, begun.position) == (True, False, 1, 1)
    over = ledger.stages([started, done])["s"]
    assert (over.done, over.files, over.transient, over.report) == (
        True,
        {"f": "h"},
        ("t",),
        {"n": 3},
    )
    assert over.ended_at - over.started_at == 7.0
    assert over.inputs == {"x": 1}
    kept = ledger.stages([started, done, event("stage_kept")])["s"]
    assert (kept.done, kept.key, kept.inputs, kept.files) == (True, "k2", {"x": 2}, {"f": "h"})
    assert (kept.begun_at, kept.position) == (0, 2)
    aside = ledger.stages([started, done, event("stage_set_aside")])["s"]
    assert (aside.begun, aside.done, aside.files, aside.aside) == (
        False,
        False,
        {},
        ("d", "d-bk-1"),
    )
    again = ledger.stages([started, done, event("stage_set_aside"), started])["s"]
    assert (again.begun, again.done, again.aside) == (True, False, None)


def test_stages_keep_their_order():
    events = [event("stage_started", name) for name in ("b", "a", "c")] + [event("stage_done", "b")]
    assert list(ledger.stages(events)) == ["b", "a", "c"]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("iter.0000/train", "iter.0000/label", True),
        ("iter.0000/label", "iter.0000/train", False),
        ("iter.0000/label", "iter.0001/train", True),
        ("iter.0001/train", "iter.0000/select", False),
        ("iter.0000/select", "iter.0000/select", False),
        ("relax", "aimd", True),
        ("collection", "relax", False),
        ("collection", "iter.0000/train", False),
        ("iter.0000/train", "collection", False),
    ],
)
def test_which_steps_may_read_of_which(one, other, expected):
    order = ["iter.0000/label", "iter.0000/select"]  # begun ahead; the order of steps counts
    assert ledger.comes_before(one, other, order) is expected


def test_a_step_follows_those_before_it_that_were_set_aside_since():
    begun = [event("stage_started", name) for name in ("iter.0000/select", "iter.0000/label")]
    events = [*begun, event("stage_set_aside", "iter.0000/select")]
    states = ledger.stages(events)
    assert ledger.set_aside_before(events, states["iter.0000/label"])
    assert not ledger.set_aside_before(events, states["iter.0000/select"])
    again = [*events, event("stage_done", "iter.0000/label")]
    assert not ledger.set_aside_before(again, ledger.stages(again)["iter.0000/label"])


@pytest.mark.parametrize(("key", "expected"), [("k1", False), ("k9", True)])
def test_whether_the_step_before_was_begun_with_other_inputs(key, expected):
    names = ("iter.0000/select", "iter.0000/label")
    begun = [event("stage_started", name) for name in names]
    aside = [event("stage_set_aside", names[0]), event("stage_started", names[0], key=key)]
    events = [*begun, *aside]
    label = ledger.stages(events)[names[1]]
    assert ledger.begun_otherwise_before(events, label) is expected
    assert not ledger.begun_otherwise_before(begun, label)


def test_keys_do_not_depend_on_order_or_container():
    assert ledger.key_of({"a": (1, 2), "b": 0.1}) == ledger.key_of({"b": 0.1, "a": [1, 2]})
    assert ledger.key_of({"a": [1, 2]}) != ledger.key_of({"a": [2, 1]})
    assert ledger.canonical({"a": (1, 2)}) == {"a": [1, 2]}


@pytest.mark.parametrize("bad", [float("nan"), object()])
def test_inputs_that_are_no_json_are_refused(bad):
    with pytest.raises((TypeError, ValueError)):
        ledger.key_of({"a": bad})


def test_every_difference_is_named():
    old = {"a": 1, "b": {"c": [1, {"d": 2.0}]}, "gone": "x" * 100}
    new = {"a": 1, "b": {"c": [0, {"d": 2}]}, "new": None}
    words = list(changes.differences(old, new))
    assert words[:2] == ["b.c[0] was 1, is 0", "b.c[1].d was 2.0, is 2"]
    assert words[2].startswith('gone was "xxx')
    assert words[2].endswith("…, is absent")
    assert len(words[2]) < 100
    assert words[3:] == ["new was absent, is null"]
    assert list(changes.differences(old, old)) == []


def test_many_changes_are_counted_not_listed():
    words = [f"field{number} changed" for number in range(9)]
    text = changes.changed_text(ledger.StageState("s", done=True), words)
    assert "field2" in text
    assert "field3" not in text
    assert "and 6 more" in text
