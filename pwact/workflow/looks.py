"""What a selection with a target looks at in the frames of a trajectory, read once, one by one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pwact.geometry import flaw
from pwact.neighbours import closest_in_radii
from pwact.query.gate import first_unphysical, why_unphysical

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True)
class Looks:
    """The frames of one trajectory.

    Attributes
    ----------
    force
        Root mean square over the components of the forces that the model predicts, eV/Å, shape
        (n,).
    physical
        Which frames come before the first one that no material has, bool, shape (n,).
    why
        What is wrong with that one; "" where all are physical.
    """

    force: np.ndarray
    physical: np.ndarray
    why: str


def look_at(frames: Iterable[Atoms], min_distance: float) -> Looks:
    """Look at the frames of a trajectory in their order.

    Parameters
    ----------
    frames
        With the forces of the exploring model as array ``forces``.
    min_distance
        No code gets a frame with atoms closer than this, Å.
    """
    rows, flaws = [], []
    for frame in frames:
        forces = frame.arrays["forces"]
        longest = float(np.max(np.linalg.norm(forces, axis=1)))
        size = float(np.sqrt(np.mean(forces**2)))
        rows.append((closest_in_radii(frame), frame.cell.volume, longest, size))
        flaws.append(flaw(frame, min_distance))
    distances, volumes, longest_forces, sizes = np.array(rows, dtype=float).reshape(-1, 4).T
    first = volumes[:1] if np.all(volumes[:1] > 0) else np.full(len(volumes[:1]), np.nan)
    volumes = volumes / first if len(first) else volumes
    unknown = np.full(len(volumes), np.nan)  # a dump holds no velocities
    broken = [number for number, words in enumerate(flaws) if words][:1]
    found = first_unphysical(distances, volumes, unknown, longest_forces)
    ends = [*broken, *([] if found is None else [found])]
    end = min(ends, default=len(rows))
    why = ""
    if ends:
        why = flaws[end] or why_unphysical(
            float(distances[end]), float(volumes[end]), float("nan"), float(longest_forces[end])
        )
    return Looks(sizes, np.arange(len(rows)) < end, why)
