"""What a molecular dynamics task leaves, whichever program ran it.

The MD is believed when three things agree: ``md.log`` ends with the wall time, the deviation file
has its rows (one model alone leaves none), and the dump holds their frames. A job that was cut off
leaves no ``md.exit`` and is incomplete; a program that gave up by itself (lost atoms, say) leaves
one, and what it wrote until then can be used.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Optional

import numpy as np

from pwact.engines.base import Condition, Motion, Potential
from pwact.engines.lammps_input import DATA, DEVIATION, DUMP, FOREIGN_DUMP, TYPES
from pwact.engines.task_inputs import ended_well, link_files
from pwact.errors import TaskError
from pwact.io.files import write_text
from pwact.io.lammps_data import write_lammps_data
from pwact.io.lammps_dump import DumpTrajectory
from pwact.io.model_devi import Deviations, read_all_parts
from pwact.verdict import DONE, Verdict, incomplete

if TYPE_CHECKING:
    from ase import Atoms

LOG = "md.log"
EXIT = "md.exit"
# exit codes of a shell or wrapper whose program was killed by SIGHUP, INT, KILL or TERM
_KILLED = frozenset(code for signal in (1, 2, 9, 15) for code in (128 + signal, 256 - signal))


class MdTrajectory:
    """A trajectory that is read on demand. See `pwact.engines.base.Trajectory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        code = _exit_code(directory)  # PWact leaves none
        self.ended_normally = code in (0, None) and ended_well(directory / LOG)
        self._dump: Optional[DumpTrajectory] = None

    def deviations(self) -> Deviations:
        """The rows of all parts of the run, in the order of their steps."""
        return read_all_parts(self.directory)

    def frame(self, step: int) -> Atoms:
        """The frame of MD step `step`, with the exploring model's forces as array ``forces``."""
        return self.dump.frame(step)

    @property
    def dump(self) -> DumpTrajectory:
        """The dump file, opened when first asked for. Raises TaskError."""
        if self._dump is None:
            try:
                types = (self.directory / TYPES).read_text().split()
            except OSError as error:
                raise TaskError(f"{self.directory / TYPES}: {error.strerror}") from error
            foreign = self.directory / FOREIGN_DUMP
            path = foreign if foreign.is_dir() else self.directory / DUMP
            self._dump = DumpTrajectory(path, types)
        return self._dump


class MdTask:
    """How an explorer judges and reads its tasks. See `pwact.engines.base.Explorer`."""

    log = LOG
    shell_check = '[ "$rc" -eq 0 ]'

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

    def check(
        self, directory: Path, tolerance: bool, motion: Motion, potential: Potential
    ) -> Verdict:
        """Whether the run ended, and deviations and frames belong together."""
        code = _exit_code(directory)
        if code is None or code in _KILLED:
            return incomplete("the MD was cut off or did not start")
        trajectory = MdTrajectory(directory)
        try:
            rows = trajectory.deviations().steps if potential.deviates else None
            frames = trajectory.dump.steps()
        except TaskError as error:
            return incomplete(str(error))
        rows = frames if rows is None else rows
        lost = np.setdiff1d(rows, frames)
        if lost.size:
            return incomplete(f"{DUMP} lacks step {lost[0]} of {DEVIATION}")
        whole = 1  # an input of the user does not say how many
        if isinstance(motion, Condition):
            whole = motion.nsteps // motion.trj_freq + 1
        if trajectory.ended_normally and len(rows) < whole:
            counted = f"{DEVIATION} has {len(rows)} of {whole} rows"
            if not potential.deviates:
                counted = f"{DUMP} has {len(rows)} of {whole} frames"
            return incomplete(counted)
        return _judge(trajectory.ended_normally, tolerance, len(rows))

    def read_result(self, directory: Path) -> MdTrajectory:
        """The trajectory of a done task."""
        return MdTrajectory(directory)


def _judge(ended_normally: bool, tolerance: bool, frames: int) -> Verdict:
    if ended_normally:
        return DONE
    if not tolerance:
        return incomplete("the MD ended early and strategy.lmps_tolerance is false")
    if frames < 1:
        return incomplete("the MD ended before its first frame")
    return Verdict(DONE.outcome, "the MD ended early")


def _exit_code(directory: Path) -> Optional[int]:
    """Exit code that the MD left, None when the job was cut off before."""
    try:
        return int((directory / EXIT).read_text())
    except (OSError, ValueError):
        return None
