"""HSD, the input format of DFTB+, as a tree that still knows its text.

Understood are nested blocks, ``Key = Method {``, several assignments in a line, modifiers
``[unit]``, comments, quotes, included files, and the prefixes ``+ ? * / !`` that change what stands
before. The rules are those of the appendix "The HSD format" of the DFTB+ manual. Text that is
not replaced stays as it is, byte by byte.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional, Union

from pwact.errors import InputError

_PREFIXES = "+?*/!"
_SEPARATOR = re.compile(r"<<<|<<\+|[={};]")
_IN_VALUE = re.compile(r"[{};]")
_DEEPEST = 20


@dataclass
class Text:
    """The text of one file, and what is to be put in place of parts of it.

    Attributes
    ----------
    changes
        Start, end, and the new text: a string, or that of an included file.
    """

    text: str
    path: Optional[Path] = None
    changes: list[tuple[int, int, Union[str, Text]]] = field(default_factory=list)

    def replace(self, start: int, end: int, new: Union[str, Text]) -> None:
        """Put new text in place of a part; within another replaced part it has no effect."""
        self.changes.append((start, end, new))

    def render(self) -> str:
        """The text with all changes, included files in place."""
        made, place = [], 0
        for start, end, new in sorted(self.changes, key=lambda change: (change[0], -change[1])):
            if start < place:
                continue
            words = new if isinstance(new, str) else _whole(new.render())
            made += [self.text[place:start], words]
            place = end
        return "".join([*made, self.text[place:]])

    def error(self, place: int, message: str) -> InputError:
        """An error at a place of the text."""
        number = self.text.count("\n", 0, place) + 1
        return InputError(f"line {number}: {message}", self.path)


def _whole(text: str) -> str:
    return text if text.endswith("\n") else f"{text}\n"


@dataclass(frozen=True)
class Part:
    """A part of a text: the words of a value, the name of an included file, or a construct."""

    source: Text
    start: int
    end: int

    @property
    def text(self) -> str:
        """What stands there."""
        return self.source.text[self.start : self.end]

    def replace(self, new: Union[str, Text]) -> None:
        """Put something else there."""
        self.source.replace(self.start, self.end, new)

    def error(self, message: str) -> InputError:
        """An error that names the line."""
        return self.source.error(self.start, message)


@dataclass
class Node:
    """A property or a method; what is assigned to it are its children or its words.

    Attributes
    ----------
    name
        As it is written, without prefix and modifier; empty for the file as a whole.
    modifier
        What stands in brackets behind the name.
    children
        Properties and methods within, in order. A property may stand more than once: the first
        counts.
    words
        Lines of words.
    included
        Names of files whose raw text is included (``<<<``).
    constructs
        Lower-case name and text of everything that is assigned here, also what a later prefix
        makes void.
    """

    name: str = ""
    modifier: str = ""
    children: list[Node] = field(default_factory=list)
    words: list[Part] = field(default_factory=list)
    included: list[Part] = field(default_factory=list)
    constructs: list[tuple[str, Part]] = field(default_factory=list)

    def child(self, name: str) -> Optional[Node]:
        """The first property of that name, in any case."""
        return next((one for one in self.children if one.name.lower() == name.lower()), None)

    def at(self, *path: str) -> Optional[Node]:
        """The property at the end of a path of names."""
        here: Optional[Node] = self
        for name in path:
            here = here.child(name) if here is not None else None
        return here

    @property
    def method(self) -> Optional[Node]:
        """The method that is assigned, or the first property within."""
        return self.children[0] if self.children else None

    @property
    def text(self) -> str:
        """The words, lines joined, without quotes around."""
        return unquoted("\n".join(part.text for part in self.words))

    def value(self, *path: str) -> str:
        """Words of a property in lower case; empty if it is not there."""
        found = self.at(*path)
        return found.text.lower() if found is not None else ""


def unquoted(text: str) -> str:
    """Text without blanks and one pair of quotes around."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return text


def is_yes(word: str) -> bool:
    """Whether DFTB+ reads this as true."""
    return word.strip().lower() in {"yes", "y", "true", "t", "1", ".true."}


def read_hsd(path: Path, opaque: frozenset[str] = frozenset()) -> tuple[Node, Text]:
    """Read a file with all that it includes (``<<+``, from the directory of the first file).

    Parameters
    ----------
    opaque
        Lower-case names of properties of the first level whose includes are not followed.

    Returns
    -------
    tuple
        The tree, and the text; a change of the one's parts changes the other.

    Raises
    ------
    InputError
        A file cannot be read, or is no HSD; names file and line.
    """
    source = Text(_read(path), path)
    root = Node()
    _Parser(source, path.parent, opaque, 0).run(root)
    return root, source


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path) from error


