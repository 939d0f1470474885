"""Disordered structures: atoms at random places that are not too near to each other."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional

import numpy as np

from pwact.errors import UsageError
from pwact.neighbours import pairs_within
from pwact.tools.structures.built import CLOSEST, Built

if TYPE_CHECKING:
    from ase import Atoms

# of the volume that spheres of the smallest distance take up; more is crystalline, see below
RANDOM_PACKING = 0.6
_STEPS = 2000
_PUSH = 0.02  # of the smallest distance: atoms are pushed a little farther than they must be
_U_PER_A3 = 1.66053906660  # g/cm³ of one atomic mass unit in a cubic Å (CODATA 2018)


@dataclass(frozen=True)
class Amorphous:
    """What is asked for.

    Attributes
    ----------
    formula
        All atoms of the cell: ``Si24O48``.
    distance
        Smallest distance of two atoms, periodic images included, in Å.
    density
        In g/cm³; or else `volume`.
    volume
        Of the cell, in Å³.
    """

    formula: str
    distance: float
    density: Optional[float] = None
    volume: Optional[float] = None
    structures: int = 1
    seed: int = 2024


def amorphous(wanted: Amorphous) -> list[Built]:
    """Cubic cells with atoms at random places, which were pushed apart where they were too near.

    Raises
    ------
    UsageError
        The formula is none, the distance is absurd, or the atoms do not find room: random packings
        of spheres end at a packing fraction of 0.64 (Scott and Kilgour 1969); above 0.6 it is not
        tried.
    """
    symbols = _symbols(wanted.formula)
    edge = _edge(symbols, wanted)
    if wanted.distance < CLOSEST:
        raise UsageError(
            f"--min_distance {wanted.distance:g} cannot be meant: expected at least {CLOSEST:g} Å"
        )
    fraction = len(symbols) * math.pi / 6 * (wanted.distance / edge) ** 3
    if fraction > RANDOM_PACKING or edge < wanted.distance:
        longest = edge * (RANDOM_PACKING * 6 / math.pi / len(symbols)) ** (1 / 3)
        raise UsageError(
            f"--min_distance {wanted.distance:g} cannot be met: {len(symbols)} atoms in "
            f"{edge**3:.1f} Å³ at random are at most {_floored(min(longest, edge)):.2f} Å apart"
        )
    return [_built(symbols, edge, wanted, number) for number in range(wanted.structures)]


def _floored(length: float) -> float:
    """Of two decimals, and not longer."""
    return math.floor(length * 100) / 100


def _symbols(formula: str) -> list[str]:
    from ase.data import atomic_numbers  # noqa: PLC0415  `pwact --help` needs none of it
    from ase.formula import Formula  # noqa: PLC0415

    try:
        symbols = list(Formula(formula))
    except ValueError:
        symbols = []
    if not symbols or any(atomic_numbers.get(symbol, 0) < 1 for symbol in symbols):
        raise UsageError(f"found {formula!r}; expected the formula of the whole cell: Si24O48")
    return sorted(symbols, key=lambda symbol: atomic_numbers[symbol])


def _edge(symbols: list[str], wanted: Amorphous) -> float:
    from ase.data import atomic_masses, atomic_numbers  # noqa: PLC0415

    if wanted.density is None:
        assert wanted.volume is not None
        return float(wanted.volume ** (1 / 3))
    mass = float(sum(atomic_masses[atomic_numbers[symbol]] for symbol in symbols))
    return float((mass * _U_PER_A3 / wanted.density) ** (1 / 3))


def _built(symbols: list[str], edge: float, wanted: Amorphous, number: int) -> Built:
    from ase import Atoms  # noqa: PLC0415

    rng = np.random.default_rng([wanted.seed, number])
    places = rng.random((len(symbols), 3)) * edge
    atoms = Atoms(symbols, places, cell=[edge] * 3, pbc=True)
    for _ in range(_STEPS):
        if not _pushed(atoms, wanted.distance):
            atoms.wrap()
            note = (
                f"random places at least {wanted.distance:g} A apart, in a cube of {edge:.4f} A, "
                f"seed {wanted.seed}, structure {number}"
            )
            return Built(f"{wanted.formula}-amorphous-{number}.xyz", note, atoms)
    raise UsageError(
        f"--min_distance {wanted.distance:g}: not met after {_STEPS} steps; a smaller one will do"
    )


def _pushed(atoms: Atoms, distance: float) -> bool:
    """Push apart pairs that are too near, both atoms alike. True if there were any."""
    pairs = pairs_within(atoms, distance)
    lengths = pairs.distances
    if not np.any(lengths < distance):
        return False
    missing = distance * (1 + _PUSH) - lengths
    steps = -pairs.vectors * (missing / 2 / np.maximum(lengths, 1e-9))[:, None]
    np.add.at(atoms.positions, pairs.first, steps)
    return True
