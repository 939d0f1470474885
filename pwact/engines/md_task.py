"""What a molecular dynamics task leaves, whichever program ran it.

The MD counts when three things agree: ``md.log`` ends with the wall time, the deviation file
has its rows (one model alone leaves none), and the dump holds their frames. A job that was cut off
leaves no ``md.exit`` and is incomplete; a program that gave up by itself (lost atoms, say) leaves
one, and what it wrote until then can be used. The exit status itself is no witness: a wrapper may
return 1 after a good MD.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import numpy as np

from pwact.engines.explorers import Given, Motion, UserInput
from pwact.engines.heading import Heading
from pwact.engines.lammps.input import DATA, DEVIATION, DEVIATION_LOG, DUMP, FOREIGN_DUMP, TYPES
from pwact.engines.lammps.program import ended_well
from pwact.engines.links import link_files
from pwact.engines.md_end import cause, death, was_killed
from pwact.engines.potential import PairSets, Potential
from pwact.errors import InputError, TaskError
from pwact.fixed_atoms import any_fixed, held, held_in_part
from pwact.formats.labels import labels_of
from pwact.formats.lammps_data import write_lammps_data
from pwact.formats.lammps_dump import DumpTrajectory, frame_text
from pwact.formats.model_devi import Deviations, read_all_parts
from pwact.formats.thermo import potential_energies
from pwact.io.files import tree_hash, write_text
from pwact.verdict import DONE, Verdict, incomplete

if TYPE_CHECKING:
    from ase import Atoms

LOG = "md.log"
EARLIER_LOG = "md.before.log"  # what earlier starts of a continued MD printed
EXIT = "md.exit"
GIVEN = "given.lammpstrj"  # frames on which models are only evaluated


class MdTrajectory:
    """A trajectory that is read on demand. See `pwact.engines.explorers.Trajectory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ended_normally = ended_well(directory / LOG)
        self._dump: Optional[DumpTrajectory] = None

    def deviations(self) -> Deviations:
        """The rows of all parts of the run, in the order of their steps."""
        return read_all_parts(self.directory)

    def frame(self, step: int) -> Atoms:
        """The frame of MD step `step`, with the exploring model's forces as array ``forces``."""
        return self.dump.frame(step)

    def energy(self, step: int) -> Optional[float]:
        """Potential energy of MD step `step`, eV, as the logs have it."""
        return self._energies.get(step)

    @cached_property
    def _energies(self) -> dict[int, float]:
        parts = (potential_energies(self.directory / name) for name in (EARLIER_LOG, LOG))
        return {step: energy for part in parts for step, energy in part.items()}

    def content(self) -> str:
        """Hash of the dump; "" where there is none."""
        path = self._dump_path
        return tree_hash(path) if path.exists() else ""

    @property
    def dumped(self) -> bool:
        """Whether its frames are still there."""
        return self._dump_path.exists()

    @property
    def dump(self) -> DumpTrajectory:
        """The dump file, opened when first asked for. Raises TaskError."""
        if self._dump is None:
            try:
                types = (self.directory / TYPES).read_text().split()
            except OSError as error:
                raise TaskError(f"{self.directory / TYPES}: {error.strerror}") from error
            self._dump = DumpTrajectory(self._dump_path, types)
        return self._dump

    @property
    def _dump_path(self) -> Path:
        foreign = self.directory / FOREIGN_DUMP
        return foreign if foreign.is_dir() else self.directory / DUMP


class MdTask:
    """How an explorer judges and reads its tasks. See `pwact.engines.explorers.Explorer`."""

    log = LOG
    shell_check = '[ "$rc" -eq 0 ]'
    heading: Optional[Heading] = None

    def write_start(self, directory: Path, atoms: Atoms, potential: Potential) -> None:
        """Write ``lmp.config``, ``atom_type.txt`` and the links to the models.

        Raises
        ------
        TaskError
            The models do not know an element.
        """
        strange = sorted(set(atoms.get_chemical_symbols()) - set(potential.types))
        if strange:
            raise TaskError(f"{directory}: the models do not know {' '.join(strange)}")
        write_lammps_data(directory / DATA, atoms, potential.types)
        write_text(directory / TYPES, " ".join(potential.types) + "\n")
        link_files(directory, potential.links)

    @staticmethod
    def write_given(directory: Path, motion: Given, types: Sequence[str]) -> None:
        """Write the frames that are there, with the forces of their labels."""
        texts = []
        for step, frame in enumerate(motion.frames):
            inside = frame.copy()
            inside.wrap()  # LAMMPS folds far atoms back period by period
            texts.append(frame_text(step, inside, labels_of(frame).forces, types))
        write_text(directory / GIVEN, "".join(texts))

    def check_held(self, atoms: Atoms, motion: Motion) -> str:
        """What becomes of atoms that are held, where it is to be said; "" where they are held.

        Raises
        ------
        InputError
            This MD cannot hold them.
        """
        if not any_fixed(atoms):
            return ""
        if isinstance(motion, Given):
            return ""
        if isinstance(motion, UserInput):
            return (
                f"{len(held(atoms)) + len(held_in_part(atoms))} atoms are held, but an MD input of "
                f"the user says itself what moves: {motion.path} must hold them"
            )
        if held_in_part(atoms):
            raise InputError(
                "atoms are held along some directions alone, which explored MD cannot do; hold "
                "them altogether or free them: fix_atoms of the entry"
            )
        if motion.ensemble.startswith("npt"):
            raise InputError(
                f"{len(held(atoms))} atoms are held, and a cell that changes would move them; "
                f"found ensemble {motion.ensemble}, expected nvt or nve, or free them: fix_atoms "
                "of the entry"
            )
        return ""

    def check(
        self, directory: Path, tolerance: bool, motion: Motion, potential: Potential
    ) -> Verdict:
        """Whether the run ended, and deviations and frames belong together."""
        code = _exit_code(directory)
        trajectory = MdTrajectory(directory)
        if code is None or (was_killed(code) and not trajectory.ended_normally):
            return incomplete("the MD was cut off or did not start")
        whole = None if isinstance(motion, UserInput) else motion.nsteps  # there nobody says
        early = "" if trajectory.ended_normally else _early(trajectory, code, whole)
        try:
            frames = trajectory.dump.steps()
            rows = _rows(trajectory, potential) if potential.deviates else frames
        except TaskError as error:
            return incomplete(f"{early}; {error}" if early else str(error))
        lost = np.setdiff1d(rows, frames)
        if lost.size:
            return incomplete(f"{DUMP} lacks step {lost[0]} of {DEVIATION}")
        expected = 1 if whole is None else whole // motion.trj_freq + 1
        if not early and len(rows) < expected:
            counted = f"{DEVIATION} has {len(rows)} of {expected} rows"
            if not potential.deviates:
                counted = f"{DUMP} has {len(rows)} of {expected} frames"
            return incomplete(counted)
        return _judge(early, tolerance, len(rows))

    def reached(self, directory: Path) -> float:  # noqa: ARG002
        """Each try begins again."""
        return 0.0

    def read_result(self, directory: Path) -> MdTrajectory:
        """The trajectory of a done task."""
        return MdTrajectory(directory)


def _judge(early: str, tolerance: bool, frames: int) -> Verdict:
    if not early:
        return DONE
    if not tolerance:
        return incomplete(f"{early} (strategy.lmps_tolerance is false)")
    if frames < 1:
        return incomplete(early)
    return Verdict(DONE.outcome, early)


def _rows(trajectory: MdTrajectory, potential: Potential) -> np.ndarray:
    """Steps that have a deviation. Raises TaskError, with what their program says if it failed."""
    try:
        return trajectory.deviations().steps
    except TaskError as error:
        log = trajectory.directory / DEVIATION_LOG
        if not isinstance(potential, PairSets) or (trajectory.directory / DEVIATION).exists():
            raise
        why = cause(log, None)
        message = f"the deviations of the committee were not computed: {why} (log: {log})"
        raise TaskError(message) from error


def _early(trajectory: MdTrajectory, code: Optional[int], nsteps: Optional[int]) -> str:
    """Where and why an MD ended early, also where it left no frame at all."""
    try:
        steps = trajectory.dump.steps()
    except TaskError:
        steps = np.array([], dtype=np.int64)
    last = int(steps[-1]) if len(steps) else None
    return f"the MD ended early: {death(trajectory.directory / LOG, code, last, nsteps)}"


def _exit_code(directory: Path) -> Optional[int]:
    """Exit code that the MD left, None when the job was cut off before."""
    try:
        return int((directory / EXIT).read_text())
    except (OSError, ValueError):
        return None
