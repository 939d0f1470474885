"""The map of a campaign's frames: two principal components of a descriptor of each structure.

Trajectories are sampled by lot, always the same ones; what is not on disk any more is counted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import numpy as np

from pwact import layout
from pwact.engines.md_task import MdTrajectory
from pwact.errors import InputError, PwactError
from pwact.formats.frames import format_found, iterate_frames
from pwact.query.descriptor import describe
from pwact.report.html.facts import Dot, FrameMap
from pwact.tools.explored.trees import find_explored

if TYPE_CHECKING:
    from ase import Atoms

EXPLORED = 240  # explored frames on the map
OF_DATA = 80  # frames of the first data, and of the validation data
LABELLED = 300  # labelled frames on the map
TRAJECTORIES = 40  # that are opened
ATOMS = 20_000  # atoms of all frames that are described
SEED = 20


@dataclass(frozen=True)
class Placed:
    """A frame that goes on the map, as `pwact.report.html.facts.Dot`."""

    atoms: Atoms
    kind: str
    frame: Optional[int] = None
    iteration: Optional[int] = None


def map_of(groups: Sequence[Sequence[Placed]], notes: Sequence[str]) -> FrameMap:
    """The map of these frames; without two different ones there is none."""
    frames, more = _bounded(groups)
    if len(frames) < 3:
        return FrameMap(notes=notes)
    elements = sorted({int(z) for one in frames for z in np.unique(one.atoms.numbers)})
    table = np.array([describe(one.atoms, elements) for one in frames])
    places, shares = principal(table)
    dots = [
        Dot(float(x), float(y), one.kind, one.frame, one.iteration)
        for one, (x, y) in zip(frames, places.tolist())
    ]
    return FrameMap(dots, shares, [*notes, *more])


def principal(table: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """Places on the first two principal components, and their shares of the variance.

    Parameters
    ----------
    table
        A row a frame, shape (n, m).

    Returns
    -------
    tuple
        Shape (n, 2); each axis points so that its longest arm is positive.
    """
    centred = table - table.mean(axis=0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    places = np.zeros((len(table), 2))
    kept = min(2, len(values))
    places[:, :kept] = left[:, :kept] * values[:kept]
    places *= np.where(places.max(axis=0) >= -places.min(axis=0), 1.0, -1.0)
    total = float(np.sum(values**2)) or 1.0
    shares = [float(value**2) / total for value in (*values[:2], 0.0, 0.0)]
    return places, (shares[0], shares[1])


def _bounded(groups: Sequence[Sequence[Placed]]) -> tuple[list[Placed], list[str]]:
    """Frames in all, taken evenly from each group where their atoms are too many."""
    total = sum(len(one.atoms) for group in groups for one in group)
    share = min(1.0, ATOMS / max(total, 1))
    kept = [one for group in groups for one in evenly(group, int(np.ceil(share * len(group))))]
    words = f"{100 * share:.0f} % of these frames are on the map, taken evenly"
    return kept, [words] if share < 1 else []


def evenly(found: Sequence[Placed], most: int) -> list[Placed]:
    """At most so many of them, from the first to the last."""
    if len(found) <= most:
        return list(found)
    return [found[place] for place in np.linspace(0, len(found) - 1, most).astype(int)]


def first_frames(paths: Sequence[Path], kind: str) -> list[Placed]:
    """Frames of data sets of the user; of many evenly taken ones.

    Raises
    ------
    InputError
        A data set cannot be read.
    """
    frames = [
        Placed(atoms, kind)
        for path in paths
        if path.exists() and format_found(path)
        for _, _, atoms in iterate_frames(path, format_found(path))
    ]
    return evenly(frames, OF_DATA)


@dataclass
class Explored:
    """Frames of trajectories that are still on disk.

    Attributes
    ----------
    there, gone
        Trajectories with and without their frames.
    """

    frames: list[Placed]
    there: int = 0
    gone: int = 0

    @property
    def words(self) -> str:
        """What is on the map of them."""
        if not self.there + self.gone:
            return "nothing was explored yet"
        found = f"{len(self.frames)} explored frames by lot from {self.there} trajectories"
        if not self.gone:
            return found
        gone = f"{self.gone} trajectories are deleted (reserve_md_traj keeps them)"
        return f"{found}; the frames of {gone}" if self.there else f"no explored frames: {gone}"


def explored_frames(work_dir: Path) -> Explored:
    """A sample of what was explored in all iterations."""
    found = Explored([])
    open_: list[tuple[int, Path]] = []
    for place in sorted(work_dir.glob("iter.*")):
        if not re.fullmatch(r"iter\.\d{4,}", place.name):
            continue
        number = int(place.name.partition(".")[2])
        mine = [(number, one) for one in _trajectories(place)]
        kept = [pair for pair in mine if _has_frames(pair[1])]
        found.there += len(kept)
        found.gone += len(mine) - len(kept)
        open_ += kept
    lots = np.random.default_rng(SEED)
    chosen = lots.permutation(len(open_))[:TRAJECTORIES]
    each = int(np.ceil(EXPLORED / max(len(chosen), 1)))
    for place_ in sorted(chosen.tolist()):
        found.frames += _sample(open_[place_], each, lots)
    found.frames = evenly(found.frames, EXPLORED)
    return found


def _trajectories(iteration: Path) -> list[Path]:
    for place in (iteration, iteration / layout.PWACT_WORK):
        try:
            tree = find_explored(place)
        except InputError:
            continue
        found = [path for system in tree.systems for path in system.trajectories]
        if place is not iteration or any(_has_frames(path) for path in found):
            return found
        copies = iteration / layout.PWACT_WORK
        if not copies.is_dir():
            return found
    return []


def _has_frames(trajectory: Path) -> bool:
    return MdTrajectory(trajectory).dumped


def _sample(trajectory: tuple[int, Path], count: int, lots: np.random.Generator) -> list[Placed]:
    """So many frames by lot of the trajectory of an iteration; none if it cannot be read."""
    try:
        run = MdTrajectory(trajectory[1])
        chosen = np.sort(lots.permutation(run.dump.steps())[:count]).tolist()
        return [Placed(run.frame(step), "explored", None, trajectory[0]) for step in chosen]
    except PwactError:
        return []
