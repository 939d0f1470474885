"""Forces on held atoms are those of the energy, or no labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pwact.errors import TaskError
from pwact.fixed_atoms import any_fixed, held
from pwact.formats.frames import ordered
from pwact.formats.labels import labels_of

if TYPE_CHECKING:
    from ase import Atoms


def demand_forces(start: Atoms, frames: Sequence[Atoms], directory: Path) -> None:
    """Refuse frames of an MD in which all forces on atoms that it held are exactly 0.

    Some programs write zeros there. A model would learn that these atoms feel nothing.

    Parameters
    ----------
    start
        The structure with which the MD began; it says which atoms were held.

    Raises
    ------
    TaskError
        They are such zeros.
    """
    if not any_fixed(start) or not frames:
        return
    still = held(ordered(start))
    forces = np.array([labels_of(frame).forces for frame in frames])
    if len(still) and not forces[:, still].any() and forces.any():
        raise TaskError(
            f"{directory}: the forces on the {len(still)} held atoms are 0 in all frames, so these "
            'are no labels; give the entry "scf": true and an scf_input, by which they are '
            "labelled, or free the atoms by fix_atoms: false; what was computed is kept"
        )
