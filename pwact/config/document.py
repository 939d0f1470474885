"""Reads a JSON file and says exactly where it is broken.

Beyond the letter of JSON: numbers remember how they were written, keys that differ in case only
are refused, and NaN, infinities, control characters and broken surrogates never come in.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from pwact.errors import InputError
from pwact.io import files

_LONGEST_NUMBER = 300  # characters; Python refuses to convert integers beyond 4300 digits
# control characters but tab and line ends, and halves of surrogate pairs
_FOREIGN = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f\\ud800-\\udfff]")
_DEEPEST = 50  # brackets in brackets
_DIRECTORY = "this is a directory; a JSON file is expected"
_FOREIGN_BOMS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


class WrittenInt(int):
    """An integer that knows its text in the file."""

    text: str


class WrittenFloat(float):
    """A real number that knows its text in the file."""

    text: str


class JsonObject(dict[str, Any]):
    """A JSON object; `repeated` is a key that it holds twice, if there is one."""

    repeated: Optional[str] = None


@dataclass(frozen=True)
class Document:
    """A JSON file whose top level is an object."""

    file: Path
    root: JsonObject


def read_document(path: Path) -> Document:
    """Read a JSON file.

    Raises
    ------
    InputError
        The file is missing, a directory, not UTF-8, empty, not JSON (with line and column), holds
        a key twice or a number that is not finite, or is not an object at its top level.
    """
    text = read_text(path)
    if not text.strip():
        raise InputError("the file is empty; a JSON object {...} is expected", path)
    try:
        root = json.loads(text, parse_int=_whole, parse_float=_real, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise InputError(_syntax_message(text, error), path) from error
    except RecursionError as error:
        raise InputError("the brackets are nested too deeply", path) from error
    if not isinstance(root, JsonObject):
        raise InputError(f"found {shown(root)}; a JSON object {{...}} is expected", path)
    for key, message in _errors(root, ""):
        raise InputError(message, path, key)
    return Document(path, root)


def plain(value: Any) -> Any:
    """The value built of ordinary dict, list, int and float only."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, WrittenInt):
        return int(value)
    if isinstance(value, WrittenFloat):
        return float(value)
    return value


def shown(value: Any, longest: int = 60) -> str:
    """The value as one short line for a message."""
    text = json.dumps(plain(value), ensure_ascii=False, default=str)
    text = "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def read_text(path: Path) -> str:
    """The text of an input file. Raises InputError where it cannot be read, or is not UTF-8."""
    if problem := files.unreadable(path):
        words = {"does not exist": "there is no such file", "is a directory": _DIRECTORY}
        raise InputError(words.get(problem, problem), path)
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"the file cannot be read: {reason}", path) from error
    for bom, name in _FOREIGN_BOMS.items():
        if content.startswith(bom):
            raise InputError(f"the file is written in {name}; save it as UTF-8", path)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        message = (
            f"line {line}, column {column}: byte 0x{content[error.start]:02x} is not UTF-8; "
            "save the file as UTF-8"
        )
        raise InputError(message, path) from error


def _syntax_message(text: str, error: json.JSONDecodeError) -> str:
    before = text[: error.pos].rstrip()
    message = f"line {error.lineno}, column {error.colno}: {error.msg}"
    rest = text[error.pos :].lstrip()
    if before.endswith(",") and rest[:1] in ("}", "]"):
        return f"{message} (a comma before the closing bracket?)"
    if rest.startswith(("//", "/*", "#")):
        return f"{message} (JSON knows no comments; a key that begins with _ is one)"
    if rest.startswith("'"):
        return f"{message} (texts need double quotes)"
    return message


def _whole(text: str) -> Any:
    if len(text) > _LONGEST_NUMBER:
        return math.inf
    number = WrittenInt(text)
    number.text = text
    return number


def _real(text: str) -> WrittenFloat:
    number = WrittenFloat(text)
    number.text = text
    return number


def _object(pairs: list[tuple[str, Any]]) -> JsonObject:
    made = JsonObject()
    seen: set[str] = set()
    for key, value in pairs:
        folded = key.lower()
        if folded in seen and not folded.startswith("_"):
            made.repeated = key
        seen.add(folded)
        made[key] = value
    return made


def _errors(value: Any, key: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Key path and description of everything that JSON allows and we do not."""
    if depth > _DEEPEST:
        yield key.partition("[")[0], "the brackets are nested too deeply"
    elif isinstance(value, JsonObject):
        if value.repeated is not None:
            yield child(key, value.repeated), "the key is given twice (case does not count)"
        for name, item in value.items():
            yield from _errors(name, child(key, name), depth)
            yield from _errors(item, child(key, name), depth + 1)
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _errors(item, f"{key}[{position}]", depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        found = "not a number" if math.isnan(value) else "an infinite or far too large number"
        yield key, f"{found} is not allowed"
    elif isinstance(value, str) and (odd := _FOREIGN.search(value)):
        yield key, f"the text holds the character U+{ord(odd[0]):04X}, which is no letter"


def child(key: str, name: str) -> str:
    """The key path of `name` inside `key`."""
    safe = name if name.isprintable() else shown(name)[1:-1]
    return f"{key}.{safe}" if key else safe
