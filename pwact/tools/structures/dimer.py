"""Single atoms and pairs of atoms in a box: what models learn of atoms that are far apart."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

from pwact.errors import UsageError
from pwact.tools.structures.built import CLOSEST, Built


@dataclass(frozen=True)
class Box:
    """A cubic box.

    Attributes
    ----------
    edge
        In Å; None: as small as `cutoff` lets it be.
    cutoff
        Atoms are at least twice as far from the next image, in Å.
    """

    edge: Optional[float] = None
    cutoff: float = 6.0

    def around(self, length: float) -> float:
        """The edge of a box in which something of this length lies, in Å.

        Raises
        ------
        UsageError
            The box of the user is too small.
        """
        least = 2 * self.cutoff + length
        if self.edge is None:
            return least
        if self.edge < least:
            within = f" and the distance {length:g}" if length else ""
            raise UsageError(
                f"--box {self.edge:g} is too small: expected at least {least:g} Å, twice "
                f"--cutoff{within}"
            )
        return self.edge


def atoms_alone(elements: Sequence[str], box: Box) -> list[Built]:
    """One atom of each element in the middle of a box.

    Raises
    ------
    UsageError
        The box is too small.
    """
    edge = box.around(0.0)
    return [
        _built(f"atom-{element}.xyz", (element,), 0.0, edge) for element in dict.fromkeys(elements)
    ]


def dimers(elements: Sequence[str], distances: Sequence[float], box: Box) -> list[Built]:
    """All pairs of elements, those of one element too, at all distances (Å).

    All boxes are as large as the longest distance needs, so that energies can be compared.

    Raises
    ------
    UsageError
        The box is too small, or a distance is absurd.
    """
    if min(distances) < CLOSEST:
        raise UsageError(
            f"--distance {min(distances):g} cannot be meant: expected at least {CLOSEST:g} Å"
        )
    edge = box.around(max(distances))
    pairs = itertools.combinations_with_replacement(dict.fromkeys(elements), 2)
    return [
        _built(f"dimer-{one}-{other}-{distance:g}.xyz", (one, other), distance, edge)
        for one, other in pairs
        for distance in dict.fromkeys(distances)
    ]


def _built(name: str, elements: Sequence[str], distance: float, edge: float) -> Built:
    from ase import Atoms  # noqa: PLC0415  `pwact --help` needs none of it

    first = edge / 2 - distance / 2
    places = [(first + number * distance, edge / 2, edge / 2) for number in range(len(elements))]
    what = f"dimer, {distance:g} A apart" if len(elements) > 1 else "atom alone"
    note = f"{what}, in a box of {edge:g} A"
    return Built(name, note, Atoms(list(elements), places, cell=[edge] * 3, pbc=True))
