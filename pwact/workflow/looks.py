"""What a selection with a target looks at in the explored frames, and what it makes of them.

The frames of a trajectory are read once, one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pwact.geometry import flaw
from pwact.neighbours import closest_in_radii
from pwact.query.candidates import FrameTable, Selection, joined
from pwact.query.driving import Decision
from pwact.query.gate import first_unphysical, why_unphysical
from pwact.query.picks import Pool
from pwact.workflow.conditions import CONTROL
from pwact.workflow.known_pairs import CHOSEN
from pwact.workflow.systems import System

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


@dataclass(frozen=True)
class Seen:
    """The frames of one system: directory of the trajectory, MD step, u and looks of each."""

    system: System
    names: np.ndarray
    steps: np.ndarray
    uncertainty: np.ndarray
    looks: Looks


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


def labelled_rows(
    seen: Sequence[Seen], pools: Sequence[Pool], decision: Decision, sigma: float
) -> list[tuple[Any, ...]]:
    """Rows of what is labelled, with what its pairs will need."""
    rows: list[tuple[Any, ...]] = []
    for one, pool, controls, chosen in zip(seen, pools, decision.controls, decision.chosen):
        kinds = {int(place): CHOSEN for place in chosen}
        kinds.update({int(place): CONTROL for place in controls})
        rows += [
            (
                *(float(one.uncertainty[place]), int(one.steps[place]), one.names[place]),
                *(kind, float(pool.values[place]), float(one.looks.force[place]), sigma),
            )
            for place, kind in sorted(kinds.items())
        ]
    return rows


def selection_of(seen: Sequence[Seen], decision: Decision) -> Selection:
    """The classes of all frames: what is labelled is a candidate, accepted or not."""
    names = ("accurate", "candidate", "deleted", "failed")
    parts: dict[str, list[FrameTable]] = {name: [] for name in names}
    for one, accepted, controls, chosen in zip(
        seen, decision.accepted, decision.controls, decision.chosen
    ):
        labelled = np.zeros(len(one.steps), dtype=bool)
        labelled[controls] = labelled[chosen] = True
        physical = one.looks.physical
        masks = {
            "accurate": accepted & ~labelled,
            "candidate": labelled,
            "deleted": physical & ~accepted & ~labelled,
            "failed": ~physical,
        }
        for name, mask in masks.items():
            parts[name].append(FrameTable(one.uncertainty[mask], one.steps[mask], one.names[mask]))
    return Selection(**{name: joined(found) for name, found in parts.items()})
