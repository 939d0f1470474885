"""What keys may hold: numbers, words, paths and lists of them."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from pwact.config.schema import Kind, Node
from pwact.config.shapes import NOT_BLANK, Shape, any_case, limits_of, shape_of
from pwact.io import files

HUGE_INT = 2_000_000_000
HUGE = 1e15


@dataclass(frozen=True)
class Anything:
    """A value that is not looked at."""

    words: str = "anything"

    @property
    def shape(self) -> Shape:
        """The kind in JSON Schema."""
        return {}

    def convert(self, node: Node) -> Any:
        """The value as it is."""
        return node.value


@dataclass(frozen=True)
class Whole:
    """An integer from `low` to `high`; 1e4 and 10.0 count as integers."""

    low: int = -HUGE_INT
    high: int = HUGE_INT

    @property
    def words(self) -> str:
        """The kind in words."""
        return "integer" + _range_words(self.low, self.high, HUGE_INT)

    @property
    def shape(self) -> Shape:
        """The kind in JSON Schema."""
        return {"type": "integer", **limits_of(self.low, self.high, HUGE_INT)}

    def convert(self, node: Node) -> int:
        """The integer."""
        value = node.value
        if isinstance(value, float) and value == int(value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise node.wrong(f"an {self.words}")
        if not self.low <= value <= self.high:
            raise node.wrong(f"an {self.words}" if self.high < HUGE_INT else self._limit())
        return int(value)

    def _limit(self) -> str:
        return f"an {self.words}, at most {self.high}"


@dataclass(frozen=True)
class Real:
    """A number from `low` to `high`; `positive` leaves out zero and what is below."""

    low: float = -HUGE
    high: float = HUGE
    positive: bool = False

    @property
    def words(self) -> str:
        """The kind in words."""
        if self.positive:
            return "number > 0" + (f" and <= {self.high:g}" if self.high < HUGE else "")
        return "number" + _range_words(self.low, self.high, HUGE)

    @property
    def shape(self) -> Shape:
        """The kind in JSON Schema."""
        limits = limits_of(self.low, self.high, HUGE)
        return {"type": "number", **limits, **({"exclusiveMinimum": 0} if self.positive else {})}

    def convert(self, node: Node) -> float:
        """The number."""
        value = node.value
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise node.wrong(f"a {self.words}")
        if not self.low <= value <= self.high or (self.positive and value <= 0):
            raise node.wrong(f"a {self.words}{self._limit(value)}")
        return float(value)

    def _limit(self, value: float) -> str:
        """What the words do not say: no number is unlimited."""
        if value > self.high == HUGE:
            return f", below {HUGE:g}"
        return f", above {-HUGE:g}" if value < self.low == -HUGE else ""


@dataclass(frozen=True)
class Flag:
    """True or false."""

    words: str = "true or false"

    @property
    def shape(self) -> Shape:
        """The kind in JSON Schema."""
        return {"type": "boolean"}

    def convert(self, node: Node) -> bool:
        """The truth value."""
        if not isinstance(node.value, bool):
            raise node.wrong(self.words)
        return node.value


@dataclass(frozen=True)
class Text:
    """A text that is not blank, without control characters but tabs and line breaks.

    `one_line` refuses line breaks, `plain` tabs as well: the text goes into the header of a job.
    """

    one_line: bool = False
    words: str = "text"
    plain: bool = False

    @property
    def shape(self) -> Shape:
        """The kind in JSON Schema."""
        return dict(NOT_BLANK)

    def convert(self, node: Node) -> str:
        """The text without blanks around it."""
        if not isinstance(node.value, str) or not node.value.strip():
            raise node.wrong("a text that is not empty")
        if self.one_line and len(node.value.strip().splitlines()) > 1:
            raise node.wrong("a text of one line")
        self._refuse_controls(node, node.value.strip())
        return node.value.strip()

    def _refuse_controls(self, node: Node, text: str) -> None:
        allowed = "" if self.plain else "\t\n\r"
        for sign in text:
            if unicodedata.category(sign) in ("Cc", "Zl", "Zp") and sign not in allowed:
                name = {"\t": "a tab", "\0": "a NUL"}.get(sign, f"the sign U+{ord(sign):04X}")
                raise node.wrong(f"a text without control characters; it holds {name}")


@dataclass(frozen=True)
class Choice:
    """One of a few words, in any case."""

    allowed: Collection[str]

    @property
    def words(self) -> str:
        """The kind in words."""
        return " or ".join(f'"{word}"' for word in self.allowed)

    @property
    def shape(self) -> Shape:
        """The kind in JSON Schema."""
        return any_case(self.allowed)

    def convert(self, node: Node) -> str:
        """The word in its proper case."""
        if isinstance(node.value, str):
            for word in self.allowed:
                if node.value.strip().lower() == word.lower():
                    return word
        raise node.wrong(self.words)


@dataclass(frozen=True)
class Items:
    """A list; a single value counts as a list of one.

    `low` and `high` limit the number of elements.
    """

    kind: Kind
    low: int = 0
    high: Optional[int] = None

    @property
    def words(self) -> str:
        """The kind in words."""
        if self.low == self.high:
            return f"list of {self.low}: {self.kind.words}"
        return f"{self.kind.words}, or list of such"

    @property
    def shape(self) -> Shape:
        """The kind in JSON Schema."""
        each = shape_of(self.kind)
        most = {} if self.high is None else {"maxItems": self.high}
        listed = {"type": "array", "items": each, "minItems": self.low, **most}
        return listed if self.low > 1 else {"anyOf": [each, listed]}

    def convert(self, node: Node) -> tuple[Any, ...]:
        """The elements."""
        nodes = node.items()
        if len(nodes) < self.low or (self.high is not None and len(nodes) > self.high):
            raise node.wrong(_count_words(self.low, self.high))
        return tuple(self.kind.convert(item) for item in nodes)


@dataclass(frozen=True)
class Section:
    """An object that a reader of its own takes apart."""

    words: str = "object, see below"

    @property
    def shape(self) -> Shape:
        """The kind in JSON Schema."""
        return {"type": "object"}

    def convert(self, node: Node) -> Node:
        """The node, for the reader."""
        node.members()
        return node


@dataclass(frozen=True)
class Nodes:
    """A list, or one value, whose elements a reader of its own takes apart."""

    words: str = "list"
    low: int = 1

    def convert(self, node: Node) -> tuple[Node, ...]:
        """The elements as nodes."""
        nodes = node.items()
        if len(nodes) < self.low:
            raise node.wrong("a list that is not empty")
        return tuple(nodes)


@dataclass(frozen=True)
class Located:
    """A path relative to the work directory that must exist.

    `what` is ``file``, ``directory`` or ``path`` (either).
    """

    what: str = "file"

    @property
    def words(self) -> str:
        """The kind in words."""
        return f"{self.what} (must exist)"

    @property
    def shape(self) -> Shape:
        """The kind in JSON Schema."""
        return dict(NOT_BLANK)

    def convert(self, node: Node) -> Path:
        """The absolute path."""
        return existing(node, Path(Text(one_line=True).convert(node)), self.what)


@dataclass(frozen=True)
class Placed:
    """A path relative to the work directory; only who uses it knows whether it must exist."""

    words: str = "path"

    @property
    def shape(self) -> Shape:
        """The kind in JSON Schema."""
        return dict(NOT_BLANK)

    def convert(self, node: Node) -> Path:
        """The absolute path."""
        return node.context.base / Text(one_line=True).convert(node)


def existing(node: Node, path: Path, what: str = "file") -> Path:
    """The absolute `path`, which must exist and be a file, directory or either ("path").

    Raises
    ------
    InputError
        There is nothing there, or something else.
    """
    absolute = node.context.base / path
    problem = files.unreadable(absolute, or_folder=True)
    if problem == "does not exist":
        raise node.error(f"there is no {what} {_short(absolute)}")
    if problem:
        raise node.error(f"{_short(absolute)} {problem}")
    is_file, is_directory = absolute.is_file(), absolute.is_dir()
    if what == "file" and is_directory:
        raise node.error(f"{_short(absolute)} is a directory; a file is expected")
    if what == "directory" and is_file:
        raise node.error(f"{_short(absolute)} is a file; a directory is expected")
    return absolute


def is_there(path: Path) -> bool:
    """Whether there is something at `path`; a name that is too long is not."""
    try:
        return path.exists()
    except OSError:
        return False


def _short(path: Path) -> str:
    text = "".join(char if char.isprintable() else repr(char)[1:-1] for char in str(path))
    return text if len(text) <= 300 else f"{text[:140]}…{text[-140:]}"


def _range_words(low: float, high: float, huge: float) -> str:
    if low > -huge and high < huge:
        return f" from {low:.9g} to {high:.9g}"
    if low > -huge:
        return f" >= {low:.9g}"
    return f" <= {high:.9g}" if high < huge else ""


def _count_words(low: int, high: Optional[int]) -> str:
    if low == high:
        return f"a list of {low}"
    return "a list that is not empty" if high is None else f"a list of {low} to {high} elements"
