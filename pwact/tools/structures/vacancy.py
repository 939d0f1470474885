"""Crystals in which atoms are missing: structures that differ, in an order that a seed decides."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pwact.atom_properties import hand_on
from pwact.errors import UsageError
from pwact.geometry import super_cell
from pwact.neighbours import pairs_within
from pwact.tools.structures.built import Built

if TYPE_CHECKING:
    from ase import Atoms

_NEAR = 6.0  # Å; sites whose neighbours up to here are alike are alike
_STEP, _EDGE = 0.01, 0.123  # Å; distances in one step are one. Steps do not begin at round numbers
_ALL = 20_000  # so many choices are gone through one by one; of more, so many are drawn
Key = tuple[tuple[int, ...], tuple[int, ...]]  # kinds of the missing atoms, their distances


@dataclass(frozen=True)
class Vacancies:
    """What is asked for.

    Attributes
    ----------
    multiple
        How often the cell is repeated first, along each vector.
    missing
        Atoms that are missing in each structure.
    element
        The element that they are of; "": any.
    structures
        How many structures.
    """

    multiple: tuple[int, int, int] = (1, 1, 1)
    missing: int = 1
    element: str = ""
    structures: int = 1
    seed: int = 2024


def vacancies(bulk: Atoms, wanted: Vacancies) -> list[Built]:
    """Structures without some atoms, each other than the others.

    Two are alike where the missing atoms have the same elements, the same neighbours within 6 Å,
    and the same distances between each other.

    Raises
    ------
    UsageError
        There are too few such atoms, or fewer structures that differ.
    """
    whole = super_cell(bulk, wanted.multiple)
    sites = _sites(whole, wanted)
    kinds, apart = _kinds(whole), whole.get_all_distances(mic=True)
    found: dict[Key, tuple[int, ...]] = {}
    for chosen in _choices(sites, wanted):
        found.setdefault(_key(chosen, kinds, apart), chosen)
        if len(found) == wanted.structures:
            break
    else:
        raise UsageError(
            f"--structures {wanted.structures}: found only {len(found)} that differ, without "
            f"{wanted.missing} of {len(sites)} atoms"
        )
    return [_built(whole, chosen, number, wanted) for number, chosen in enumerate(found.values())]


def _sites(whole: Atoms, wanted: Vacancies) -> list[int]:
    symbols = whole.get_chemical_symbols()
    sites = [site for site, one in enumerate(symbols) if wanted.element in ("", one)]
    if not sites:
        there = " ".join(dict.fromkeys(symbols))
        raise UsageError(f"--element {wanted.element}: there is none; expected one of {there}")
    if wanted.missing > len(sites) or wanted.missing >= len(whole):
        raise UsageError(
            f"--missing {wanted.missing}: there are {len(sites)} such atoms of {len(whole)}, and "
            "one must be left; --super_cell makes more"
        )
    return sites


def _choices(sites: Sequence[int], wanted: Vacancies) -> Iterator[tuple[int, ...]]:
    rng = np.random.default_rng(wanted.seed)
    if math.comb(len(sites), wanted.missing) <= _ALL:
        every = list(itertools.combinations(sites, wanted.missing))
        yield from (every[place] for place in rng.permutation(len(every)))
        return
    for _ in range(_ALL):
        drawn = rng.choice(sites, wanted.missing, replace=False)
        yield tuple(sorted(map(int, drawn)))


def _kinds(whole: Atoms) -> list[int]:
    """Numbers that are equal for sites with the same element and the same neighbours."""
    pairs = pairs_within(whole, _NEAR)
    around: list[list[tuple[int, int]]] = [[] for _ in whole]
    for first, second, distance in zip(pairs.first, pairs.second, pairs.distances):
        around[first].append((int(whole.numbers[second]), _step(distance)))
    seen: dict[tuple[object, ...], int] = {}
    return [
        seen.setdefault((int(number), *sorted(near)), len(seen))
        for number, near in zip(whole.numbers, around)
    ]


def _key(chosen: Sequence[int], kinds: Sequence[int], apart: np.ndarray) -> Key:
    mutual = sorted(_step(apart[pair]) for pair in itertools.combinations(chosen, 2))
    return tuple(sorted(kinds[site] for site in chosen)), tuple(mutual)


def _step(distance: float) -> int:
    return math.floor(float(distance) / _STEP + _EDGE)


def _built(whole: Atoms, chosen: Sequence[int], number: int, wanted: Vacancies) -> Built:
    left = np.setdiff1d(np.arange(len(whole)), chosen)
    atoms = hand_on(whole, whole[left], left)
    gone = "".join(whole.get_chemical_symbols()[site] for site in chosen)
    numbers = " ".join(str(site + 1) for site in chosen)
    note = f"{whole.get_chemical_formula()} without atoms {numbers} ({gone}), seed {wanted.seed}"
    return Built(f"vacancy-{number}.xyz", note, atoms)
