"""The second line of a frame of extended XYZ: what it says, word for word.

The grammar is that of the format's specification (github.com/libAtoms/extxyz): ``key=value`` with
values that are bare, in double quotes (in which a backslash protects a quote), in single quotes, in
braces or in brackets. A key without a value is a warning. The case of keys does not count.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional

import numpy as np

from pwact.io.arrays import BEYOND, are_usable

_PAIR = re.compile(
    r"""
    (?P<key>[^\s=,"'\[\]{}]+) \s* = \s*
    (?: "(?P<double>(?:[^"\\]|\\.)*)"
      | '(?P<single>(?:[^'\\]|\\.)*)'
      | \{(?P<braces>[^{}]*)\}
      | \[(?P<list>(?:[^\[\]]|\[[^\[\]]*\])*)\]
      | (?P<bare>[^\s"'{}\[\]][^\s]*) )
    (?= \s | , | $ )
    | "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*'
    | (?P<word>[^\s]+)
    """,
    re.VERBOSE,
)
_PERIODIC = {"t": True, "true": True, "1": True, "f": False, "false": False, "0": False}
_UNKNOWN = frozenset({"none", "nan", ""})


@dataclass(frozen=True)
class Column:
    """Where a property stands in the row of an atom."""

    first: int
    width: int


@dataclass(frozen=True)
class Head:
    """What the line says.

    Attributes
    ----------
    values
        By key in lower case; brackets and quotes are taken away.
    spelling
        The key as it is written.
    repeated
        Keys that are given several times with different values.
    columns
        Properties by name in lower case.
    width
        Columns of a row.
    """

    values: Mapping[str, str]
    spelling: Mapping[str, str]
    repeated: frozenset[str]
    columns: Mapping[str, Column]
    width: int

    def text(self, key: str) -> Optional[str]:
        """The value of a key; None where it is absent, or ``None`` or ``nan``.

        Raises
        ------
        ValueError
            The line gives it several times.
        """
        if key in self.repeated:
            raise ValueError(f"{self.spelling[key]} is given several times, with different values")
        text = self.values.get(key, "").strip()
        return None if text.lower() in _UNKNOWN else text

    def numbers(self, key: str, sizes: tuple[int, ...]) -> Optional[np.ndarray]:
        """The numbers of a key, shape (n,); None where it is absent.

        Raises
        ------
        ValueError
            They are no finite numbers, or not as many as any of `sizes`.
        """
        text = self.text(key)
        if text is None:
            return None
        name = self.spelling[key]
        try:
            numbers = np.array([float(word) for word in re.split(r"[\s,\[\]]+", text) if word])
        except ValueError:
            raise ValueError(f"{name} is not made of numbers: {text[:60]!r}") from None
        if not are_usable(numbers):
            raise ValueError(f"{name} must be finite numbers below {BEYOND:g}")
        if numbers.size not in sizes:
            wanted = " or ".join(map(str, sizes))
            raise ValueError(f"{name} holds {numbers.size} numbers, not {wanted}")
        return numbers

    def cell(self) -> Optional[np.ndarray]:
        """Lattice vectors as rows, shape (3, 3), in the unit of length; None without."""
        numbers = self.numbers("lattice", (9,))
        cell = None if numbers is None else numbers.reshape(3, 3)
        nested = self.values.get("lattice", "").count("[") > 1
        if cell is not None and nested and not np.array_equal(cell, cell.T):
            raise ValueError(
                "the lattice is a list of lists, in which some write the vectors as rows and "
                'others as columns; write nine numbers, vector by vector: Lattice="ax ay az bx …"'
            )
        if cell is not None and cell.any(axis=1).all() and np.linalg.det(cell) == 0.0:
            raise ValueError("the three vectors of the lattice lie in one plane")
        return cell

    def pbc(self, cell: Optional[np.ndarray]) -> list[bool]:
        """Which axes are periodic; where the line does not say, those with a lattice vector.

        Parameters
        ----------
        cell
            Lattice vectors as rows; None without.

        Raises
        ------
        ValueError
            The value is not three times true or false, or true for an axis without a vector.
        """
        there = [False] * 3 if cell is None else np.any(cell, axis=1).tolist()
        text = self.text("pbc")
        if text is None:
            return there
        words = [word.lower() for word in re.split(r"[\s,\[\]]+", text) if word]
        if len(words) != 3 or not set(words) <= set(_PERIODIC):
            raise ValueError(f"pbc is {text!r}; three of T and F are expected")
        periodic = [_PERIODIC[word] for word in words]
        if any(one and not vector for one, vector in zip(periodic, there)):
            raise ValueError(f"pbc is {text!r}, but there is no lattice vector along such an axis")
        return periodic


def read_head(line: str) -> Head:
    """Take the line apart.

    Raises
    ------
    ValueError
        It is not made of keys and values, or ``Properties`` is wrong.
    """
    values: dict[str, str] = {}
    spelling: dict[str, str] = {}
    repeated = set()
    for match in _PAIR.finditer(line):
        word = match["word"]
        if word is not None and "=" in word[1:-1]:
            raise ValueError(f"the line of keys cannot be read from {word[:40]!r} on: quotes?")
        if match["key"] is None:
            continue
        key, text = match["key"].lower(), _value(match)
        if values.get(key, text) != text:
            repeated.add(key)
        values[key] = text
        spelling.setdefault(key, match["key"])
    columns, width = _columns(values.get("properties", "species:S:1:pos:R:3"))
    return Head(values, spelling, frozenset(repeated), columns, width)


def _value(match: re.Match[str]) -> str:
    for name in ("double", "single"):
        if match[name] is not None:
            return re.sub(r"\\(.)", r"\1", match[name])
    return next(match[name] for name in ("braces", "list", "bare") if match[name] is not None)


def _columns(properties: str) -> tuple[dict[str, Column], int]:
    parts = properties.split(":")
    sizes = parts[2::3]
    if len(parts) % 3 or not all(size.isdigit() for size in sizes):
        raise ValueError(f"Properties={properties} is not made of name:type:columns")
    found: dict[str, Column] = {}
    width = 0
    for name, size in zip(parts[::3], sizes):
        if name.lower() in found:
            raise ValueError(f"Properties={properties} names {name} twice")
        found[name.lower()] = Column(width, int(size))
        width += int(size)
    return found, width
