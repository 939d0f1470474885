"""Inputs of pw.x (Quantum ESPRESSO): Fortran namelists, then cards. The rest keeps every byte.

After INPUT_PW of Quantum ESPRESSO 6.7 and 7.4 (www.quantum-espresso.org/Doc/INPUT_PW.html).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from pwact.errors import InputError

CARDS = frozenset(
    {
        *("ATOMIC_SPECIES", "ATOMIC_POSITIONS", "K_POINTS", "ADDITIONAL_K_POINTS"),
        *("CELL_PARAMETERS", "CONSTRAINTS", "OCCUPATIONS", "ATOMIC_VELOCITIES"),
        *("ATOMIC_FORCES", "SOLVENTS", "HUBBARD"),
    }
)
_TOKEN = re.compile(
    r"""(?P<comment>![^\n]*)
    |(?P<text>'(?:[^'\n]|'')*'|"(?:[^"\n]|"")*")
    |(?P<end>/|&end\b)
    |(?P<key>[A-Za-z]\w*[ \t]*(?:\([^()\n]*\))?[ \t]*=)
    |(?P<word>[^\s,'"!/=&]+)
    |(?P<gap>[\s,]+)""",
    re.IGNORECASE | re.VERBOSE,
)
_HEAD = re.compile(r"^[ \t]*&(\w+)", re.MULTILINE)
_TRUE = frozenset({".true.", ".t.", "t", "true"})


@dataclass(frozen=True)
class Entry:
    """``key = value`` of a namelist.

    Attributes
    ----------
    key
        In lower case and without blanks, with its indices: ``starting_magnetization(1)``.
    value
        As it is written; texts with their quotes.
    start, end
        Where it stands in the text of the file.
    """

    key: str
    value: str
    start: int
    end: int
    line: int

    @property
    def name(self) -> str:
        """The key without indices."""
        return self.key.partition("(")[0]

    @property
    def indices(self) -> tuple[str, ...]:
        """The indices of the key, none if it has none."""
        inside = self.key.partition("(")[2].rstrip(")")
        return tuple(inside.split(",")) if inside else ()


@dataclass
class Namelist:
    """``&SYSTEM … /``: `head` ends behind the name, `tail` is where the slash stands."""

    name: str
    head: int
    tail: int
    line: int
    entries: list[Entry] = field(default_factory=list)


@dataclass(frozen=True)
class Card:
    """A card with its lines.

    Attributes
    ----------
    written
        Its name as it stands there; pw.x knows capitals alone.
    option
        The word behind its name, in lower case, without brackets.
    lines
        Number and text of each line that is neither empty nor a comment.
    start, end
        Where it stands in the text of the file.
    """

    name: str
    written: str
    option: str
    lines: tuple[tuple[int, str], ...]
    start: int
    end: int
    line: int


class PwInput:
    """An input of pw.x, whose values can be changed.

    Attributes
    ----------
    path
        Where it was read.

    Raises
    ------
    InputError
        It cannot be read.
    """

    def __init__(self, path: Path, text: Optional[str] = None) -> None:
        self.path = path
        self._text = _read(path) if text is None else text
        self.namelists: dict[str, Namelist] = {}
        self.cards: dict[str, Card] = {}
        self._changes: list[tuple[int, int, str]] = []
        self._behind: list[str] = []
        self._cards(self._namelists())

    def entries(self, namelist: str, name: str = "") -> list[Entry]:
        """The entries of a namelist, or those with one key, whatever their indices."""
        found = self.namelists.get(namelist)
        return [one for one in (found.entries if found else ()) if name in ("", one.name)]

    def text(self, namelist: str, name: str) -> str:
        """A value without its quotes, "" where there is none; the last one counts."""
        found = self.entries(namelist, name)
        return unquoted(found[-1].value) if found else ""

    def word(self, namelist: str, name: str) -> str:
        """A value without its quotes, in lower case."""
        return self.text(namelist, name).lower()

    def switch(self, namelist: str, name: str, default: bool = False) -> bool:
        """A logical value."""
        word = self.word(namelist, name)
        return word in _TRUE or word.startswith(".t") if word else default

    def whole(self, namelist: str, name: str, default: int) -> int:
        """A whole number. Raises InputError where it is none."""
        word = self.word(namelist, name)
        if not word:
            return default
        try:
            return int(word)
        except ValueError:
            raise self.error(namelist, name, f"found {word}; expected a whole number") from None

    def error(self, namelist: str, name: str, message: str) -> InputError:
        """An error at a key."""
        found = self.entries(namelist, name)
        place = f"line {found[-1].line}: " if found else ""
        return InputError(f"{place}{message}", self.path, f"&{namelist} {name}")

    def card_error(self, name: str, message: str, line: int = 0) -> InputError:
        """An error in a card."""
        number = line or (self.cards[name].line if name in self.cards else 0)
        place = f"line {number}: " if number else ""
        return InputError(f"{place}{message}", self.path, name)

    def remove(self, namelist: str, name: str) -> None:
        """Take a key out, whatever its indices."""
        for entry in self.entries(namelist, name):
            self._cut(entry)
        if namelist in self.namelists:
            kept = [one for one in self.namelists[namelist].entries if one.name != name]
            self.namelists[namelist].entries = kept

    def put(self, namelist: str, values: Sequence[tuple[str, str]]) -> None:
        """Write keys behind the head of a namelist, in place of what they were.

        Parameters
        ----------
        values
            Key, with its indices if it has any, and value as it shall stand there.
        """
        for key, _ in values:
            for entry in self.entries(namelist):
                if entry.key == key:
                    self._cut(entry)
        head = self.namelists[namelist].head
        lines = "".join(f"\n  {key} = {value}" for key, value in values)
        # what follows on the line of the head, must stand on another now
        rest = self._text[head:].partition("\n")[0]
        self._changes.append((head, head, lines + ("\n" if rest.strip() else "")))

    def put_card(self, name: str, lines: Sequence[str]) -> None:
        """Write a card at the end, in place of what it was; the first line is its head."""
        self.drop_card(name)
        self._behind.append("".join(f"{line}\n" for line in lines))

    def drop_card(self, name: str) -> None:
        """Take a card out."""
        card = self.cards.pop(name, None)
        if card is not None:
            self._changes.append((card.start, card.end, ""))

    def render(self) -> str:
        """The text with all changes."""
        parts, place = [], 0
        for start, end, text in sorted(self._changes, key=lambda change: change[:2]):
            parts += [self._text[place:start], text]
            place = max(place, end)
        parts.append(self._text[place:])
        made = "".join(parts)
        made += "" if made.endswith("\n") or not self._behind else "\n"
        return made + "".join(self._behind)

    def _cut(self, entry: Entry) -> None:
        end = entry.end
        behind = re.compile(r"[ \t]*,?[ \t]*").match(self._text, end)
        self._changes.append((entry.start, behind.end() if behind else end, ""))

    def _line(self, place: int) -> int:
        return self._text.count("\n", 0, place) + 1

    def _namelists(self) -> int:
        """Read all namelists; where the last one ends."""
        place = 0
        while True:
            head = _HEAD.search(self._text, place)
            before = self._text[place : head.start() if head else None]
            if head is None or _first_card(before) is not None:
                return place
            stray = _first_word(before)
            if stray:
                raise InputError(f"found {stray!r} outside of namelists and cards", self.path)
            name = head[1].upper()
            if name in self.namelists:
                message = f"line {self._line(head.start())}: this namelist stands twice"
                raise InputError(message, self.path, f"&{name}")
            found = Namelist(name, head.end(), 0, self._line(head.start()))
            self.namelists[name] = found
            place = self._fill(found)

    def _fill(self, found: Namelist) -> int:
        """Read the entries of a namelist; where it ends."""
        place = found.head
        key: Optional[re.Match[str]] = None
        values: list[str] = []
        ended = place
        while place < len(self._text):
            token = _TOKEN.match(self._text, place)
            if token is None:
                message = f"line {self._line(place)}: found {self._text[place]!r}"
                raise InputError(message, self.path, f"&{found.name}")
            place = token.end()
            kind = token.lastgroup
            if kind in ("text", "word"):
                if key is None:
                    message = f"line {self._line(token.start())}: {token[0]} belongs to no key"
                    raise InputError(message, self.path, f"&{found.name}")
                values.append(token[0])
                ended = place
            elif kind in ("key", "end"):
                if key is not None:
                    self._add(found, key, values, ended)
                key, values, ended = (token if kind == "key" else None), [], place
                if kind == "end":
                    found.tail = token.start()
                    return place
        message = f"line {found.line}: has no / at its end"
        raise InputError(message, self.path, f"&{found.name}")

    def _add(self, found: Namelist, key: re.Match[str], values: list[str], end: int) -> None:
        name = re.sub(r"\s", "", key[0].rstrip("=")).lower()
        line = self._line(key.start())
        found.entries.append(Entry(name, " ".join(values), key.start(), end, line))

    def _cards(self, place: int) -> None:
        card: Optional[tuple[str, str, int, int]] = None  # as it is written
        lines: list[tuple[int, str]] = []
        number = self._line(place)
        for text in self._text[place:].splitlines(keepends=True):
            words = text.split("!")[0].split("#")[0].split()
            name = words[0].upper() if words else ""
            if name in CARDS:
                self._end_card(card, lines, place)
                option = " ".join(words[1:]).strip("{}() ").lower().partition(" ")[0].rstrip("})")
                card, lines = (words[0], option, place, number), []
            elif words and card is None and text.strip() != "/":
                message = f"line {number}: found {words[0]!r}; expected a card"
                raise InputError(message, self.path)
            elif words:
                lines.append((number, text.rstrip("\r\n")))
            place += len(text)
            number += 1
        self._end_card(card, lines, place)

    def _end_card(
        self, card: Optional[tuple[str, str, int, int]], lines: list[tuple[int, str]], end: int
    ) -> None:
        if card is None:
            return
        written, option, start, number = card
        name = written.upper()
        if name in self.cards:
            raise InputError(f"line {number}: this card stands twice", self.path, name)
        self.cards[name] = Card(name, written, option, tuple(lines), start, end, number)


def unquoted(value: str) -> str:
    """A value without its quotes."""
    quote = value[:1]
    if quote in ("'", '"') and len(value) > 1 and value.endswith(quote):
        return value[1:-1].replace(quote * 2, quote).strip()
    return value.strip()


def quoted(text: str) -> str:
    """A text as a value."""
    return "'" + text.replace("'", "''") + "'"


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path) from error


def _first_word(text: str) -> str:
    """The first word that is no comment."""
    for line in text.splitlines():
        words = line.split("!")[0].split("#")[0].split()
        if words:
            return words[0]
    return ""


def _first_card(text: str) -> Optional[str]:
    word = _first_word(text).upper()
    return word if word in CARDS else None
