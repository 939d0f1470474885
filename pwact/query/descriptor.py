"""A small descriptor of a structure, by which frames are compared where an engine has none.

Around each atom i, for each element b of its neighbours j, with r̂ the direction to a neighbour:

    radial    ρ_n = Σ_j w(r_ij) φ_n(r_ij)
    angular   p_nl = sqrt( Σ_jk w φ_n(r_ij) · w φ_n(r_ik) · P_l(r̂_ij · r̂_ik) ),  l = 1, 2, 3

φ_n are Gaussians on a grid, w goes smoothly to zero at the cutoff (Behler, J. Chem. Phys. 134,
074106 (2011)) and counts far neighbours less, P_l are Legendre polynomials; p_nl is the length of
the l-th part of the density around the atom (Bartók, Kondor, Csányi, Phys. Rev. B 87, 184115
(2013)). The descriptor of the structure holds the mean and the standard deviation of these over the
atoms of each element. It so does not change with the axes, the order of the atoms, the origin, or
the choice of the cell, super cells included.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Optional

import numpy as np

from pwact.neighbours import Pairs, pairs_within

if TYPE_CHECKING:
    from ase import Atoms

CUTOFF = 5.0  # Å
RADIAL = 8  # Gaussians between NEAREST and the cutoff
ANGULAR = 3  # wider ones
NEAREST = 0.7  # Å
ORDERS = 3  # l = 1 … ORDERS
# Of each degree where its monomials are, and how often each is in the power of a sum.
_DEGREES = (
    (0, 1, [1.0]),
    (1, 4, [1.0, 1.0, 1.0]),
    (4, 10, [1.0, 1.0, 1.0, 2.0, 2.0, 2.0]),
    (10, 20, [1.0, 3.0, 3.0, 3.0, 6.0, 3.0, 1.0, 3.0, 3.0, 1.0]),
)
PLACES = RADIAL + ANGULAR * ORDERS  # numbers an atom and an element of its neighbours


def describe(atoms: Atoms, elements: Optional[Iterable[int]] = None) -> np.ndarray:
    """Describe a structure.

    Parameters
    ----------
    elements
        Atomic numbers of all structures that are to be compared, ascending; those of this one if
        they are not given.

    Returns
    -------
    numpy.ndarray
        Shape (m,), m = 2 · elements² · `PLACES`, in neighbours: for each element of the centre and
        each of the neighbours the means, then the standard deviations. 0 for elements without
        atoms.

    Raises
    ------
    ValueError
        An atom is of no element that is named.
    """
    known = np.unique(atoms.numbers) if elements is None else np.array(list(elements))
    kinds = np.searchsorted(known, atoms.numbers)
    if len(atoms) and not np.array_equal(known[np.minimum(kinds, len(known) - 1)], atoms.numbers):
        raise ValueError(f"the elements {known.tolist()} are not all of {atoms.symbols}")
    around = _densities(pairs_within(atoms, CUTOFF), kinds, len(known))
    parts = np.zeros((len(known), 2, len(known) * PLACES))
    for kind in range(len(known)):
        mine = around[kinds == kind]
        if len(mine):
            parts[kind] = mine.mean(axis=0), mine.std(axis=0)
    return parts.ravel()


def _densities(pairs: Pairs, kinds: np.ndarray, count: int) -> np.ndarray:
    """ρ and p of each atom, shape (atoms, elements · PLACES)."""
    owners = pairs.first * count + kinds[pairs.second]
    order = np.argsort(owners, kind="stable")
    owners, vectors = owners[order], pairs.vectors[order]
    lengths = np.sqrt(np.einsum("pk,pk->p", vectors, vectors))
    weight = 0.5 * (1.0 + np.cos(np.pi * np.minimum(lengths / CUTOFF, 1.0)))
    weight = weight / (1.0 + (lengths / NEAREST) ** 2 / 4)
    places, starts = np.unique(owners, return_index=True)
    found = np.zeros((len(kinds) * count, PLACES))
    if len(places):
        radial = _gaussians(lengths, RADIAL) * weight[:, None]
        found[places, :RADIAL] = np.add.reduceat(radial, starts, axis=0)
        angular = _gaussians(lengths, ANGULAR) * weight[:, None]
        directions = vectors / np.maximum(lengths, 1e-9)[:, None]
        found[places, RADIAL:] = _lengths(angular, directions, starts)
    return found.reshape(len(kinds), count * PLACES)


def _gaussians(lengths: np.ndarray, count: int) -> np.ndarray:
    centres = np.linspace(NEAREST, CUTOFF, count + 1)[:-1] + (CUTOFF - NEAREST) / count / 2
    width = (CUTOFF - NEAREST) / count / 2
    values: np.ndarray = np.exp(-0.5 * ((lengths[:, None] - centres) / width) ** 2)
    return values


def _lengths(weights: np.ndarray, directions: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """sqrt(Σ_jk w_j w_k P_l(cos θ_jk)) for l = 1 … ORDERS, shape (atoms, ANGULAR · ORDERS).

    Σ_jk w_j w_k cosᵈ θ_jk is a sum of squares over monomials of the direction (multinomial
    theorem), so that no pairs of neighbours are formed.
    """
    x, y, z = directions.T
    monomials = [np.ones(len(x)), x, y, z, x * x, y * y, z * z, x * y, y * z, z * x]
    monomials += [x * one for one in monomials[4:10]]
    monomials += [y * y * y, y * y * z, y * z * z, z * z * z]
    table = weights[:, :, None] * np.stack(monomials, axis=1)[:, None, :]
    squares = np.add.reduceat(table, starts, axis=0) ** 2
    parts = [squares[:, :, first:last] @ np.array(shares) for first, last, shares in _DEGREES]
    legendre = [
        parts[1],
        (3.0 * parts[2] - parts[0]) / 2.0,
        (5.0 * parts[3] - 3.0 * parts[1]) / 2.0,
    ]
    lengths: np.ndarray = np.sqrt(np.maximum(np.concatenate(legendre, axis=1), 0.0))
    return lengths
