"""Labels that do not follow the structure: forces of zero where some must act, one energy for all.

Both come from programs or scripts that print, or are read, where nothing was computed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from pwact.neighbours import pairs_within

if TYPE_CHECKING:
    from ase import Atoms

REACH = 4.0  # Å
LEAST_ROOM = 2.0  # Å³ per atom; in denser cells the pairs are not looked for
ONE_SIDED = 0.005  # of the neighbours of an atom, by weight
FEWEST = 3  # frames with the same energy


def must_feel(atoms: Atoms) -> bool:
    """Whether the surroundings of some atom within 4 Å have a direction.

    Symmetry keeps the force on an atom at exactly zero where its neighbours pull to all sides
    alike, in perfect crystals, or where it has none. Elsewhere forces are small at best.
    """
    if any(atoms.pbc) and abs(atoms.cell.volume) < LEAST_ROOM * len(atoms):
        return False
    pairs = pairs_within(atoms, REACH)
    lengths = pairs.distances
    weights = (1.0 - (lengths / REACH) ** 2) ** 2  # none at the cutoff
    pull, size = np.zeros((len(atoms), 3)), np.zeros(len(atoms))
    np.add.at(pull, pairs.first, pairs.vectors * (weights / lengths)[:, None])
    np.add.at(size, pairs.first, weights)
    return bool(np.any(np.linalg.norm(pull, axis=1) > ONE_SIDED * size + 1e-6))


def same_energies(
    kinds: np.ndarray, energies: np.ndarray, forces: np.ndarray, least: float
) -> Iterator[np.ndarray]:
    """Frames of one composition with the very same energy beside different forces.

    Only where they are at least half of all: of many frames some have the same digits by chance.

    Parameters
    ----------
    kinds
        Composition of each frame, a number, shape (n,).
    energies, forces
        eV, and the largest force on an atom, eV/Å, shape (n,).
    least
        By how much the largest forces differ at least, eV/Å.

    Yields
    ------
    numpy.ndarray
        Numbers of such frames, ascending.
    """
    for kind in np.unique(kinds):
        mine = np.flatnonzero(kinds == kind)
        values, counts = np.unique(energies[mine], return_counts=True)
        most = int(np.argmax(counts))
        if counts[most] < max(FEWEST, len(mine) / 2):
            continue
        found = mine[energies[mine] == values[most]]
        if np.ptp(forces[found]) > least:
            yield found
