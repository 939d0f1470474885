"""Pairs of atoms within a distance, on numpy alone; and how close the closest ones are."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

_MOST_PAIRS = 2_000_000  # that are compared at once; more go to a list by cells
_CRUSHED = 0.2  # of the sum of the radii: a cell in which the pairs need not be looked for


class Pairs(NamedTuple):
    """Ordered pairs (i, j), each twice; an atom and its own image count as well.

    Attributes
    ----------
    first, second
        Indices of the atoms, int, shape (p,).
    vectors
        From the first to the second, Å, shape (p, 3).
    """

    first: np.ndarray
    second: np.ndarray
    vectors: np.ndarray

    @property
    def distances(self) -> np.ndarray:
        """In Å, shape (p,)."""
        lengths: np.ndarray = np.sqrt(np.einsum("pk,pk->p", self.vectors, self.vectors))
        return lengths


def pairs_within(atoms: Atoms, cutoff: float) -> Pairs:
    """All pairs of atoms that are at most `cutoff` (Å) apart, periodic images included.

    Few atoms are compared with all images at once, which is many times as fast as a neighbour list.
    """
    cell = np.asarray(atoms.cell.complete(), dtype=float)
    inverse = np.linalg.inv(cell)
    periodic = np.asarray(atoms.pbc, dtype=bool)
    # |f| <= cutoff / height for each fractional component f of a vector within the cutoff
    span = np.where(periodic, np.floor(cutoff * np.linalg.norm(inverse, axis=0) + 0.5), 0)
    if np.prod(2 * span + 1) * len(atoms) ** 2 > _MOST_PAIRS:
        return _listed(atoms, cutoff)
    fractions = (atoms.positions[None, :] - atoms.positions[:, None]) @ inverse
    fractions -= np.where(periodic, np.round(fractions), 0.0)
    images = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in span), indexing="ij"), axis=-1)
    shifts = images.reshape(-1, 3)
    near, wanted = fractions @ cell, cutoff * cutoff
    parts = []
    for shift, offset in zip(shifts, shifts @ cell):
        vectors = near + offset
        within = np.einsum("ijk,ijk->ij", vectors, vectors) <= wanted
        if not shift.any():
            np.fill_diagonal(within, False)
        first, second = np.nonzero(within)
        parts.append(Pairs(first, second, vectors[first, second]))
    return Pairs(*(np.concatenate(columns) for columns in zip(*parts)))


def _listed(atoms: Atoms, cutoff: float) -> Pairs:
    from ase.neighborlist import primitive_neighbor_list  # noqa: PLC0415  (takes 0.2 s)

    return Pairs(
        *primitive_neighbor_list("ijD", atoms.pbc, atoms.cell.complete(), atoms.positions, cutoff)
    )


def closest_in_radii(atoms: Atoms, most: float = 0.6) -> float:
    """Smallest distance of two atoms over the sum of their covalent radii.

    Parameters
    ----------
    most
        Pairs that are farther apart than this times the sum of the largest radii are not looked
        for, which takes a tenth of the time.

    Returns
    -------
    float
        Infinite where no pair is that close. Of a crushed cell, in which each atom has thousands of
        neighbours, a larger number than the true one, at most 0.2. NaN where a position is no
        number, or the cell is flat along a periodic axis.
    """
    from ase.data import covalent_radii  # noqa: PLC0415  (takes 0.2 s)

    known = np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()
    if not known or (atoms.pbc.any() and atoms.cell.rank < np.sum(atoms.pbc)):
        return float("nan")
    radii = covalent_radii[atoms.numbers]
    if not len(radii):
        return float("inf")
    bound = _surely_within(atoms) / (2 * float(radii.min()))
    if bound < _CRUSHED:
        return bound
    pairs = pairs_within(atoms, float(2 * most * radii.max()))
    ratios = pairs.distances / (radii[pairs.first] + radii[pairs.second])
    return float(ratios.min()) if len(ratios) else float("inf")


def _surely_within(atoms: Atoms) -> float:
    """A distance within which there are two atoms, in Å.

    An atom and its image are as far apart as a lattice vector is long; the nearest atoms of a
    crystal are at most as far apart as those of a close packing, (√2 V / N)^(1/3) (Hales 2005).
    """
    lengths = np.linalg.norm(atoms.cell.array, axis=1)[np.asarray(atoms.pbc, dtype=bool)]
    packed = (np.sqrt(2) * abs(atoms.cell.volume) / len(atoms)) ** (1 / 3)
    return float(min([*lengths, packed if len(lengths) == len(atoms.cell) else np.inf]))
