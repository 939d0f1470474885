"""LAMMPS types of one structure, for models whose energies depend on declared types."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from pwact.engines.lammps.script import read_script
from pwact.engines.potential import Potential

# "type 1*2", "type <= 2", "types 1 2", "type/subset ${new}", "type==2" of a formula
_NUMBERED = re.compile(r"\btypes?(?:/fraction|/ratio|/subset)?\s*[<>=!]*\s*\*?[\d$]")
_STYLES = frozenset(  # of fix and compute, which have types among their first words
    ("adapt", "bond/create", "deposit", "gcmc", "mol/swap", "pour", "sgcmc", "widom")
    + ("coord/atom", "rdf")
)


def for_structure(potential: Potential, elements: Collection[str]) -> Potential:
    """`potential` with no other LAMMPS types than `elements`, if types without atoms matter to it.

    The types keep their order. An element that the models do not know is left to the caller.
    """
    words = potential.own_types
    if not words:
        return potential
    every = " ".join(words[symbol] for symbol in potential.types)
    types = tuple(symbol for symbol in potential.types if symbol in elements)
    own = " ".join(words[symbol] for symbol in types)
    lines = tuple(
        line[: -len(every)] + own
        if line.startswith("pair_coeff") and line.endswith(every)
        else line
        for line in potential.pair_lines
    )
    return replace(potential, types=types, pair_lines=lines)


def number_warnings(path: Path) -> list[str]:
    """A line about the commands of a user's input that name LAMMPS types by their numbers.

    Raises InputError where the input cannot be read.
    """
    found = [
        str(command.line) if command.file == path else f"{command.line} of {command.file.name}"
        for command in read_script(path)
        if _names_types(command.words) or any(map(_names_types_inside, command.inner()))
    ]
    if not found:
        return []
    return [
        f"{path}: line {', '.join(found)}: names LAMMPS types by number. Here they follow "
        "train.atom_type (DP of MatPL: only its elements that the structure has), as "
        "atom_type.txt beside each input lists them; PWact numbered them by the structure"
    ]


def _names_types_inside(words: Sequence[str]) -> bool:
    """In an ``if``, where masses and pair lines are not replaced by ours."""
    return words[:1] in (("mass",), ("pair_coeff",)) or _names_types(words)


def _names_types(words: Sequence[str]) -> bool:
    if words[:1] in (("create_atoms",), ("labelmap",)):
        return True
    if words[:1] in (("fix",), ("compute",)) and words[3:4] and words[3] in _STYLES:
        return True
    return words[:1] != ("print",) and bool(_NUMBERED.search(" ".join(words)))
