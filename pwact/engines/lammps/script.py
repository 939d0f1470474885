"""Inputs of LAMMPS as commands, read by LAMMPS's own rules (docs.lammps.org/Commands_parse.html).

A line that ends in ``&`` goes on in the next one, three double quotes span lines, ``#`` outside of
quotes begins a comment, quotes hold words together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pwact.errors import InputError

DEEPEST = 10  # files that include one another
_TRIPLE = '"""'
_FORMULA = r"\$\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"  # $(...), which may hold blanks
_WORD = re.compile(
    r'"""(.*?)"""(?=\s|$)|"([^"]*)"(?=\s|$)|' + rf"'([^']*)'(?=\s|$)|((?:{_FORMULA}|\S)+)",
    re.DOTALL,
)


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes
    ----------
    text
        As written, with line ends and comments.
    words
        Without quotes and comments; empty for a blank line or a comment.
    file, line
        Where it begins.
    """

    text: str
    words: tuple[str, ...]
    file: Path
    line: int

    @property
    def name(self) -> str:
        """The first word, "" if there is none."""
        return self.words[0] if self.words else ""

    def error(self, message: str) -> InputError:
        """An error at this command."""
        return InputError(message, self.file, f"line {self.line}")

    def inner(self) -> list[tuple[str, ...]]:
        """The commands within an ``if``: all that stands behind ``then``, ``elif`` or ``else``."""
        if self.name != "if":
            return []
        found = []
        skip = 1  # the condition
        for word in self.words[1:]:
            if skip:
                skip -= 1
            elif word == "elif":
                skip = 1
            elif word not in ("then", "else"):
                found.append(tuple(split(word)))
        return found


def read_script(path: Path) -> list[Command]:
    """The commands of an input, with those of the files that it includes in their places.

    Raises
    ------
    InputError
        A file cannot be read, or includes itself.
    """
    return list(_read(path, 0))


def _read(path: Path, depth: int) -> Iterator[Command]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path) from error
    except UnicodeDecodeError as error:
        raise InputError(f"is no UTF-8 text ({error.reason})", path) from error
    for command in parse(lines, path):
        if command.name != "include":
            yield command
            continue
        if len(command.words) != 2 or "$" in command.words[1]:
            raise command.error("include must name one file, without variables")
        if depth == DEEPEST:
            raise command.error(f"files include one another more than {DEEPEST} times")
        yield from _read(path.parent / command.words[1], depth + 1)


def parse(lines: list[str], file: Path) -> Iterator[Command]:
    """The commands of some lines.

    Raises
    ------
    InputError
        Quotes are not closed.
    """
    place = 0
    while place < len(lines):
        start = place
        text = lines[place]
        while place + 1 < len(lines) and (_goes_on(text) or text.count(_TRIPLE) % 2):
            place += 1
            text += "\n" + lines[place]
        place += 1
        joined = re.sub(r"&[ \t]*\n", "", text)
        words = tuple(split(_uncommented(joined)))
        command = Command(text, words, file, start + 1)
        if any(word.startswith(('"', "'")) for word in words) and words[0] != "print":
            raise command.error("a quote is not closed")
        yield command


def _goes_on(text: str) -> bool:
    return text.rstrip(" \t\r").endswith("&")


def _uncommented(text: str) -> str:
    """The text up to a ``#`` that stands in no quotes."""
    quote = ""
    place = 0
    while place < len(text):
        rest = text[place:]
        if quote:
            if rest.startswith(quote):
                place += len(quote) - 1
                quote = ""
        elif rest.startswith("#"):
            return text[:place]
        elif rest.startswith(_TRIPLE):
            quote = _TRIPLE
            place += 2
        elif rest[0] in "\"'":
            quote = rest[0]
        place += 1
    return text


def split(text: str) -> list[str]:
    """The words of a command without comments; quotes hold words together.

    >>> split('if "$x > 0" then "run 10"')
    ['if', '$x > 0', 'then', 'run 10']
    """
    return [
        next(group for group in found.groups() if group is not None)
        for found in _WORD.finditer(text)
    ]


def join(words: Iterable[str]) -> str:
    """A command of these words; quotes hold together what has blanks."""
    return " ".join(_quoted(word) for word in words)


def _quoted(word: str) -> str:
    if split(word) == [word]:
        return word
    quote = next((quote for quote in ("'", '"', _TRIPLE) if quote not in word), _TRIPLE)
    return f"{quote}{word}{quote}"
