"""The frames that have labels, and what is nearly one of them: nothing is paid twice.

Two frames are nearly one if their descriptors (`pwact.query.descriptor`) differ by less than those
of frames do whose atoms are displaced at random by `NEAR`. Displacements of N independent atoms
average out in the descriptor, so that the distance of two descriptors goes as 1/√N, and it is
√N times this distance that is compared.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from pwact.query.descriptor import PLACES, describe

if TYPE_CHECKING:
    from ase import Atoms

NEAR = 0.02  # Å, root-mean-square displacement below which two frames are nearly one
# √N times the distance of two descriptors over the displacement between the frames, 1/Å: 1 to 4 in
# crystals and slabs with thermal motion, 2 to 8 in small molecules and perfect crystals.
STEEP = 1.5


class Known:
    """Frames that have labels, by their descriptors.

    Parameters
    ----------
    elements
        Atomic numbers of all elements of the campaign.
    frames
        Their structures.
    """

    def __init__(self, elements: Iterable[int], frames: Iterable[Atoms] = ()) -> None:
        self.elements = np.array(sorted(set(elements)), dtype=int)
        rows = [self.describe(atoms) for atoms in frames]
        width = 2 * len(self.elements) ** 2 * PLACES
        self.descriptors = np.array(rows, dtype=float).reshape(-1, width)

    def __len__(self) -> int:
        return len(self.descriptors)

    def describe(self, atoms: Atoms) -> np.ndarray:
        """The descriptor of a structure, shape (m,)."""
        return describe(atoms, self.elements)

    def with_one(self, atoms: Atoms) -> Known:
        """These frames and one more."""
        more = Known(self.elements)
        more.descriptors = np.vstack([self.descriptors, self.describe(atoms)])
        return more

    def near(self, atoms: Atoms) -> bool:
        """Whether a structure is nearly one of these frames.

        Super cells, and cells with the axes or atoms in another order, are the same structure.
        """
        return nearly_one(self.describe(atoms), self.descriptors, len(atoms))


def nearly_one(descriptor: np.ndarray, others: np.ndarray, atoms: int) -> bool:
    """Whether a descriptor, shape (m,), is that of nearly one of others, shape (n, m).

    Parameters
    ----------
    atoms
        Number of atoms of the frame.
    """
    if not len(others):
        return False
    return bool(distances(others, descriptor).min() * np.sqrt(atoms) < STEEP * NEAR)


def distances(descriptors: np.ndarray, one: np.ndarray) -> np.ndarray:
    """Euclidean distance of each of n descriptors to one, shape (n,).

    Summed without a linear-algebra library, whose rounding depends on the number of threads.
    """
    lengths: np.ndarray = np.sqrt(np.sum((descriptors - one) ** 2, axis=1))
    return lengths
