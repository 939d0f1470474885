"""Slabs of a crystal: all cuts along a lattice plane that differ."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Optional

import numpy as np

from pwact.atom_properties import hand_on
from pwact.errors import UsageError
from pwact.fixed_atoms import free
from pwact.geometry import lower_triangular, super_cell
from pwact.neighbours import pairs_within
from pwact.tools.structures.built import Built

if TYPE_CHECKING:
    from ase import Atoms

_PLANE = 0.1  # Å; atoms whose heights differ less lie in one plane
_NEAR, _SAME = 6.0, 1e-3  # Å; slabs with the same pairs up to here, so exactly, are one
_EQUAL = 1e-9  # lengths whose squares differ less are equal


@dataclass(frozen=True)
class Slab:
    """What is asked for.

    Attributes
    ----------
    miller
        Of the lattice vectors in the file.
    layers
        How many lattice planes thick.
    vacuum
        From the slab to its next image, in Å.
    cuts
        So many at most, those between the planes that are farthest apart; None: all.
    cutoff
        Each of the two faces keeps so much room, in Å.
    """

    miller: tuple[int, int, int]
    layers: int = 4
    vacuum: float = 15.0
    repeat: tuple[int, int] = (1, 1)
    cuts: Optional[int] = None
    cutoff: float = 6.0


class _Cut(NamedTuple):
    """Where the crystal is cut, as a fraction of the plane spacing; the gap there, in Å."""

    place: float
    gap: float


def slabs(bulk: Atoms, wanted: Slab) -> list[Built]:
    """Slabs of the stoichiometry of the crystal, one for each cut that differs.

    Both faces of a cut belong to its slab, so that a slab and its mirror image count as one.

    Raises
    ------
    UsageError
        The Miller indices are 0 0 0, or the vacuum is below twice the cutoff.
    """
    if not any(wanted.miller):
        raise UsageError("--miller 0 0 0 is no plane; expected one number that is not 0")
    if wanted.vacuum < 2 * wanted.cutoff:
        raise UsageError(
            f"--vacuum {wanted.vacuum:g} is too thin: expected at least {2 * wanted.cutoff:g} Å, "
            "twice --cutoff"
        )
    miller = np.array(wanted.miller) // math.gcd(*wanted.miller)
    different: list[tuple[_Cut, Atoms]] = []
    for cut in _cuts(bulk, miller):
        slab = _slab(bulk, miller, wanted, cut)
        if not any(_same(slab, other) for _, other in different):
            different.append((cut, slab))
    return list(_named(different[: wanted.cuts], miller, wanted))


def _named(
    found: Sequence[tuple[_Cut, Atoms]], miller: np.ndarray, wanted: Slab
) -> Iterator[Built]:
    plane = " ".join(map(str, miller))
    for number, (cut, slab) in enumerate(found):
        note = (
            f"surface {plane}, {wanted.layers} layers, vacuum {wanted.vacuum:g} A, cut {number} "
            f"between planes that are {cut.gap:.2f} A apart"
        )
        yield Built(f"surface-{plane.replace(' ', '_')}-cut{number}.xyz", note, slab)


def _cuts(bulk: Atoms, miller: np.ndarray) -> list[_Cut]:
    """Middles between neighbouring planes of atoms, the widest gaps first."""
    spacing = 1 / np.linalg.norm(np.linalg.inv(bulk.cell.array) @ miller)
    heights = np.sort(bulk.cell.scaled_positions(bulk.positions) @ miller % 1.0)
    gaps = np.diff(heights, append=heights[0] + 1.0)
    cuts = [
        _Cut(float((low + gap / 2) % 1.0), float(gap * spacing))
        for low, gap in zip(heights, gaps)
        if gap * spacing > _PLANE
    ]
    return sorted(cuts, key=lambda cut: (-round(cut.gap, 3), cut.place))


def _slab(bulk: Atoms, miller: np.ndarray, wanted: Slab, cut: _Cut) -> Atoms:
    """A slab whose lowest atoms are those above the cut, turned so that its normal is z."""
    shifted = bulk.copy()
    free(shifted)
    shifted.positions -= (cut.place * miller / (miller @ miller)) @ bulk.cell.array
    multiple = basis(miller, bulk.cell.array) * np.array([[*wanted.repeat, wanted.layers]]).T
    whole = super_cell(shifted, multiple.ravel().tolist())
    slab = whole.copy()
    lattice, rotation = lower_triangular(whole.cell.array)
    slab.set_positions(whole.positions @ rotation)
    slab.set_cell(lattice)
    hand_on(whole, slab)
    slab.set_cell([lattice[0], lattice[1], [0, 0, lattice[2, 2]]])
    slab.center(vacuum=wanted.vacuum / 2, axis=2)
    slab.wrap(pbc=(True, True, False))
    return slab


def basis(miller: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Lattice vectors of which two lie in a plane, in units of those of the cell.

    Parameters
    ----------
    miller
        Miller indices without a common divisor, shape (3,).
    cell
        Lattice vectors as rows, Å, shape (3, 3).

    Returns
    -------
    np.ndarray
        Whole numbers, shape (3, 3), determinant 1: a crystal is turned by them, and never mirrored.
        The first two span the plane by short vectors; the third leads to the next one.
    """
    h, k, l = map(int, miller)  # noqa: E741  their names everywhere
    divisor, p, q = _bezout(k, l)
    if divisor == 0:
        return np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]]) * [[1], [h], [h]]
    _, a, b = _bezout(h, divisor)
    rows = [(divisor, -p * h, -q * h), (0, l // divisor, -k // divisor), (a, b * p, b * q)]
    first, second, third = (np.array(row) for row in rows)
    first, second = _short(first, second, cell)
    plane = np.array([first, second]) @ cell
    third -= np.round((third @ cell) @ np.linalg.pinv(plane)).astype(int) @ [first, second]
    return np.array([first, second, third])


def _bezout(one: int, other: int) -> tuple[int, int, int]:
    """The greatest common divisor g, and x and y for which one · x + other · y = g (Euclid)."""
    if other == 0:
        return abs(one), (one > 0) - (one < 0), 0
    divisor, x, y = _bezout(other, one % other)
    return divisor, y, x - one // other * y


def _short(one: np.ndarray, other: np.ndarray, cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The shortest vectors that span the same lattice, in the same sense (Gauss)."""
    while True:
        along = (one @ cell) @ (other @ cell) / np.sum((one @ cell) ** 2)
        other = other - int(np.round(along)) * one
        if np.sum((other @ cell) ** 2) > np.sum((one @ cell) ** 2) * (1 - _EQUAL):
            return one, other
        one, other = other, -one


def _same(one: Atoms, other: Atoms) -> bool:
    """Whether both have the same pairs of elements at the same distances."""
    first, second = _pairs(one), _pairs(other)
    return first.shape == second.shape and np.allclose(first, second, atol=_SAME, rtol=0)


def _pairs(slab: Atoms) -> np.ndarray:
    """Elements and distance of each pair, sorted, shape (p, 3)."""
    pairs = pairs_within(slab, _NEAR)
    numbers = slab.numbers
    rows = np.column_stack([numbers[pairs.first], numbers[pairs.second], pairs.distances])
    return rows[np.lexsort(rows.T[::-1])]
