"""What every engine offers. An engine writes files and reads files, nothing else.

It never runs a program, submits a job, waits, or chooses a directory. Units are Å, eV, eV/Å, ps
for MD times, K and bar. A frame is an `ase.Atoms`; its labels are set and read with
`pwact.formats.labels`.

What `check` promises, for every engine (tests/engines/test_contract.py tries each of them):

1. Output that can be read is not work that was done. A task is done when its output shows the end
   that was asked for: the last step, epoch, frame. Programs write final names early and often, so a
   name proves nothing.
2. Where the output of a program does not tell its end, only its exit status does. Then `check`
   wants the file that the command writes behind the program, or the tag of success.
3. A file that is missing, empty, cut short anywhere, full of zeros, or of another task is never the
   output of a done task, whichever file it is.
4. Unusable is not incomplete. What ended as asked and came to nothing (not converged) is
   unusable: another try would end the same way. All else is incomplete.
5. `command` may be run again in a directory where an earlier try was cut off at any point. It goes
   on from there, or removes what could pass for its own output. It does no finished step again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, Protocol, Union

from pwact.engines.assignment import Assigner, Holder
from pwact.engines.heading import Heading
from pwact.verdict import Verdict

if TYPE_CHECKING:
    from ase import Atoms

    from pwact.engines.evaluator import KpuEvaluator
    from pwact.engines.potential import Potential
    from pwact.formats.model_devi import Deviations


class Purpose(Enum):
    """What a labeler computes."""

    RELAX = "relax"
    AIMD = "aimd"
    SCF = "scf"


class Labeler(Assigner, Holder, Protocol):
    """Computes energies and forces from first principles, or stands in for that.

    Attributes
    ----------
    structure_format
        Format name (`pwact.formats.structures`) of intermediate structures.
    structure_postfix
        Postfix of their files, ``.config`` or ``.poscar`` …
    log
        Name of the file in a task directory whose tail explains a failure.
    shell_check
        See `pwact.executors.base.Task`.
    heading
        By what several starts in one directory are seen; None where nothing is printed.
    """

    structure_format: str
    structure_postfix: str
    log: str
    shell_check: str
    heading: Optional[Heading]

    def validate(self, purpose: Purpose, elements: frozenset[str]) -> None:
        """Raise InputError unless `purpose` can be computed for these elements."""

    def fingerprint(self, purpose: Purpose) -> dict[str, Any]:
        """Everything but the structure that the result depends on, as JSON (files by hash)."""

    def write_input(
        self, directory: Path, atoms: Atoms, purpose: Purpose, seed: int, step: Optional[int] = None
    ) -> None:
        """Write all files of one task into the existing `directory`.

        `step` is the MD step of a frame to be labelled; some engines put it in file names.
        """

    def command(self, purpose: Purpose) -> str:
        """Shell text that runs the program in the task directory."""

    def check(self, directory: Path, purpose: Purpose) -> Verdict:
        """Whether the output is complete and converged."""

    def read_result(self, directory: Path, purpose: Purpose) -> list[Atoms]:
        """Labelled frames: all ionic steps of an AIMD, else the last (relax: with final cell).

        Of an AIMD that was cut off, the complete steps; `check` says whether it came to its end.
        Raises NotConvergedError or TaskError, also when there is no complete step.
        """

    def kept_files(self, name: str) -> bool:
        """Whether a file of a finished scf task stays when scf files are not reserved."""


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


Motion = Union[Condition, UserInput]


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
        """Remark on atoms that are held, "" if this MD holds them; InputError where it cannot."""

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

    def transient_files(self, directory: Path) -> list[Path]:
        """Dumps and restart files that are deleted unless trajectories are reserved."""


@dataclass(frozen=True)
class TrainingData:
    """Data sets of one training.

    Attributes
    ----------
    train, valid
        Data set paths in `data_format` (``extxyz`` files, ``pwmlff/npy`` folders).
    """

    train: tuple[Path, ...]
    valid: tuple[Path, ...]
    data_format: str


@dataclass(frozen=True)
class ValidError:
    """Root-mean-square errors on the validation data: eV per atom (energy), eV/Å (forces)."""

    rmse_e: float
    rmse_f: float


@dataclass(frozen=True)
class TrainedModel:
    """What a finished training leaves.

    Attributes
    ----------
    files
        Role → file; the roles are the trainer's own. Their contents are the model.
    valid
        Errors on the validation data; None without such data.
    """

    directory: Path
    files: Mapping[str, Path] = field(default_factory=dict)
    valid: Optional[ValidError] = None


class Trainer(Protocol):
    """Trains one member of a committee."""

    log: str
    shell_check: str
    heading: Optional[Heading]

    def validate(self) -> None:
        """Raise InputError when the training keys cannot be honoured."""

    def fingerprint(self) -> dict[str, Any]:
        """Everything but data and seed that the result depends on, as JSON."""

    def write_input(
        self,
        directory: Path,
        data: TrainingData,
        seed: int,
        start_from: Optional[Path],
    ) -> None:
        """Write all files of one training into the existing `directory`.

        Parameters
        ----------
        start_from
            Directory of the member's previous training, or a model file of the user; None
            starts from nothing.
        """

    def command(self) -> str:
        """Shell text that runs the training in the task directory."""

    def check(self, directory: Path) -> Verdict:
        """Whether the training is complete."""

    def reached(self, directory: Path) -> float:
        """How far a training came from which `command` goes on; 0 where it begins again."""

    def read_result(self, directory: Path) -> TrainedModel:
        """The trained model. Raises TaskError."""

    def potential(self, models: Sequence[TrainedModel]) -> Potential:
        """What the explorer needs to run these members together; the first drives the MD."""

    def kpu(self) -> KpuEvaluator:
        """How the uncertainty of one model is computed. Raises InputError where it cannot be."""
