"""Structures of ``sys_configs``: the file, its format, and which of its atoms are held."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from pwact.config.elements import NUMBERS
from pwact.config.kinds import Text
from pwact.config.schema import Key, Node, read
from pwact.config.shapes import Shape
from pwact.errors import InputError
from pwact.formats.structure_guess import guess


@dataclass(frozen=True)
class Held:
    """Atoms that are held: none, or some by their numbers and elements."""

    words: str = 'false, or text such as "1-8, 12" or "Cu"'

    @property
    def shape(self) -> Shape:
        """The kind in JSON Schema."""
        return {"anyOf": [{"enum": [False]}, {"type": "string"}]}

    def convert(self, node: Node) -> tuple[str, ...]:
        """Ranges of numbers, as ``1-8`` and ``12``, and symbols."""
        if node.value is False:
            return ()
        words = [word for word in re.split(r"[\s,]+", node.value) if word] if self._is(node) else []
        if not words:
            raise node.wrong(self.words)
        for word in words:
            numbers = re.fullmatch(r"([1-9]\d{0,8})(?:-([1-9]\d{0,8}))?", word)
            if numbers is None and word not in NUMBERS:
                raise node.error(f"{word!r} is no number of an atom, no range and no element")
            if numbers is not None and numbers[2] and int(numbers[2]) < int(numbers[1]):
                raise node.error(f"the range {word} goes backwards")
        return tuple(words)

    @staticmethod
    def _is(node: Node) -> bool:
        return isinstance(node.value, str)


@dataclass(frozen=True)
class StructureFile:
    """A structure file.

    Attributes
    ----------
    format
        Its name, in lower case.
    fix_atoms
        What is held instead of what the file says: ranges of numbers from 1 on, and symbols.
    """

    path: Path
    format: str
    fix_atoms: Optional[tuple[str, ...]] = None

    @property
    def given(self) -> dict[str, list[str]]:
        """What of it belongs into fingerprints beside path and format; empty without the key."""
        return {} if self.fix_atoms is None else {"fix_atoms": list(self.fix_atoms)}


SYSTEM_KEYS = (
    Key("config", Text(one_line=True), help="The structure file.", required=True),
    Key(
        "format",
        Text(one_line=True),
        help="Format of the structure file, any case. A format that is given always counts.",
        default_words="by name and content",
    ),
    Key(
        "fix_atoms",
        Held(),
        help="Atoms that do not move in relaxations and MD, by their numbers in the file (from 1) "
        "and by elements; false frees all.",
        default_words="as the file says",
    ),
)


def structure_of(node: Node) -> tuple[Node, Optional[str], Optional[tuple[str, ...]]]:
    """Of an entry, a path or {config, format, fix_atoms}: place of the path, format, held atoms."""
    if isinstance(node.value, str):
        return node, None, None
    if not isinstance(node.value, dict):
        raise node.wrong("a path or an object {config, format}")
    values = read(node, SYSTEM_KEYS)
    place = node.child("config", values["config"])
    return place, values["format"], values["fix_atoms"]


def structure_file(
    place: Node, path: Path, given: Optional[str], held: Optional[tuple[str, ...]] = None
) -> StructureFile:
    """The structure file of an entry, whose format is guessed where none is `given`.

    Raises
    ------
    InputError
        Name and content contradict each other, or neither tells a format.
    """
    if given is not None:
        return StructureFile(path, given.lower(), held)
    try:
        found = guess(path)
    except InputError as error:
        raise place.error(str(error)) from error
    if found.warning:
        place.warn(f"{path}: {found.warning}")
    return StructureFile(path, found.format, held)
