"""Makes one file a frame from the dump in the current directory; run inside the job.

``python -m pwact.engines.matpl.frames FORMAT`` leaves the folder ``traj``, which appears whole. Its
files are named after their MD steps, by which MatPL sorts them.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pwact.engines.lammps.input import DUMP, TYPES
from pwact.engines.worker import exit_status
from pwact.errors import TaskError
from pwact.formats.atom_config import write_atom_config
from pwact.formats.lammps_dump import DumpTrajectory
from pwact.io.files import remove

logger = logging.getLogger(__name__)

FRAMES = "traj"
_OF_PWMAT = ("pwmat/config", "config")


def main(arguments: Sequence[str]) -> int:
    """Make the folder for the current directory."""
    return exit_status(lambda directory: split(directory, arguments[0]), logging.INFO)


def split(directory: Path, frame_format: str) -> None:
    """Make the folder ``traj`` in `directory`; a frame that no code can read is left out.

    Raises
    ------
    TaskError
        The dump or the list of elements cannot be read, or holds no usable frame.
    """
    try:
        types = (directory / TYPES).read_text().split()
    except OSError as error:
        raise TaskError(f"{directory / TYPES}: {error.strerror}") from error
    dump = DumpTrajectory(directory / DUMP, types)
    aside = directory / f".{FRAMES}.new"
    remove(aside)
    aside.mkdir()
    for step in dump.steps().tolist():
        try:
            atoms = dump.frame(step)
        except TaskError as error:
            logger.warning("left out: %s", error)
            continue
        if frame_format in _OF_PWMAT:
            write_atom_config(aside / f"{step}.config", atoms, sync=False)
        else:
            (aside / f"{step}.lammpstrj").write_bytes(dump.text(step))
    if not any(aside.iterdir()):
        raise TaskError(f"{directory / DUMP} holds no usable frame")
    remove(directory / FRAMES)
    aside.rename(directory / FRAMES)


def steps_of(folder: Path) -> np.ndarray:
    """MD steps of the frames in a folder, ascending, int, shape (n,)."""
    names = [path.name.partition(".")[0] for path in folder.glob("*")]
    return np.array(sorted(int(name) for name in names if name.isdigit()), dtype=np.int64)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
