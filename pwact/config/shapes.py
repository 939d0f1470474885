"""What a key may hold, said in JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Protocol, runtime_checkable

Shape = dict[str, Any]
NOT_BLANK: Shape = {"type": "string", "pattern": r"\S"}


@runtime_checkable
class Shaped(Protocol):
    """A kind that can be said in JSON Schema."""

    @property
    def shape(self) -> Shape:
        """The kind in JSON Schema."""


def shape_of(kind: object) -> Shape:
    """A kind in JSON Schema; what it cannot say is allowed there."""
    return kind.shape if isinstance(kind, Shaped) else {}


def any_case(words: Iterable[str]) -> Shape:
    """The shape of a word in any case; an editor proposes the words as they are written here."""
    known = list(words)
    pattern = "|".join(map(case_pattern, known))
    return {"anyOf": [{"enum": known}, {"type": "string", "pattern": f"^\\s*(?:{pattern})\\s*$"}]}


def case_pattern(word: str) -> str:
    """A regular expression for a word in any case, in a syntax that all languages share."""
    return "".join(
        f"[{letter.upper()}{letter.lower()}]" if letter.isalpha() else re.escape(letter)
        for letter in word
    )


def limits_of(low: float, high: float, huge: float) -> Shape:
    """The limits of a number; those that are `huge` limit nothing."""
    made = {"minimum": low, "maximum": high}
    return {name: value for name, value in made.items() if abs(value) < huge}
