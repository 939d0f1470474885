"""Declares keys and reads JSON objects by the declarations.

A key is declared once, on the dataclass field that takes its value (`declare`), or as a `Key` of
its own when it only helps to make other fields. Everything else follows from the declaration:
reading, checking, messages, and the manual page.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional, Protocol

from pwact.config.document import child, shown
from pwact.errors import InputError


@dataclass
class Context:
    """What all values of one JSON file share.

    Attributes
    ----------
    file
        The JSON file, for messages.
    base
        Directory that relative paths start from.
    warnings
        Collected notices; `unknown` (keys) and `unlikely` (numbers) hold those that strictness
        turns into errors.
    homes
        Key name → section where it belongs, for keys that were put elsewhere.
    strict
        Whether unknown keys will be refused.
    """

    file: Path
    base: Path
    warnings: list[str] = field(default_factory=list)
    unknown: list[InputError] = field(default_factory=list)
    unlikely: list[InputError] = field(default_factory=list)
    homes: Mapping[str, str] = field(default_factory=dict)
    strict: bool = False


def is_comment(name: str) -> bool:
    """Whether a key says nothing to pwact: it begins with _, or names a schema for an editor."""
    return name.startswith("_") or name == "$schema"


@dataclass(frozen=True)
class Node:
    """A value in a JSON file, with the path of keys that leads to it."""

    value: Any
    key: str
    context: Context

    def error(self, message: str) -> InputError:
        """An error at this place."""
        return InputError(message, self.context.file, self.key)

    def wrong(self, expected: str) -> InputError:
        """An error that says what stands here and what should."""
        return self.error(f"found {shown(self.value)}; expected {expected}")

    def warn(self, message: str) -> None:
        """Note something that does not stop the work."""
        self.context.warnings.append(str(self.error(message)))

    def unlikely(self, message: str) -> None:
        """Note a value that can be honoured, but is hardly meant."""
        self.context.unlikely.append(self.error(message))

    def unknown(self, fate: str, hint: str) -> None:
        """Note that nobody knows this key, and what becomes of it."""
        words = "unknown key" if self.context.strict else f"unknown key, {fate}"
        self.context.unknown.append(self.error(f"{words}{hint}"))

    def child(self, name: str, value: Any) -> Node:
        """The value of the key `name` in this object."""
        return Node(value, child(self.key, name), self.context)

    def items(self) -> list[Node]:
        """The elements of this list; a single value counts as a list of one."""
        if not isinstance(self.value, list):
            return [self]
        return [
            Node(item, f"{self.key}[{position}]", self.context)
            for position, item in enumerate(self.value)
        ]

    def members(self) -> dict[str, Node]:
        """Lower-case key → value of this object; comments and nulls left out."""
        if not isinstance(self.value, dict):
            raise self.wrong("an object {...}")
        return {
            name.lower(): self.child(name, value)
            for name, value in self.value.items()
            if not is_comment(name) and value is not None
        }


class Kind(Protocol):
    """What a key may hold."""

    @property
    def words(self) -> str:
        """The kind in words, for the manual and for messages."""

    def convert(self, node: Node) -> Any:
        """The value of `node`. Raises InputError."""


@dataclass(frozen=True)
class Usual:
    """Between which numbers a value lies, unless it is a slip; `hint` says what may be meant."""

    low: float
    high: float
    hint: str = ""

    def words(self, unit: str = "") -> str:
        """The range, in the unit of the key."""
        return f"{self.low:g} to {self.high:g}{f' {unit}' if unit else ''}"

    def warning(self, number: float, unit: str = "") -> str:
        """What is said of a number, in the unit of the key; "" of one in the range."""
        if self.low <= number <= self.high:
            return ""
        found = f"found {number:g}{f' {unit}' if unit else ''}"
        hint = f"; {self.hint}" if self.hint else ""
        return f"{found}, which is hardly meant; usual is {self.words(unit)}{hint}"


@dataclass(frozen=True)
class Key:
    """One key of the input.

    Attributes
    ----------
    aliases
        Old spellings; where both are given, the old one counts.
    attribute
        Name of the field that takes the value, where it differs from `name`.
    obsolete
        The key is known and has no effect.
    usual
        Numbers beyond it are unlikely: `check` warns, and strictness refuses them.
    """

    name: str
    kind: Kind
    default: Any = None
    help: str = ""
    unit: str = ""
    aliases: tuple[str, ...] = ()
    required: bool = False
    attribute: str = ""
    obsolete: bool = False
    default_words: str = ""
    usual: Optional[Usual] = None


def declare(default: Any, kind: Kind, help_text: str, **more: Any) -> Any:
    """A dataclass field that a key of the input sets; `more` as in `Key`."""
    return field(default=default, metadata={"kind": kind, "help": help_text, **more})


def keys_of(config: type) -> tuple[Key, ...]:
    """The keys that the fields of a dataclass declare, in their order."""
    made = []
    for one in dataclasses.fields(config):
        if "kind" in one.metadata:
            more = dict(one.metadata)
            name = more.pop("name", one.name)
            made.append(Key(name=name, default=one.default, attribute=one.name, **more))
    return tuple(made)


def keys_by_name(keys: Iterable[Key]) -> dict[str, Key]:
    """Lower-case name or alias → key."""
    return {name.lower(): key for key in keys for name in (key.name, *key.aliases)}


def obsolete(name: str, kind: Kind, help_text: str) -> Key:
    """A key that older inputs hold and that has no effect any more."""
    return Key(name, kind, help=f"{help_text} No effect.", obsolete=True)


def read(node: Node, keys: Sequence[Key]) -> dict[str, Any]:
    """Read an object by its declared keys.

    Returns
    -------
    dict
        Field name → converted value, defaults filled in, obsolete keys left out.

    Raises
    ------
    InputError
        A required key is missing or a value is wrong.
    """
    members = node.members()
    known = keys_by_name(keys)
    strangers = {name: member for name, member in members.items() if name not in known}
    values = {}
    for key in keys:
        found = chosen(members, key)
        if key.obsolete:
            if found is not None:
                found.warn("this key has no effect any more")
        elif found is not None:
            values[key.attribute or key.name] = key.kind.convert(found)
            _note_unlikely(found, key, values[key.attribute or key.name])
        elif key.required:
            raise _missing(node, key, strangers)
        else:
            values[key.attribute or key.name] = key.default
    for stranger in strangers.values():
        report_unknown(stranger, [key.name for key in keys])
    return values


def only(node: Node, keys: Sequence[Key]) -> Node:
    """An object with what these keys say, for readers to whom all else is no matter."""
    node.members()
    known = keys_by_name(keys)
    members = {name: value for name, value in node.value.items() if name.lower() in known}
    return dataclasses.replace(node, value=members)


def _note_unlikely(node: Node, key: Key, value: Any) -> None:
    """Note the first number of `value` that is not usual."""
    for one in value if isinstance(value, tuple) else (value,):
        number = getattr(one, "value", one)
        if key.usual is None or number is None:
            continue
        if words := key.usual.warning(number, key.unit):
            node.unlikely(words)
            return


def chosen(members: Mapping[str, Node], key: Key) -> Optional[Node]:
    """The value of `key` among the members of an object, under any of its spellings."""
    given = [members[name.lower()] for name in (*key.aliases, key.name) if name.lower() in members]
    if len(given) > 1:
        given[0].warn(f"{key.name} is given as well; the old spelling counts")
    return given[0] if given else None


def report_unknown(stranger: Node, names: Iterable[str]) -> None:
    """Note a key that nobody knows, with the name that was probably meant."""
    own = stranger.key.rpartition(".")[2]
    near = nearest(own, names)
    home = stranger.context.homes.get(own.lower())
    hint = ""
    if near:
        hint = f"; did you mean {near}?"
    elif home:
        hint = f"; it belongs {home}"
    stranger.unknown("ignored", hint)


def nearest(name: str, names: Iterable[str], cutoff: float = 0.75) -> Optional[str]:
    """The one of `names` that `name` was probably meant to be; None if there is none."""
    folded = {known.lower(): known for known in names}
    found = difflib.get_close_matches(name.lower(), list(folded), 1, cutoff)
    return folded[found[0]] if found else None


def _missing(node: Node, key: Key, strangers: Mapping[str, Node]) -> InputError:
    near = nearest(key.name, strangers, 0.6)
    written = strangers[near].key.rpartition(".")[2] if near else ""
    hint = f"; is {written} meant for it?" if near else ""
    return node.child(key.name, None).error(f"this key is required and missing{hint}")
