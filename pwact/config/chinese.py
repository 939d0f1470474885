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


def in_words_of(file: Path) -> Say:
    """From the words of the declarations to Chinese ones.

    Parameters
    ----------
    file
        A JSON object, English text → Chinese text. Ranges of numbers, and lists of names, need no
        entry.

    Returns
    -------
    Callable
        It raises KeyError for a text that has no Chinese one.
    """
    words: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    return lambda text: words[text] if text in words else _made(text)


def _made(text: str) -> str:
    if not text or re.fullmatch(r"[\d.]+", text):
        return text
    if several := re.fullmatch(r"list of (\d+): (.*)", text):
        return f"{several[1]} 个{_made(several[2])}的列表"
    if text.endswith(_LIST):
        return f"{_made(text[: -len(_LIST)])}，或其列表"
    if re.fullmatch(r'"[^"]+"( or "[^"]+")*', text):
        return text.replace('" or "', '"、"')
    kind, _, limits = text.partition(" ")
    for pattern, chinese in _RANGES:
        if kind in _NUMBERS and re.fullmatch(pattern, limits):
            return re.sub(pattern, chinese, limits).format(_NUMBERS[kind])
    raise KeyError(text)
