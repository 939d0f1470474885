"""INPUT of ABACUS: behind ``INPUT_PARAMETERS`` a key and its values a line; the last one counts.

After the manual of ABACUS 3.10 (docs/advanced/input_files/input-main.md of abacus-develop). What
stands before that word, lines that begin with ``#`` or ``/``, and what follows ``#`` or ``//`` are
comments.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from pwact.errors import InputError
from pwact.io.texts import read_text

HEAD = "INPUT_PARAMETERS"
_COMMENT = re.compile(r"#|//")
_TRUE = frozenset({"1", "t", "true"})
_FALSE = frozenset({"0", "f", "false", ""})


class AbacusInput:
    """An INPUT whose values can be changed; all other lines stay as they are.

    Attributes
    ----------
    path
        Where it was read.

    Raises
    ------
    InputError
        It cannot be read, or has no ``INPUT_PARAMETERS``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines = read_text(path).splitlines()
        self._found: dict[str, tuple[int, list[str]]] = {}
        begun = False
        for number, line in enumerate(self._lines, 1):
            words = _words(line)
            if begun and words:
                self._found[words[0].lower()] = (number, words[1:])
            begun = begun or bool(words and words[0] == HEAD)
        if not begun:
            raise InputError(f"the line {HEAD} is missing; is this an INPUT of ABACUS?", path)

    def words(self, key: str) -> list[str]:
        """The values of a key, none where it is absent."""
        return list(self._found[key][1]) if key in self._found else []

    def word(self, key: str, default: str = "") -> str:
        """The first value of a key, in lower case."""
        return (self.words(key) or [default])[0].lower()

    def text(self, key: str, default: str = "") -> str:
        """The first value of a key as it is written."""
        return (self.words(key) or [default])[0]

    def whole(self, key: str, default: int) -> int:
        """A whole number. Raises InputError where it is none."""
        word = self.text(key)
        if not word:
            return default
        try:
            return int(word)
        except ValueError:
            raise self.error(key, f"found {word}; expected a whole number") from None

    def switch(self, key: str, default: bool = False) -> bool:
        """A logical value. Raises InputError where it is none."""
        if key not in self._found:
            return default
        word = self.word(key)
        if word not in _TRUE | _FALSE:
            raise self.error(key, f"found {word}; expected 1 or 0, true or false")
        return word in _TRUE

    def error(self, key: str, message: str) -> InputError:
        """What is wrong with a key, with its line."""
        line = f"line {self._found[key][0]}: " if key in self._found else ""
        return InputError(f"{line}{message}", self.path, key)

    def render(self, values: Mapping[str, str], without: frozenset[str] = frozenset()) -> str:
        """The text with these values at its end; the lines that they replace are left out.

        Parameters
        ----------
        without
            More keys whose lines are left out.
        """
        gone, begun, made = {*values, *without}, False, []
        for line in self._lines:
            words = _words(line)
            if not (begun and words and words[0].lower() in gone):
                made.append(line)
            begun = begun or bool(words and words[0] == HEAD)
        made += [f"{key} {value}" for key, value in values.items()]
        return "\n".join(made) + "\n"


def _words(line: str) -> list[str]:
    text = line.strip()
    return [] if text.startswith("/") else _COMMENT.split(text, maxsplit=1)[0].split()
