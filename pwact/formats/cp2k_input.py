"""CP2K input files as trees of sections, which render back to the very same bytes.

Understood are nested sections with parameters, keywords, comments after ``!`` and ``#``, lines
continued by a backslash, and the preprocessor: ``@SET``, ``@IF``, ``${VARIABLE}``. Its lines stay
where they are; what a false ``@IF`` leaves out is not active and is not found. What other
``@`` lines stand for (``@INCLUDE``, ``@XCTYPE`` …) is not looked into.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional, Union

import numpy as np

from pwact.errors import InputError
from pwact.io.arrays import are_usable

_VARIABLE = re.compile(r"\$\{([A-Za-z_]\w*)(?:-([^}]*))?\}|\$([A-Za-z_]\w*)")
_COMPARISON = re.compile(r"(.*?)(==|/=)(.*)", re.DOTALL)


@dataclass
class Line:
    """A line that is no section: keyword, comment, blank or preprocessor line.

    Attributes
    ----------
    text
        As it stands in the file, line ends and continuations included.
    name
        The keyword in upper case, ``@SET`` and the like; empty in a blank line or a comment.
    value
        What follows it, without comment and with variables replaced.
    active
        Whether no false ``@IF`` leaves it out.
    number
        In the file, from 1; 0 if it is not from there.
    """

    text: str
    name: str = ""
    value: str = ""
    active: bool = True
    number: int = 0

    def render(self) -> str:
        """The text."""
        return self.text


@dataclass
class Section:
    """A section with all that stands between its first and its last line.

    Attributes
    ----------
    name
        Upper case; empty for the file as a whole.
    parameter
        What follows the name, without comment and with variables replaced.
    head, end
        First and last line as they stand in the file.
    active, number
        As of `Line`.
    path
        The file that it is from.
    """

    name: str = ""
    parameter: str = ""
    head: str = ""
    end: str = ""
    items: list[Item] = field(default_factory=list)
    active: bool = True
    number: int = 0
    path: Optional[Path] = None

    def render(self) -> str:
        """The text of the section."""
        return "".join([self.head, *(item.render() for item in self.items), self.end])

    def sections(self, name: str) -> list[Section]:
        """The active sections of that name right in this one."""
        return [
            item
            for item in self.items
            if isinstance(item, Section) and item.active and item.name == name
        ]

    def section(self, *path: str) -> Optional[Section]:
        """The section at the end of a path of names; None if there is none.

        Raises
        ------
        InputError
            One of the path stands more than once.
        """
        here = self
        for name in path:
            found = here.sections(name)
            if not found:
                return None
            if len(found) > 1:
                message = f"line {found[1].number}: &{name} stands a second time"
                raise InputError(message, self.path)
            here = found[0]
        return here

    def keyword(self, *names: str) -> Optional[Line]:
        """The first active keyword with one of these names right in this section."""
        for item in self.items:
            if isinstance(item, Line) and item.active and item.name in names:
                return item
        return None

    def value(self, *names: str) -> str:
        """Value of a keyword in upper case; empty if it is not there."""
        found = self.keyword(*names)
        return found.value.upper() if found else ""

    def inner_indent(self) -> str:
        """Blanks that lines in this section begin with."""
        return f"{self.head[: len(self.head) - len(self.head.lstrip())]}  " if self.name else ""

    def lines(self) -> Iterator[Line]:
        """All active lines, also those of the sections within."""
        for item in self.items:
            if isinstance(item, Section):
                yield from item.lines()
            elif item.active:
                yield item

    def remove(self, is_unwanted: Callable[[Item], bool]) -> list[Item]:
        """Take items out of this section; returns them."""
        gone = [item for item in self.items if is_unwanted(item)]
        self.items = [item for item in self.items if not is_unwanted(item)]
        return gone

    def insert(self, place: int, text: str) -> None:
        """Put new text before the item at `place`."""
        if place and not self.items[place - 1].render().endswith("\n"):
            text = f"\n{text}"
        self.items[place:place] = parse(text).items

    def append(self, text: str) -> None:
        """Put new text at the end of the section."""
        self.insert(len(self.items), text)


Item = Union[Line, Section]


def read_input(path: Path) -> Section:
    """Read a file.

    Raises
    ------
    InputError
        It cannot be read, or its sections do not match; names file and line.
    """
    try:
        text = path.read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path) from error
    return parse(text, path)


def write_input(path: Path, root: Section) -> None:
    """Write a file with the bytes that were read, but for what was changed."""
    path.write_bytes(root.render().encode("utf-8", "surrogateescape"))


def parse(text: str, path: Optional[Path] = None) -> Section:
    """The tree of a text.

    Raises
    ------
    InputError
        A section is not closed, or closed by another name.
    """
    return _Parser(text, path).run()


_RIGHT = 90.0  # degrees


def cell_vectors(root: Section) -> Optional[np.ndarray]:
    """Lattice vectors as rows, shape (3, 3), Å; None where the input does not give them.

    They stand there as A, B and C, or as ABC, the three lengths, of a cell with right angles.

    Raises
    ------
    InputError
        Sections of the path to &CELL stand more than once.
    """
    cell = root.section("FORCE_EVAL", "SUBSYS", "CELL")
    if cell is None:
        return None
    try:
        if lengths := cell.value("ABC"):
            angles = [float(word) for word in cell.value("ALPHA_BETA_GAMMA").split()]
            if angles not in ([], [_RIGHT] * 3):
                return None  # CP2K's own orientation of a skewed cell
            found = np.diag([float(word) for word in lengths.split()]).reshape(3, 3)
        else:
            rows = [[float(word) for word in cell.value(name).split()] for name in "ABC"]
            found = np.array(rows).reshape(3, 3)
    except ValueError:
        return None
    return found if are_usable(found) else None


def content(line: str) -> str:
    """A line without its comment and without blanks around."""
    quote = ""
    for place, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter if letter in line[place + 1 :] else ""  # an apostrophe quotes nothing
        elif letter in "!#":
            return line[:place].strip()
    return line.strip()


class _Parser:
    """Reads one text; sections that are still open form the stack."""

    def __init__(self, text: str, path: Optional[Path]) -> None:
        self.path = path
        self.text = text
        self.stack = [Section(path=path)]
        self.variables: dict[str, str] = {}
        self.active = True
        self.number = 0

    def error(self, message: str, number: int) -> InputError:
        return InputError(f"line {number}: {message}", self.path)

    def run(self) -> Section:
        for raw, text, number in self._joined():
            self.number = number
            if text.startswith("@"):
                self._directive(raw, text)
                continue
            expanded = self._expanded(text)
            if expanded[:4].upper() == "&END" and not expanded[4:5].strip():
                self._close(raw, expanded[4:].strip().upper())
            elif expanded.startswith("&"):
                self._open(raw, expanded[1:])
            else:
                name, value = _first(expanded)
                self._add(Line(raw, name, value, self.active, number))
        if len(self.stack) > 1:
            last = self.stack[-1]
            raise self.error(f"&{last.name} is not closed by &END", last.number)
        return self.stack[0]

    def _joined(self) -> Iterator[tuple[str, str, int]]:
        """Lines with those that continue them: as they stand, their content, their number."""
        pieces = self.text.split("\n")
        lines = [f"{piece}\n" for piece in pieces[:-1]] + ([pieces[-1]] if pieces[-1] else [])
        raw, text, first = "", "", 1
        for number, line in enumerate(lines, 1):
            raw += line
            text += content(line)
            if text.endswith("\\") and number < len(lines):
                text = f"{text[:-1]} "
                continue
            yield raw, text.strip(), first
            raw, text, first = "", "", number + 1

    def _add(self, item: Item) -> None:
        self.stack[-1].items.append(item)

    def _open(self, raw: str, text: str) -> None:
        name, parameter = _first(text)
        section = Section(name, parameter, raw, "", [], self.active, self.number, self.path)
        self._add(section)
        self.stack.append(section)

    def _close(self, raw: str, name: str) -> None:
        if len(self.stack) == 1:
            raise self.error(f"&END {name}".rstrip() + " closes nothing", self.number)
        section = self.stack[-1]
        if name and name.split(maxsplit=1)[0] != section.name:
            message = f"&END {name} where &END {section.name} is due (line {section.number})"
            raise self.error(message, self.number)
        section.end = raw
        self.stack.pop()

    def _directive(self, raw: str, text: str) -> None:
        name, value = _first(text)
        if name == "@IF":
            self.active = self._holds(value)
            self._add(Line(raw, name, value, number=self.number))
            return
        if name == "@ENDIF":
            self.active = True
        elif name == "@SET" and self.active:
            variable, what = _first(value)
            self.variables[variable] = self._expanded(what)
        self._add(Line(raw, name, self._expanded(value), self.active, self.number))

    def _expanded(self, text: str) -> str:
        def replacement(found: re.Match[str]) -> str:
            name = (found.group(1) or found.group(3)).upper()
            default = found.group(0) if found.group(2) is None else found.group(2)
            return self.variables.get(name, default)

        return _VARIABLE.sub(replacement, text) if "$" in text else text

    def _holds(self, condition: str) -> bool:
        """Compare texts as CP2K does; a condition without == and /= must be neither empty nor 0."""
        text = self._expanded(condition).strip()
        if text.startswith("(") and text.endswith(")"):
            text = text[1:-1].strip()
        found = _COMPARISON.fullmatch(text)
        if not found:
            return text not in {"", "0"}
        same = found.group(1).strip().upper() == found.group(3).strip().upper()
        return same if found.group(2) == "==" else not same


def _first(text: str) -> tuple[str, str]:
    """The first word in upper case, and the rest."""
    words = text.split(None, 1)
    if not words:
        return "", ""
    return words[0].upper(), words[1].strip() if len(words) > 1 else ""
