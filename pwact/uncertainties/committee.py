"""The largest deviation of a committee's forces on an atom, which the exploration leaves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pwact import layout
from pwact.formats.lammps_data import atom_count
from pwact.formats.model_devi import read_all_parts
from pwact.query.committee import least_root_mean_square
from pwact.query.scales import ABSOLUTE
from pwact.query.window import Scores
from pwact.report.measure import Measure
from pwact.uncertainties.base import FixedWindow

if TYPE_CHECKING:
    from pwact.engines.trainers import Trainer


class CommitteeDeviation(FixedWindow):
    """``max_devi_f`` of ``model_devi.out``, eV/Å; the limits are the window for all systems."""

    measure = Measure(
        "model deviation force",
        "deviation",
        "largest force deviation",
        ("lower_model_devi_f", "upper_model_devi_f"),
        unit="eV/Å",
    )
    result = layout.MODEL_DEVI
    streams = True
    scales = ABSOLUTE

    def evaluator(self, trainer: Trainer) -> None:
        """The models judge while they explore."""
        del trainer

    def files(self, trajectory: Path) -> list[Path]:
        """The rows of the MD; a continued one has two files."""
        return sorted(trajectory.glob(layout.MODEL_DEVI_FILES))

    def scores(self, trajectory: Path) -> Scores:
        """The rows of all parts. Raises TaskError."""
        rows = read_all_parts(trajectory)
        return Scores(rows.steps, rows.max_f, rows.failed)

    def measured(self, trajectory: Path) -> Scores:
        """Root mean square over the atoms, eV/Å: it tells the error of a frame better.

        Rows that tell the average and the largest alone (MatPL) give the least that these allow.

        Raises
        ------
        TaskError
            The rows, or the number of atoms where it is needed, cannot be read.
        """
        rows = read_all_parts(trajectory)
        rms = rows.rms_f
        short = np.isnan(rms) & ~rows.failed
        if short.any():
            atoms = atom_count(trajectory / layout.EXPLORED_START)
            least = least_root_mean_square(rows.avg_f, rows.max_f, atoms)
            rms = np.where(short, least, rms)
        return Scores(rows.steps, rms, rows.failed)
