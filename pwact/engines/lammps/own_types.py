"""LAMMPS types of one structure, for models whose energies depend on declared types."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from pwact.engines.base import Potential


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
