"""The units of CP2K's files of positions and forces, which the files themselves do not name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pwact.errors import TaskError
from pwact.formats.cp2k_files import POSITIONS, Step
from pwact.formats.cp2k_input import read_input
from pwact.formats.cp2k_log import Log
from pwact.formats.cp2k_output import BOHR, FORCE_UNITS, HARTREE, HARTREE_PER_BOHR

SAME_ENERGY = 2e-9 * HARTREE  # eV; the files have ten digits after the point, in hartree
_PRINTED_PLACE = 1e-4  # Å; the log has six digits
_PRINTED_FORCE = 2e-5 * HARTREE_PER_BOHR  # eV/Å; it has eight
_LEAST = 3  # intervals that energies and forces are compared over
_FITS = 0.9  # their correlation, from which on the comparison says something
_OFF = 5.0  # units differ by a factor of 51


def length_unit(positions: Mapping[int, Step], log: Log, directory: Path) -> float:
    """Å in the unit of the positions, known by the start structure that the log prints.

    After a restart that is a step of the run before.

    Raises
    ------
    TaskError
        The first step is not that structure, neither in Å nor in bohr.
    """
    start = np.array([place for _, place in log.atoms]).reshape(-1, 3)
    for unit in (1.0, BOHR):
        for step in positions.values():
            fits = step.table.shape == start.shape
            if fits and np.abs(unit * step.table - start).max() < _PRINTED_PLACE:
                return unit
    if log.runs > 1 or 0 not in positions or not log.atoms:
        return 1.0  # the start is not in the file
    raise TaskError(
        f"{directory}: step 0 of {POSITIONS} is not the structure of {log.path.name}, neither in "
        "angstrom nor in bohr"
    )


def force_unit(
    forces: Mapping[int, Step], positions: Mapping[int, Step], log: Log, directory: Path
) -> float:
    """eV/Å in the unit of the forces.

    It is known by the tables of forces in the log, or else by ``cp2k.inp`` beside it, or else
    CP2K's own, hartree/bohr; without a table the energies of the steps must fit it.

    Parameters
    ----------
    positions
        In Å.

    Raises
    ------
    TaskError
        The log has such a table, and it fits neither unit; the input names another unit; or the
        energies do not fit.
    """
    for number, step in forces.items():
        for one in log.evaluations:
            table = np.array(one.forces or ())
            if table.shape != step.table.shape or abs(one.energy - step.energy) > SAME_ENERGY:
                continue
            for unit in (HARTREE_PER_BOHR, 1.0):
                if np.abs(unit * step.table - table).max() < _PRINTED_FORCE:
                    return unit
            raise TaskError(
                f"{directory}: the forces of step {number} are not those of {log.path.name}, "
                "neither in hartree/bohr nor in eV/angstrom"
            )
    unit = _of_input(directory)
    _demand_slope(forces, positions, unit, directory)
    return unit


def _of_input(directory: Path) -> float:
    """The unit that MOTION/PRINT/FORCES of ``cp2k.inp`` asks for."""
    beside = directory / "cp2k.inp"
    section = None
    if beside.is_file():
        section = read_input(beside).section("MOTION", "PRINT", "FORCES")
    word = section.value("UNIT").lower().strip("[]") if section is not None else ""
    if word and word not in FORCE_UNITS:
        known = ", ".join(FORCE_UNITS)
        raise TaskError(f"{beside}: the unit of forces is {word}; read are {known}")
    return FORCE_UNITS[word] if word else HARTREE_PER_BOHR


def _demand_slope(
    forces: Mapping[int, Step], positions: Mapping[int, Step], unit: float, directory: Path
) -> None:
    """Refuse forces that are not the slope of the energies, where that can be seen.

    From one step to the next the energy changes by minus the mean force times the way.
    """
    gains, works = [], []
    numbers = sorted(set(forces) & set(positions))
    for one, other in zip(numbers, numbers[1:]):
        way = positions[other].table - positions[one].table
        mean = (forces[one].table + forces[other].table) / 2
        if way.shape == mean.shape:
            gains.append(positions[other].energy - positions[one].energy)
            works.append(-unit * float(np.sum(mean * way)))
    gain, work = np.array(gains), np.array(works)
    size = float(np.sqrt(np.sum(gain**2) * np.sum(work**2)))
    if len(gain) < _LEAST or size == 0 or np.sum(gain * work) < _FITS * size:
        return
    slope = float(np.sum(gain * work) / np.sum(work**2))
    if not 1 / _OFF < slope < _OFF:
        raise TaskError(
            f"{directory}: the energies change by {slope:.3g} times what the forces let expect: "
            "are these in another unit than hartree/bohr? cp2k.inp beside the log says it "
            "(MOTION/PRINT/FORCES/UNIT)"
        )
