"""The story of one frame as text: sections of facts, and what is not on record said as that."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

UNKNOWN = "not on record"


@dataclass(frozen=True)
class Section:
    """A part of the story.

    Attributes
    ----------
    facts
        What is known, by name; None where it is not on record.
    """

    title: str
    facts: Mapping[str, Any]


def why_json(sections: Sequence[Section]) -> dict[str, Any]:
    """Title → facts; null for what is not on record."""
    return {section.title: dict(section.facts) for section in sections}


def why_text(sections: Sequence[Section]) -> str:
    """The story for people."""
    lines = []
    for section in sections:
        lines += [section.title, *_lines(section.facts, "  ")]
    return "\n".join(lines)


def _lines(facts: Mapping[str, Any], indent: str) -> list[str]:
    lines = []
    for name, value in facts.items():
        words = name.replace("_", " ")
        if isinstance(value, Mapping) and value:
            lines += [f"{indent}{words}:", *_lines(value, f"{indent}  ")]
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            for number, one in enumerate(value, 1):
                lines += [f"{indent}{words} {number}:", *_lines(one, f"{indent}  ")]
        else:
            lines.append(f"{indent}{words}: {_shown(value)}")
    return lines


def _shown(value: Any) -> str:
    if value is None:
        return UNKNOWN
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.8g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_shown, value)) or "none"
    return json.dumps(value)
