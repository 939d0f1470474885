"""What stands in a registry keeps the contract of its kind: each method, each attribute.

mypy compares a class with a protocol only where a test says so; what is named in a registry is
made from its name, and what it lacks would be found in the middle of a campaign.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from pwact.engines.batch import BatchLabeler
from pwact.engines.explorers import Explorer
from pwact.engines.labelers import Labeler
from pwact.engines.trainers import Trainer
from pwact.executors.base import Executor
from pwact.formats.data_format import DataSetFormat, LabelledFormat
from pwact.query.picks import Pick
from pwact.registry.engines import EXPLORERS, LABELERS, TRAINERS
from pwact.registry.formats import FORMATS
from pwact.registry.picks import PICKS
from pwact.registry.schedulers import EXECUTORS
from pwact.registry.uncertainties import UNCERTAINTIES
from pwact.uncertainties.base import Uncertainty
from pwact.workflow import steps
from pwact.workflow.turn import Work
from tests.added.engines import ToyExplorer, ToyLabeler, ToyTrainer
from tests.added.scheduler import OwnExecutor
from tests.tools.toy_formats import ToyFile
from tests.workflow.dedup import DedupStep
from tests.workflow.force_size import ForceSize


def registered() -> Iterator[tuple[str, Any, type]]:
    """A name, the class that it stands for, and its contract."""
    for name, labeler in LABELERS.items():
        yield f"labeler {name}", labeler.load(), BatchLabeler if labeler.all_at_once else Labeler
    for name, data_format in FORMATS.items():
        contract = DataSetFormat if data_format.writes else LabelledFormat
        yield f"format {name}", data_format.load(), contract
    tables: Mapping[str, tuple[Mapping[str, Any], type]] = {
        "trainer": (TRAINERS, Trainer),
        "explorer": (EXPLORERS, Explorer),
        "scheduler": (EXECUTORS, Executor),
        "uncertainty": (UNCERTAINTIES, Uncertainty),
        "pick": (PICKS, Pick),
    }
    for kind, (table, contract) in tables.items():
        for name, entry in table.items():
            yield f"{kind} {name}", entry.load(), contract
    for step in steps.STEPS:
        yield f"step {step.name}", steps.load(step.work), Work


def examples() -> Iterator[tuple[str, Any, type]]:
    """What tests add, as the pages of contributors say."""
    yield "trainer toy", ToyTrainer, Trainer
    yield "explorer toy", ToyExplorer, Explorer
    yield "labeler toy", ToyLabeler, Labeler
    yield "scheduler own", OwnExecutor, Executor
    yield "uncertainty force-size", ForceSize, Uncertainty
    yield "format toy/file", ToyFile, DataSetFormat
    yield "step toy-dedup", DedupStep, Work


REGISTERED = {name: (made, contract) for name, made, contract in registered()}
CASES = {**REGISTERED, **{name: (made, contract) for name, made, contract in examples()}}


def wanted(contract: type) -> tuple[dict[str, Any], set[str]]:
    """Methods and attributes of a contract, those of its bases included."""
    methods: dict[str, Any] = {}
    attributes: set[str] = set()
    for base in reversed(contract.__mro__):
        attributes |= set(base.__dict__.get("__annotations__", ()))
        for name, value in vars(base).items():
            if name.startswith("_") or base.__module__ == "typing":
                continue
            if inspect.isfunction(value):
                methods[name] = value
            elif isinstance(value, property):
                attributes.add(name)
    return methods, {name for name in attributes if not name.startswith("_")}


def lacks(made: type, contract: type) -> list[str]:
    """What a class has not, or takes in another form."""
    methods, attributes = wanted(contract)
    own = [base for base in made.__mro__ if base is not contract and base is not object]
    source = "".join(inspect.getsource(base) for base in own if base.__module__ != "typing")
    missing = [
        name
        for name in sorted(attributes)
        if not hasattr(made, name) and not re.search(rf"self\.{name}\b[^=\n]* = ", source)
    ]
    for name, method in methods.items():
        found = getattr(made, name, None)
        if not callable(found):
            missing.append(f"{name}()")
        elif words := other_form(method, found):
            missing.append(f"{name}(): {words}")
    return missing


def other_form(method: Any, found: Any) -> str:
    """How parameters of a method differ from those of its contract; "" where all calls fit."""
    asked = list(inspect.signature(method).parameters.values())[1:]
    taken = inspect.signature(found).parameters
    given = list(taken.values())[1:]
    if any(one.kind is one.VAR_POSITIONAL for one in given):
        return ""
    names = [one.name for one in asked]
    if [one.name for one in given][: len(names)] != names:
        return f"takes {[one.name for one in given]}, not {names}"
    more = [one.name for one in given[len(names) :] if one.default is one.empty]
    needs = [
        one.name
        for one in asked
        if one.default is not one.empty and taken[one.name].default is one.empty
    ]
    return f"needs {more + needs}" if more + needs else ""


@pytest.mark.parametrize("name", CASES)
def test_it_keeps_the_contract_of_its_kind(name: str) -> None:
    made, contract = CASES[name]
    assert lacks(made, contract) == []


class Poor:
    """A labeler of which much is missing."""

    log = "x"

    def __init__(self) -> None:
        self.heading = None

    def validate(self, elements: object) -> None: ...

    def assign(self, atoms: object, times: int) -> None: ...

    def command(self, purpose: object, more: int) -> None: ...


def test_what_is_missing_is_seen() -> None:
    found = lacks(Poor, Labeler)
    for name in ("open_axes", "shell_check", "forces_on_held", "structure_format", "check()"):
        assert name in found
    assert "log" not in found
    assert "heading" not in found
    assert "validate(): takes ['elements'], not ['purpose', 'elements']" in found
    assert "assign(): needs ['times']" in found
    assert "command(): needs ['more']" in found


def test_every_entry_has_a_case() -> None:
    tables = (LABELERS, TRAINERS, EXPLORERS, FORMATS, EXECUTORS, UNCERTAINTIES, PICKS, steps.STEPS)
    assert len(REGISTERED) == sum(len(table) for table in tables)
