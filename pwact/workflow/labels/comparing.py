"""New labels beside what the exploring model said of the same frames."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from pwact.config.run import RunConfig
from pwact.engines.explorers import Condition
from pwact.formats.frames import ordered
from pwact.formats.labels import labels_of
from pwact.report.label_error import LabelError, force_errors
from pwact.report.parity import Compared
from pwact.workflow.explored import Candidate, Explored
from pwact.workflow.systems import System, explored_names

if TYPE_CHECKING:
    from ase import Atoms


class Comparing:
    """Compares the frames of an iteration.

    Parameters
    ----------
    systems
        All that it explores.
    """

    def __init__(self, config: RunConfig, systems: Iterable[System], explored: Explored) -> None:
        self._config = config
        self._systems = tuple(systems)
        self._explored = explored

    @cached_property
    def _conditions(self) -> dict[str, tuple[str, Condition | None]]:
        """Name of a trajectory → its structure, and its condition where that is known."""
        names = explored_names(self._config)
        return {
            run.name: (
                names[system.structure.path],
                run.motion if isinstance(run.motion, Condition) else None,
            )
            for system in self._systems
            for run in system.runs()
        }

    def compared(self, candidate: Candidate, labelled: Atoms) -> Compared:
        """A labelled frame beside the explored one."""
        seen = ordered(self._explored.frame(candidate))
        energy = self._explored.energy(candidate)
        name = candidate.trajectory.rpartition("/")[2]
        structure, condition = self._conditions.get(name, (candidate.system, None))
        labels = labels_of(labelled)
        return Compared(
            candidate.trajectory,
            candidate.step,
            structure,
            None if condition is None else condition.temp_k,
            None if condition is None else condition.press_bar,
            np.array(seen.get_chemical_symbols()),
            (labels.energy, float("nan") if energy is None else energy),
            labels.forces,
            seen.arrays["forces"],
        )


def label_error(candidate: Candidate, compared: Compared) -> LabelError:
    """The line of a frame in ``label_error.csv``."""
    rmse, largest = force_errors(compared.model_forces, compared.label_forces)
    return LabelError(
        *(candidate.trajectory, candidate.step, candidate.uncertainty, rmse, largest),
        None if candidate.aim is None else (candidate.aim.scaled, candidate.aim.kind),
    )
