"""Fields that an event of the journal must have, so that a damaged one is named."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from pwact.io.events import EVENTS, StageTaken, required

_Kind = type
_WORDS: dict[_Kind, str] = {
    str: "text",
    int: "an integer",
    bool: "true or false",
    dict: "an object",
    list: "a list",
}

FIELDS: dict[str, Mapping[str, _Kind]] = {name: required(kind) for name, kind in EVENTS.items()}
_OF_TAKEN = required(StageTaken)
_TEXTS = ("names", "remade", "transient", "lost")  # lists of texts
_HASHES = ("files",)  # objects of texts
_PLACES = {"stage_set_aside": ("directory", "to"), "job_asked": ("directory",)}


def error_of(event: Mapping[str, Any]) -> str:
    """What is wrong with an event, "" if nothing is; unknown events pass."""
    kind = event["event"]
    if kind not in FIELDS:
        return ""
    words = _error(event, FIELDS[kind])
    if not words and kind == "taken_over":
        words = next(filter(None, (_of_stage(stage) for stage in event["stages"])), "")
    if not words:
        words = _of_members(event)
    if not words:
        outside = [key for key in _PLACES.get(kind, ()) if not _inside(event[key])]
        words = f"its {outside[0]!r} leads out of the work directory" if outside else ""
    return f"{kind}: {words}" if words else ""


def _of_members(event: Mapping[str, Any]) -> str:
    """What is wrong inside a list or an object of an event."""
    for key in (*_TEXTS, *_HASHES):
        value = event.get(key, ())
        members = value.values() if isinstance(value, dict) else value
        if not all(isinstance(member, str) for member in members):
            return f"its {key!r} holds something that is no text"
    entries = event.get("entries", {})
    if not all(name.isdigit() and isinstance(asked, dict) for name, asked in entries.items()):
        return "its 'entries' are none"
    return ""


def _of_stage(stage: Any) -> str:
    return _error(stage, _OF_TAKEN) if isinstance(stage, dict) else "one of its stages is none"


def _error(event: Mapping[str, Any], fields: Mapping[str, _Kind]) -> str:
    for key, kind in fields.items():
        if key not in event:
            return f"it lacks {key!r}"
        value = event[key]
        right = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
        if not right:
            return f"its {key!r} is {str(value)[:40]!r}, not {_WORDS[kind]}"
    return ""


def _inside(path: str) -> bool:
    place = PurePosixPath(path)
    return not place.is_absolute() and ".." not in place.parts
