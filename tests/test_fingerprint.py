from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest

from pwact.config.resources import ResourceBlock
from pwact.engines.ase.explorer import AseExplorer
from pwact.engines.explorers import Condition
from pwact.engines.lammps.explorer import LammpsExplorer
from pwact.fingerprint import ABSENT, Settings, canonical, differences, settings_of

BLOCK = ResourceBlock("explore", "python")


@dataclass(frozen=True)
class Inner:
    friction: float = 0.5


@dataclass(frozen=True)
class Outer:
    needed: int
    inner: Inner = Inner(0.7)
    words: list = field(default_factory=lambda: ["a"])


def compare(old, new):
    return list(differences(json.loads(json.dumps(old)), canonical(new)))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({}, Settings({"x": 1}, {"x": 1}), []),
        ({}, Settings({"x": 2}, {"x": 1}), [("x", 1, 2)]),
        ({"x": 1}, Settings({}, {"x": 1}), []),
        ({"x": 2}, Settings({}, {"x": 1}), [("x", 2, 1)]),
        ({"x": 3}, Settings({"x": 3}, {"x": 1}), []),
        ({}, {"x": 1}, [("x", ABSENT, 1)]),
        ({"x": None}, Settings({}, {"x": None}), []),
        ({}, Settings({"x": None}, {"x": None}), []),
        ({}, Settings({"x": False}, {"x": 0}), [("x", 0, False)]),
        ({}, Settings({"x": (1, 2)}, {"x": (1, 2)}), []),
        ({"a": [{"y": 1}]}, {"a": [Settings({"y": 1, "x": 2}, {"x": 2})]}, []),
        ({"a": {}}, {"a": {"b": Settings({"x": 1}, {"x": 1})}}, []),
        (
            {"a": {}},
            {"a": {"b": Settings({"x": 2}, {"x": 1})}},
            [("a.b", ABSENT, {"x": 2})],
        ),
        ({"b": {"x": 1}}, Settings({}, {"b": Settings({}, {"x": 1})}), []),
    ],
)
def test_an_absent_key_stands_for_its_default(old, new, expected):
    assert compare(old, new) == expected


def test_fields_of_dataclasses_bring_their_defaults():
    made = settings_of(Outer(3), engine="e")
    assert made == {"engine": "e", "needed": 3, "inner": {"friction": 0.7}, "words": ["a"]}
    assert compare({"engine": "e", "needed": 3}, made) == []
    assert compare({"engine": "e", "needed": 3, "inner": {}}, made) == [
        ("inner.friction", 0.5, 0.7)
    ]
    assert compare({"engine": "e"}, made) == [("needed", ABSENT, 3)]


def test_it_is_json_like_any_dict():
    made = canonical({"b": Settings({"x": (1, 2)}, {"x": ()}), "c": {3: "y"}})
    assert json.dumps(made) == '{"b": {"x": [1, 2]}, "c": {"3": "y"}}'
    assert made["b"].defaults == {"x": []}


@pytest.mark.parametrize("bad", [float("nan"), object()])
def test_what_is_no_json_is_refused(bad):
    with pytest.raises((TypeError, ValueError)):
        canonical({"a": bad})


@dataclass(frozen=True)
class LaterCondition(Condition):
    """The condition of a release to come."""

    added: float = 2.5


@pytest.mark.parametrize("explorer", [LammpsExplorer(BLOCK), AseExplorer(BLOCK)])
def test_md_that_knows_another_setting_goes_on_with_a_begun_campaign(explorer):
    terms = {"ensemble": "nvt", "nsteps": 10, "trj_freq": 2, "temp_k": 300.0}
    recorded = canonical(explorer.fingerprint(Condition(**terms)))
    assert compare(recorded, explorer.fingerprint(LaterCondition(**terms))) == []
    changed = explorer.fingerprint(LaterCondition(**terms, added=1.0))
    assert compare(recorded, changed) == [("added", 2.5, 1.0)]
    assert compare(canonical(changed), explorer.fingerprint(Condition(**terms))) == [
        ("added", 1.0, ABSENT)
    ]
