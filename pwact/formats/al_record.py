"""The record of finished steps and the summary of iterations, as PWact leaves them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from pwact.errors import InputError

MARKS = ("train", "explore", "label")  # 0, 1, 2 in the record
_HEAD = re.compile(r"iter\.(\d+)\s")
_LABELLED = re.compile(r"Number of converged files: (\d+), number of non-converged files: (\d+)")


@dataclass(frozen=True, order=True)
class Step:
    """A step of an iteration; steps are ordered as they are done.

    Attributes
    ----------
    number
        0 train, 1 explore and select, 2 label.
    """

    iteration: int
    number: int

    @property
    def words(self) -> str:
        """``iter.0000 train`` …."""
        return f"iter.{self.iteration:04d} {MARKS[self.number]}"


@dataclass(frozen=True)
class Entry:
    """What a summary says about one iteration, word for word.

    Attributes
    ----------
    select, label
        "" where it says nothing.
    converged, not_converged
        Numbers of labels; None where it does not tell.
    """

    select: str = ""
    label: str = ""
    converged: Optional[int] = None
    not_converged: Optional[int] = None


def read_record(path: Path) -> Optional[Step]:
    """The last finished step of ``al.record``; only the last line counts. None if it is empty.

    Raises
    ------
    InputError
        The last line is no pair ``iteration step``.
    """
    lines = path.read_bytes().decode("utf-8", "replace").splitlines()
    given = [(number, line.split()) for number, line in enumerate(lines, 1) if line.strip()]
    if not given:
        return None
    number, words = given[-1]
    if len(words) != 2 or not all(word.isascii() and word.isdigit() for word in words):
        found = " ".join(words)[:40]
        raise InputError(f"line {number}: found {found!r}; a line is 'iteration step'", path)
    step = Step(int(words[0]), int(words[1]))
    if step.number >= len(MARKS):
        raise InputError(f"line {number}: found step {step.number}; allowed: 0, 1, 2", path)
    return step


def read_summary(path: Path) -> dict[int, Entry]:
    """The entries of ``iter_select.txt`` by iteration; of several for one, the last."""
    text = path.read_bytes().decode("utf-8", "surrogateescape") if path.is_file() else ""
    blocks: dict[int, list[str]] = {}
    current: list[str] = []
    for line in text.splitlines():
        if head := _HEAD.match(line):
            current = blocks[int(head[1])] = []
        if line.strip():
            current.append(line)
    return {number: _entry(lines) for number, lines in blocks.items()}


def _entry(lines: list[str]) -> Entry:
    for place, line in enumerate(lines):
        if found := _LABELLED.match(line.strip()):
            select, label = ("\n".join([*part, ""]) for part in (lines[:place], lines[place:]))
            return Entry(select, label, int(found[1]), int(found[2]))
    return Entry("\n".join([*lines, ""]))