class _Parser:
    """Reads one text as DFTB+ does: line by line, each from where the last sign was."""

    def __init__(self, source: Text, folder: Path, opaque: frozenset[str], depth: int) -> None:
        self.source, self.folder, self.opaque, self.depth = source, folder, opaque, depth
        self.text = source.text
        self.place = 0
        self.closed = False  # whether includes are not followed here

    def run(self, node: Node) -> None:
        self._block(node, None)
        if self.place < len(self.text):
            raise self.source.error(self.place, "a } closes nothing")

    def _line(self) -> Optional[tuple[int, int, int]]:
        """Start and end of what is left of a line, without comment, and the start of the next."""
        while self.place < len(self.text):
            stop = self.text.find("\n", self.place)
            stop = len(self.text) if stop < 0 else stop
            comment = _unquoted_at(self.text, self.place, stop, re.compile("#"))
            end = comment.start() if comment else stop
            body = self.text[self.place : end]
            if body.strip():
                start = self.place + len(body) - len(body.lstrip())
                return start, self.place + len(body.rstrip()), stop + 1
            self.place = stop + 1
        return None

    def _block(self, node: Node, opened: Optional[int]) -> None:
        """What stands between braces, or in the file as a whole (`opened` is None)."""
        only: Optional[type[Union[Part, Node]]] = None
        while (line := self._line()) is not None:
            start, end, after = line
            found = _unquoted_at(self.text, start, end, _SEPARATOR)
            sign, at = (found.group(), found.start()) if found else ("", end)
            if sign == "}" and at == start:
                self.place = at + (opened is not None)
                return
            kind: type[Union[Part, Node]] = Part if sign in {"", "}"} else Node
            if sign not in {"<<<", "<<+"}:
                if only not in {None, kind}:
                    raise self.source.error(start, "words and properties stand side by side")
                only = kind
            self._one(node, sign, (start, at, end, after))
        self.place = len(self.text)
        if opened is not None:
            raise self.source.error(opened, "this { is not closed")

    def _one(self, node: Node, sign: str, where: tuple[int, int, int, int]) -> None:
        start, at, end, after = where
        if sign in {"", "}"}:
            node.words.append(self._part(start, at))
            self.place = at if sign else after
        elif sign == ";":
            raise self.source.error(at, "a ; stands behind no assignment")
        elif sign in {"<<<", "<<+"}:
            self._include(node, sign, where)
        else:
            child = self._child(node, start, at)
            top = not node.name and child.name.lower() in self.opaque
            was, self.closed = self.closed, self.closed or top
            if sign == "=":
                self._value(child, at, end, after)
            else:
                self.place = at + 1
                self._block(child, at)
            self.closed = was
            name = child.name.lower()
            node.constructs.append((name, Part(self.source, start, self.place_before_break())))

    def place_before_break(self) -> int:
        """Where the construct that was just read ends, without the end of its line."""
        place = min(self.place, len(self.text))
        return place - 1 if self.text[place - 1 : place] == "\n" else place

    def _value(self, node: Node, equals: int, end: int, after: int) -> None:
        """What stands behind an equals sign."""
        body = self.text[equals + 1 : end]
        start = equals + 1 + len(body) - len(body.lstrip())
        found = _unquoted_at(self.text, start, end, _IN_VALUE)
        sign, at = (found.group(), found.start()) if found else ("", end)
        if start >= end or (sign == "}" and at == start):
            raise self.source.error(equals, f"{node.name} has no value")
        if sign == "{":
            self.place = at + 1
            inner = self._child(node, start, at) if self.text[start:at].strip() else node
            self._block(inner, at)
            return
        if self.text[start:at].strip():
            node.words.append(self._part(start, at))
        self.place = {"": after, ";": at + 1, "}": at}[sign]

    def _part(self, start: int, end: int) -> Part:
        return Part(self.source, start, start + len(self.text[start:end].rstrip()))

    def _child(self, parent: Node, start: int, end: int) -> Node:
        """The property of a name, which its prefix may find among those that are there."""
        name = self.text[start:end].strip()
        prefix = name[0] if name and name[0] in _PREFIXES else ""
        name, bracket, modifier = name[len(prefix) :].partition("[")
        name, modifier = name.strip(), modifier.strip()
        if not name or bool(bracket) != modifier.endswith("]"):
            raise self.source.error(start, f"{self.text[start:end].strip()!r} is no name")
        fresh = Node(name, modifier[:-1].strip() if bracket else "")
        there = parent.child(name)
        if there is None and prefix == "+":
            raise self.source.error(start, f"there is no {name} before, which +{name} needs")
        if there is not None and prefix in {"+", "?", "*"}:
            return there
        if prefix == "?" or (there is not None and prefix == "/"):
            return fresh  # DFTB+ does without it
        if there is not None and prefix == "!":
            parent.children.remove(there)
        parent.children.append(fresh)
        return fresh

    def _include(self, node: Node, sign: str, where: tuple[int, int, int, int]) -> None:
        start, at, end, after = where
        if at != start:
            raise self.source.error(start, f"something stands before {sign}")
        name = self.text[at + 3 : end]
        begin = at + 3 + len(name) - len(name.lstrip())
        part = self._part(begin, end)
        if not unquoted(part.text):
            raise part.error(f"no file behind {sign}")
        self.place = after
        if self.closed:
            return
        if sign == "<<<":
            node.included.append(part)
            return
        if self.depth == _DEEPEST:
            raise part.error("files include each other without end")
        path = self.folder / unquoted(part.text)
        try:
            inner = Text(_read(path), path)
        except InputError as error:
            raise part.error(str(error)) from error
        _Parser(inner, self.folder, self.opaque, self.depth + 1).run(node)
        self.source.replace(start, end, inner)


def _unquoted_at(
    text: str, start: int, end: int, pattern: re.Pattern[str]
) -> Optional[re.Match[str]]:
    """First match outside of quotes; a quote that is not closed reaches to the end."""
    place, quote = start, ""
    while place < end:
        letter = text[place]
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif found := pattern.match(text, place, end):
            return found
        place += 1
    return None
