from __future__ import annotations

import pytest

from pwact.io.folding import folded
from pwact.io.journal import Journal


class Names:
    """The names of all events, and how many were read."""

    reads = 0

    def __init__(self):
        self.names = []

    def read(self, position, event):
        assert position == len(self.names)
        self.names.append(event["name"])
        type(self).reads += 1


@pytest.fixture
def journal(tmp_path):
    Names.reads = 0
    made = Journal(tmp_path / "journal.jsonl")
    yield made
    made.close()


def test_each_event_is_read_once(journal):
    for number in range(20):
        journal.append("job_running", name=str(number))
        assert folded(journal.events(), Names).names == [str(one) for one in range(number + 1)]
    assert Names.reads == 20


def test_a_moment_of_the_past_is_not_what_came_later(journal):
    journal.append("job_running", name="a")
    before = journal.events()
    journal.append("job_running", name="b")
    assert folded(journal.events(), Names).names == ["a", "b"]
    assert folded(before, Names).names == ["a"]
    assert folded(journal.events(), Names).names == ["a", "b"]
    assert Names.reads == 3
    assert [event["name"] for event in before] == ["a"]
    assert before[-1]["name"] == "a"
    assert before[0:5] == list(before)
    assert before != journal.events()
    with pytest.raises(IndexError):
        before[1]


def test_events_that_are_held_count(journal):
    journal.hold("job_running", name="a")
    assert folded(journal.events(), Names).names == ["a"]
    journal.append("job_running", name="b")
    assert folded(journal.events(), Names).names == ["a", "b"]


def test_any_list_of_events_can_be_read(journal):
    events = [{"event": "job_running", "name": "a"}]
    assert folded(events, Names).names == folded(events, Names).names == ["a"]
    assert Names.reads == 2
