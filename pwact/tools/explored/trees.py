"""The trajectories below a directory, whoever made them, and how uncertain their frames are."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pwact import layout
from pwact.errors import InputError, TaskError
from pwact.query.window import Scores
from pwact.tools.explored.judged_by import asked_for
from pwact.uncertainties import uncertainties
from pwact.uncertainties.base import Uncertainty

logger = logging.getLogger(__name__)

_SYSTEM = "md.*.sys.*"
_PLACES = (".", "md", f"{layout.EXPLORE}/md", f"{layout.old_step_name(layout.EXPLORE)}/md")


@dataclass(frozen=True)
class FoundSystem:
    """The trajectories of one structure of one md dict.

    Attributes
    ----------
    directory
        ``md.000.sys.000``.
    trajectories
        Directories, by number.
    """

    directory: Path
    trajectories: tuple[Path, ...]


@dataclass(frozen=True)
class ExploredTree:
    """What was explored in one iteration, of a campaign of ours or of PWact.

    Attributes
    ----------
    directory
        Of the systems, absolute.
    uncertainty
        What frames are judged by: as the campaign says in which the tree lies; without one, the
        first of all kinds that any trajectory has.
    measured
        Whether its values are what is compared with a force error, as in a campaign with a target.
    """

    directory: Path
    systems: tuple[FoundSystem, ...]
    uncertainty: Uncertainty
    measured: bool = False

    def judged(self, trajectory: Path) -> bool:
        """Whether there is a file with the uncertainty of a trajectory."""
        return any(path.is_file() for path in self.uncertainty.files(trajectory))

    def scores(self, trajectory: Path) -> Scores:
        """The uncertainty of each frame of a trajectory. Raises TaskError."""
        judge = self.uncertainty.measured if self.measured else self.uncertainty.scores
        return judge(trajectory)


def find_explored(directory: Path) -> ExploredTree:
    """The trajectories ``md.*.sys.*/md.*.sys.*`` of a directory.

    Parameters
    ----------
    directory
        ``01.explore/md`` (``explore/md`` of old versions), also of PWact's working copy; or
        ``01.explore``, or an iteration.

    Raises
    ------
    InputError
        There is no trajectory, or none has a file with its uncertainty.
    """
    if not directory.is_dir():
        problem = "is not a directory" if directory.exists() else "does not exist"
        raise InputError(problem, directory)
    place = next((directory / name for name in _PLACES if _systems(directory / name)), directory)
    place = place.resolve()
    systems = tuple(FoundSystem(one, _trajectories(one)) for one in _systems(place))
    everything = [one for system in systems for one in system.trajectories]
    if not everything:
        raise InputError(f"holds no trajectory {_SYSTEM}/{_SYSTEM}{_nearest(directory)}", directory)
    asked = asked_for(place)
    known = [one for _, one in uncertainties()] if asked is None else [asked]
    trees = (ExploredTree(place, systems, kind) for kind in known)
    found = [tree for tree in trees if any(tree.judged(one) for one in everything)]
    if found:
        if len(found) > 1:
            words = "no campaign says what frames of %s are judged by; %s and %s are there: %s"
            results = [tree.uncertainty.result for tree in found[:2]]
            logger.warning(words, place, *results, found[0].uncertainty.measure.words)
        return found[0]
    names = " or ".join(kind.result for kind in known)
    by = "" if asked is None else f"; the campaign judges by {asked.measure.words}"
    raise InputError(f"none of its {len(everything)} trajectories has a {names}{by}", place)


def judged_systems(
    tree: ExploredTree,
) -> Iterator[tuple[FoundSystem, list[tuple[Path, Scores]]]]:
    """The systems in order, each with its trajectories and their scores.

    Trajectories that cannot be judged are left out and named in the log.
    """
    absent, judged = [], 0
    for system in tree.systems:
        rows = []
        for path in system.trajectories:
            if not tree.judged(path):
                absent.append(path)
                continue
            try:
                rows.append((path, tree.scores(path)))
            except TaskError as error:
                logger.warning("left out: %s", error)
        judged += len(rows)
        if rows:
            yield system, rows
    if absent:
        named = ", ".join(path.name for path in absent[:3]) + (" …" if len(absent) > 3 else "")
        logger.warning("left out, without a file of deviations: %d (%s)", len(absent), named)
    if not judged:
        raise InputError("none of its trajectories can be judged", tree.directory)


def _systems(directory: Path) -> list[Path]:
    return _by_number(directory.glob(_SYSTEM))


def _trajectories(system: Path) -> tuple[Path, ...]:
    return tuple(_by_number(system.glob(_SYSTEM)))


def _by_number(paths: Iterable[Path]) -> list[Path]:
    found = [path for path in paths if path.is_dir()]
    return sorted(found, key=lambda path: ([int(n) for n in re.findall(r"\d+", path.name)], path))


def _nearest(directory: Path) -> str:
    """Where a user who names the directory of a campaign has to look."""
    for iteration in sorted(directory.glob("iter.*")):
        for name in _PLACES:
            if _systems(iteration / name):
                return f"; did you mean {iteration / name}?"
    return ""
