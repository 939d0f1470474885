"""PWmat's control file ``etot.input``: read tolerantly, written as the user has it.

The first line holds the node numbers, every other one ``KEY = value`` in any case. A line with a
``#`` among its first two characters is a comment; so is what follows a ``#`` or ``!`` in a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from pwact.errors import InputError

OURS = re.compile(r"IN\.(ATOM|SKF|PSP\d*|BASIS\d*)")  # keys that say which files are read
HUBBARD = re.compile(r"LDAU_PSP(\d+)")  # which count like IN.PSP
_NODES = re.compile(r"\s*\d+[\s,]+\d+\b")
_COMMENT = re.compile(r"[#!]")
# keys that decide what is computed: contradictory values of one of these are refused
_DECISIVE = (
    "JOB",
    "USE_DFTB",
    "USE_GAUSSIAN",
    "DFTB_DETAIL",
    "MP_N123",
    "FLAG_SYMM",
    "OUT.MLMD",
    "RELAX_DETAIL",
)


@dataclass(frozen=True)
class EtotInput:
    """A control file of the user.

    Attributes
    ----------
    lines
        All lines without their line ends; bytes that are no text are kept as surrogates.
    values
        Upper-case key → value without comment.
    """

    path: Path
    lines: tuple[str, ...]
    values: Mapping[str, str]

    def error(self, key: str, message: str) -> InputError:
        """An error at a key of this file."""
        return InputError(message, self.path, key)

    def flag(self, key: str, default: bool) -> bool:
        """The truth value of a key, such as T, .TRUE. or false.

        Raises
        ------
        InputError
            It is neither true nor false.
        """
        if key not in self.values:
            return default
        value = self.values[key].strip(".").upper()
        if value in ("T", "TRUE"):
            return True
        if value in ("F", "FALSE"):
            return False
        raise self.error(key, f"found {self.values[key]!r}; expected T or F")

    def words(self, key: str) -> list[str]:
        """The words of a value, which stand between blanks or commas; none if it is not given."""
        return [word for word in re.split(r"[,\s]+", self.values.get(key, "")) if word]

    def whole(self, key: str, place: int = 0) -> Optional[int]:
        """An integer among the words of a value; None if there is no such word.

        Raises
        ------
        InputError
            The word is no integer.
        """
        words = self.words(key)
        if len(words) <= place:
            return None
        if not re.fullmatch(r"[+-]?\d{1,9}", words[place]):
            raise self.error(key, f"found {words[place]!r}; expected an integer")
        return int(words[place])

    def check_nodes(self) -> None:
        """Raise InputError unless the first line holds the node numbers."""
        first = self.lines[0] if self.lines else ""
        if not _NODES.match(first):
            raise InputError(
                f"line 1 must hold the two node numbers, such as '4 1'; found {first.strip()!r}",
                self.path,
            )


def read_etot_input(path: Path) -> EtotInput:
    """Read a control file.

    Raises
    ------
    InputError
        It cannot be read, or gives one key two values.
    """
    try:
        text = path.read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path) from error
    lines = tuple(line.rstrip("\r") for line in text.rstrip("\n").split("\n"))
    values: dict[str, str] = {}
    for line in lines[1:]:
        key = key_of(line)
        if not key:
            continue
        value = _COMMENT.split(line.partition("=")[2])[0].strip()
        before = values.setdefault(key, value)
        if key in _DECISIVE and before.upper() != value.upper():
            raise InputError(f"is given twice, as {before!r} and as {value!r}", path, key)
    return EtotInput(path, lines, values)


def key_of(line: str) -> str:
    """The upper-case key of a line; "" for comments and all else.

    >>> key_of(" in.atom = atom.config")
    'IN.ATOM'
    >>> key_of("# JOB = MD")
    ''
    """
    key, equals, _ = line.partition("=")
    if not equals or "#" in line[:2] or _COMMENT.search(key):
        return ""
    return key.strip().upper()


def replaced(source: EtotInput, values: Mapping[str, str]) -> EtotInput:
    """The control file with other values of some keys."""
    first, *others = source.lines
    kept = [line for line in others if key_of(line) not in values]
    added = [f"{key} = {value}" for key, value in values.items()]
    lines = (first, *kept, *added) if values else source.lines
    return EtotInput(source.path, lines, {**source.values, **values})


def render(
    source: EtotInput,
    files: Sequence[str],
    defaults: Iterable[tuple[str, str]],
    hubbard: bool = False,
) -> str:
    """The control file of a task.

    Parameters
    ----------
    source
        The user's file. Its lines stay as they are, but for those that name the files to be read.
    files
        Lines that stand in for these.
    defaults
        Keys and values that are added where the user gives none.
    hubbard
        Whether `files` stand in for the lines of `HUBBARD` as well.
    """
    first, *others = source.lines
    kept = [line for line in others if not OURS.fullmatch(key_of(line))]
    if hubbard:
        kept = [line for line in kept if not HUBBARD.fullmatch(key_of(line))]
    added = [f"{key} = {value}" for key, value in defaults if key not in source.values]
    return "\n".join([first, *kept, *files, *added]) + "\n"
