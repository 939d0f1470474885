"""What an explorer offers: MD with a committee of models. See `pwact.engines`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, Protocol, Union

from pwact.engines.heading import Heading
from pwact.verdict import Verdict

if TYPE_CHECKING:
    from ase import Atoms

    from pwact.engines.delivery import Delivery
    from pwact.engines.potential import Potential
    from pwact.formats.model_devi import Deviations


@dataclass(frozen=True)
class Condition:
    """Thermodynamic condition and length of one MD.

    Attributes
    ----------
    ensemble
        ``nve``, ``nvt``, ``npt-iso``, ``npt-aniso`` or ``npt-tri``.
    temp_k, press_bar
        Target temperature (K) and pressure (bar, NPT only).
    taut_ps, taup_ps, dt_ps
        Damping times and time step in ps.
    """

    ensemble: str
    nsteps: int
    trj_freq: int
    temp_k: float
    press_bar: Optional[float] = None
    dt_ps: float = 0.001
    taut_ps: float = 0.1
    taup_ps: float = 0.5
    neigh_delay: int = 10


@dataclass(frozen=True)
class UserInput:
    """An MD that an input of the user describes.

    Attributes
    ----------
    trj_freq
        Steps between two frames.
    """

    path: Path
    trj_freq: int


@dataclass(frozen=True)
class Given:
    """No MD: the models are evaluated on frames that are there, and leave what an MD would.

    Attributes
    ----------
    frames
        Labelled, fully periodic, with lower-triangular cells, and all of the same atoms in the same
        order; frame n gets step n.
    """

    frames: tuple[Atoms, ...]
    trj_freq: int = 1

    @property
    def nsteps(self) -> int:
        """The last step."""
        return len(self.frames) - 1


Motion = Union[Condition, UserInput, Given]


class Trajectory(Protocol):
    """One explored trajectory, read lazily.

    Attributes
    ----------
    directory
        The task directory.
    ended_normally
        False when the MD died early but left usable rows.
    """

    directory: Path
    ended_normally: bool

    def deviations(self) -> Deviations:
        """The rows of ``model_devi.out``, cleaned."""

    def frame(self, step: int) -> Atoms:
        """The frame of a step, with the exploring model's forces; TaskError if there is none."""

    def energy(self, step: int) -> Optional[float]:
        """Potential energy of a step by the exploring model, eV; None where no log has it."""

    def content(self) -> str:
        """Hash of the frames as they lie on disk; "" where there are none."""


class Explorer(Protocol):
    """Runs molecular dynamics with a committee of models."""

    log: str
    shell_check: str
    heading: Optional[Heading]

    def validate(self, motion: Motion) -> None:
        """Raise InputError unless this MD can be run."""

    def check_held(self, atoms: Atoms, motion: Motion) -> str:
        """A warning of held atoms, "" where this MD holds them; InputError where it cannot."""

    def fingerprint(self, motion: Motion) -> dict[str, Any]:
        """Everything of the MD that the result depends on, as JSON (files by hash)."""

    def write_input(
        self,
        directory: Path,
        atoms: Atoms,
        potential: Potential,
        motion: Motion,
        seed: int,
    ) -> None:
        """Write all files of one trajectory into the existing `directory`.

        Called again for a directory that holds an unfinished run, it prepares the continuation.
        """

    def command(self, potential: Potential) -> str:
        """Shell text that runs the MD and, where they have to be computed, the deviations."""

    def check(
        self, directory: Path, tolerance: bool, motion: Motion, potential: Potential
    ) -> Verdict:
        """Done: ended normally, or (with `tolerance`) died early with usable frames.

        Those have deviation rows, or `potential` leaves none.
        """

    def reached(self, directory: Path) -> float:
        """The MD step from which `command` goes on; 0 where it begins again."""

    def read_result(self, directory: Path) -> Trajectory:
        """The trajectory of a done task."""

    def deliver(self, potential: Potential, elements: Collection[str]) -> Delivery:
        """One model for others to run, and how its check frame, of these elements, is evaluated."""

    def transient_files(self, directory: Path) -> list[Path]:
        """Dumps and restart files that are deleted unless trajectories are reserved."""
