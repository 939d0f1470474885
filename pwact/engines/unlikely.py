"""Numbers in a control file that a program takes, and that are hardly meant."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol, runtime_checkable

from pwact.config.schema import Usual
from pwact.engines.explorers import UserInput
from pwact.engines.labelers import Purpose
from pwact.errors import InputError

STEP_FS = Usual(0.01, 10, "1 fs is 0.001 ps")
TEMPERATURE_K = Usual(1, 10_000)
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)


@runtime_checkable
class NamesUnlikely(Protocol):
    """A labeler that knows which numbers of its control file are usual."""

    def unlikely(self, purpose: Purpose) -> list[InputError]:
        """An error for each number that is not, with file and key.

        Raises
        ------
        InputError
            The control file cannot be read.
        """


@runtime_checkable
class LooksAtInputs(Protocol):
    """An explorer that knows which numbers of a user's input are usual."""

    def unlikely_in(self, motion: UserInput) -> list[InputError]:
        """An error for each number that is not, with file and line."""


def unlikely_words(labelers: Iterable[object], purpose: Purpose, strict: bool) -> list[str]:
    """What is said of the numbers in the control files of labelers, each once.

    Raises
    ------
    InputError
        One of them is not usual, where strictness refuses that.
    """
    return as_warnings((one for each in labelers for one in _unlikely(each, purpose)), strict)


def as_warnings(errors: Iterable[InputError], strict: bool) -> list[str]:
    """Errors as lines, each once; where strictness refuses them the first is raised."""
    found = list(errors)
    if strict and found:
        raise found[0]
    return list(dict.fromkeys(map(str, found)))


def _unlikely(labeler: object, purpose: Purpose) -> list[InputError]:
    return labeler.unlikely(purpose) if isinstance(labeler, NamesUnlikely) else []


def unlikely_numbers(
    file: Path, numbers: Iterable[tuple[str, str, Usual, str]]
) -> list[InputError]:
    """An error for each number beyond its range.

    Parameters
    ----------
    numbers
        Key, what the file says (or the default of the program), range and unit. What is no number
        is passed over: the program refuses it.
    """
    said = (
        (key, usual.warning(float(text), unit))
        for key, text, usual, unit in numbers
        if is_plain(text)
    )
    return [InputError(words, file, key) for key, words in said if words]


def is_plain(text: str) -> bool:
    """Whether it is a number as people write it: ``1.5``, ``.5``, ``2e-3``."""
    return _NUMBER.fullmatch(text) is not None
