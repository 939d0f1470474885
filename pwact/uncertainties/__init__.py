"""What frames are judged by: for the loop, and for the tools that read trees of anybody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Optional

from pwact.registry.uncertainties import UNCERTAINTIES
from pwact.uncertainties.base import Uncertainty


def uncertainty(name: str) -> Uncertainty:
    """The uncertainty of this name."""
    made: Uncertainty = UNCERTAINTIES[name].load()()
    return made


def uncertainties() -> Iterator[tuple[str, Uncertainty]]:
    """All of them with their names, in the order in which trees are searched for them."""
    for name in UNCERTAINTIES:
        yield name, uncertainty(name)


def judging(inputs: Mapping[str, Any]) -> Optional[Uncertainty]:
    """By which one a selection with these inputs judges, by limits or by a target."""
    named = inputs.get("judged_by")
    return uncertainty(str(named)) if named in UNCERTAINTIES else recorded_in(inputs)


def recorded_in(inputs: Mapping[str, Any]) -> Optional[Uncertainty]:
    """By which one a selection with these limits judges; None where they tell of none.

    Inputs that name none hold the limits of the first that has such limits.
    """
    if (named := inputs.get("uncertainty")) in UNCERTAINTIES:
        return uncertainty(str(named))
    return next((one for _, one in uncertainties() if set(one.measure.keys) <= set(inputs)), None)
