"""What the log of CP2K tells of a run; `pwact.formats.cp2k_output` reads it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

import numpy as np

from pwact.errors import CutOffError, NotConvergedError, TaskError

_MOVING = ("MD", "GEO_OPT", "CELL_OPT", "BAND", "MC", "PINT", "VIBRATIONAL_ANALYSIS", "DEBUG")
_SAME_ENERGY = 1e-6  # eV; what differs by more is the energy of another structure
_FIXED_CELL = ("NVE", "NVT", "NVT_ADIABATIC", "LANGEVIN", "ISOKIN")  # of all ensembles
NOT_CONVERGED = "SCF run NOT converged"
OUT_OF_TIME = "exceeded requested execution time"


@dataclass
class Evaluation:
    """One energy, and what belongs to it.

    Attributes
    ----------
    energy
        eV.
    converged
        Whether the SCF before it came to an end.
    line
        Of the energy in the log.
    forces
        Rows of a table of forces, (N, 3), eV/Å; None without one.
    stress
        Shape (3, 3), eV/Å³; None if it is not printed.
    step
        Number of the MD step that was announced after it; None if none was.
    """

    energy: float
    converged: bool
    line: int
    forces: Optional[list[list[float]]] = None
    stress: Optional[np.ndarray] = None
    step: Optional[int] = None


@dataclass
class Log:
    """What a log tells; of several runs one after the other, the last.

    Attributes
    ----------
    ended
        Whether the program came to its own end.
    cut
        What was being read where the file breaks off.
    unconverged
        Whether some SCF did not converge.
    abort
        What the program said when it gave up.
    out_of_steps, out_of_time
        Whether an optimization, or the run, was ended by a limit of the input.
    last_step
        Of an optimization.
    kind
        Run type and, of an MD, ensemble, as printed: ``MD NPT_F``.
    runs
        How many runs the file holds.
    cell, atoms
        As printed at the start: rows with 3 digits, element and position with 6.
    periodic
        Periodic axes, as printed: ``XYZ``, ``XY``, ``NONE``.
    moments
        Whether the moment of each atom is printed.
    """

    path: Path
    evaluations: list[Evaluation] = field(default_factory=list)
    ended: bool = False
    cut: str = ""
    unconverged: bool = False
    abort: str = ""
    out_of_steps: bool = False
    out_of_time: bool = False
    last_step: int = 0
    kind: str = ""
    runs: int = 1
    periodic: str = "XYZ"
    moments: bool = False
    cell: dict[str, list[float]] = field(default_factory=dict)
    atoms: list[tuple[str, list[float]]] = field(default_factory=list)

    @property
    def cell_changes(self) -> bool:
        """Whether the cell is another one in each step: in all ensembles but those that keep it."""
        run, *ensembles = self.kind.split() or [""]
        return run == "CELL_OPT" or any(one not in _FIXED_CELL for one in ensembles)

    @property
    def pbc(self) -> list[bool]:
        """Along which axes the cell is periodic."""
        return [axis in self.periodic for axis in "XYZ"]

    def demand_end(self) -> None:
        """Raise CutOffError unless the program came to its own end."""
        if not self.ended:
            why = self.abort or self.cut or "the program did not come to its end"
            raise CutOffError(f"{self.path}: {why}")

    def single_point(self, count: int) -> Evaluation:
        """The one evaluation of a single point, with forces on `count` atoms.

        Raises
        ------
        NotConvergedError
            The SCF did not converge, whether the run went on or not.
        CutOffError
            The run did not end.
        TaskError
            There is no energy, or there are no forces.
        """
        if self.unconverged:
            raise NotConvergedError(f"{self.path}: {NOT_CONVERGED}")
        self.demand_end()
        if self.out_of_time:
            raise TaskError(f"{self.path}: the run {OUT_OF_TIME}")
        if not self.evaluations:
            raise TaskError(f"{self.path}: holds no energy")
        last = self.evaluations[-1]
        with_forces = sum(one.forces is not None for one in self.evaluations)
        steps = any(one.step is not None for one in self.evaluations)
        apart = max(abs(one.energy - last.energy) for one in self.evaluations) > _SAME_ENERGY
        if steps or apart or with_forces > 1 or self.kind.startswith(_MOVING):
            kind = f" ({self.kind})" if self.kind else ""
            raise TaskError(
                f"{self.path}: holds {len(self.evaluations)} energies of a run in which atoms move"
                f"{kind}; a single point has one"
            )
        found = len(last.forces or ())
        if found != count:
            message = f"forces on {found} atoms follow the energy; expected {count}"
            raise TaskError(f"{self.path}, line {last.line}: {message}")
        return last
