"""The words of the Chinese page of parameters."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Callable

Say = Callable[[str], str]
_LIST = ", or list of such"
_RANGES = (
    (r"from (\S+) to (\S+)", r"\1 到 \2 的{}"),
    (r"> (\S+) and <= (\S+)", r"> \1 且 <= \2 的{}"),
    (r"(>=?|<=?) (\S+)", r"\1 \2 的{}"),
)
_NUMBERS = {"integer": "整数", "number": "数"}
_OF_ENGINE = r"(#### `[^`]+`), engine ([\w-]+)"
_NAMES = re.compile(r"`[^`]+`(?:, `[^`]+`)*")


def in_words_of(file: Path) -> Say:
    """From the words of the declarations to Chinese ones.

    Parameters
    ----------
    file
        A JSON object, English text → Chinese text. Ranges of numbers, lists of names and headings
        of the keys of an engine need no entry. ``{}`` stands for names between back quotes, to
        which a line in a registry may add.

    Returns
    -------
    Callable
        It raises KeyError for a text that has no Chinese one.
    """
    words: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))

    def say(text: str) -> str:
        if text in words:
            return words[text]
        if (entry := without_names(text)) in words:
            return words[entry].format(*(one.replace(", ", "、") for one in _NAMES.findall(text)))
        return _made(text)

    return say


def without_names(text: str) -> str:
    """The entry of a text of which the names come from a registry."""
    return _NAMES.sub("{}", text)


def _made(text: str) -> str:
    if not text or re.fullmatch(r"[\d.]+", text):
        return text
    if several := re.fullmatch(r"list of (\d+): (.*)", text):
        return f"{several[1]} 个{_made(several[2])}的列表"
    if text.endswith(_LIST):
        return f"{_made(text[: -len(_LIST)])}，或其列表"
    if re.fullmatch(r'"[^"]+"( or "[^"]+")*', text):
        return text.replace('" or "', '"、"')
    if heading := re.fullmatch(_OF_ENGINE, text):
        return f"{heading[1]}，引擎 {heading[2]}"
    kind, _, limits = text.partition(" ")
    for pattern, chinese in _RANGES:
        if kind in _NUMBERS and re.fullmatch(pattern, limits):
            return re.sub(pattern, chinese, limits).format(_NUMBERS[kind])
    raise KeyError(text)
