"""Forces that are exactly 0: some programs write them for atoms that were held."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pwact.formats.labels import labels_as_read

if TYPE_CHECKING:
    from ase import Atoms

_SHOWN = 10  # numbers of atoms in one line


@dataclass
class _Kind:
    """Frames of the same atoms in the same order: which of these felt no force in any of them."""

    still: np.ndarray
    frames: int = 0


@dataclass
class ZeroForces:
    """Looks at frames one by one for atoms on which the force is exactly 0 in all of them."""

    _kinds: dict[bytes, _Kind] = field(default_factory=dict)

    def add(self, atoms: Atoms) -> None:
        """Take in a labelled frame; one in which no atom feels a force says nothing."""
        key = atoms.numbers.tobytes()
        kind = self._kinds.get(key)
        if kind is None:
            kind = self._kinds[key] = _Kind(np.ones(len(atoms), bool))
        if not kind.still.any():
            return
        still = ~labels_as_read(atoms).forces.any(axis=1)
        if not still.all():
            kind.still &= still
            kind.frames += 1

    def words(self, least: int = 1) -> list[str]:
        """A sentence for each kind of frames with such atoms, of which there are `least` frames."""
        return [
            _sentence(np.flatnonzero(kind.still) + 1, kind)
            for kind in self._kinds.values()
            if kind.frames >= least and kind.still.any()
        ]


def _sentence(numbers: np.ndarray, kind: _Kind) -> str:
    more = " …" if len(numbers) > _SHOWN else ""
    where = "in one frame" if kind.frames == 1 else f"in all {kind.frames} frames"
    return (
        f"the forces on {len(numbers)} of {len(kind.still)} atoms are exactly 0 {where} (atoms "
        f"{', '.join(map(str, numbers[:_SHOWN]))}{more}): if they were held, these are no labels, "
        "and models learn that such atoms feel nothing; label the frames by single points"
    )
