"""The screen output of pw.x (Quantum ESPRESSO): evaluations one after the other, and the end.

Energies in Ry, lengths in bohr (but for the structure that was put in as Å), forces in Ry/bohr,
stress in Ry/bohr³, positive when the cell wants to expand. The line that begins with ``!`` is the
energy to which the forces belong: with smearing the free energy F = E - TS.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

import numpy as np
from ase import Atoms

from pwact.errors import CutOffError, NotConvergedError
from pwact.formats.labels import set_labels
from pwact.formats.qe_input import CARDS
from pwact.io.lines import Lines

BOHR = 0.529177210903  # Å; CODATA 2018, as pw.x has it since 6.6
RYDBERG = 13.605693122994  # eV
NOT_CONVERGED = "convergence NOT achieved"
_START = re.compile(r"^\s*Program PWSCF v\.?\s*(\S+)")
_ENERGY = re.compile(r"^!\s+total energy\s+=\s*(\S+) Ry")
_STEP = re.compile(r"^\s*Entering Dynamics:?\s+iteration\s*=\s*(\d+)")
_FORCES = re.compile(r"^\s*Forces acting on atoms")
_FORCE = re.compile(r"^\s*atom\s+(\d+)\s+type\s+\d+\s+force =(.*)$")
_STRESS = re.compile(r"^\s*total\s+stress\s+\(Ry/bohr\*\*3\)")
_CELL = re.compile(r"^\s*CELL_PARAMETERS\s*\(?\s*(\w+)(?:\s*=\s*([\d.]+))?")
_POSITIONS = re.compile(r"^\s*ATOMIC_POSITIONS\s*\(?\s*(\w+)")
_IGNORED = re.compile(r"^Warning: card (\w+).* ignored$")
_NO_STRESS = "stress not available"
_CRYSTAL_AXES = "Crystallographic axes"
_ERROR = re.compile(r"^\s*(?:Error in routine|program stopped due to:)\s+(.*)$")
_ALAT = re.compile(r"^\s*celldm\(1\)=\s*([\d.]+)")
_SITE = re.compile(r"^\s*(\d+)\s+\S+\s+tau\(\s*\d+\s*\) = \((.*)\)")
_SEVEN = re.compile(r"-?\d*\.\d{7}")
_SAME_PLACE = 1e-4  # Å; sites are printed with seven decimals of the lattice parameter
_CYCLE = "Self-consistent Calculation"
_RELAXED = re.compile(r"bfgs converged in|[Dd]ynamics:? +convergence achieved in")
_DECIMALS = {8: re.compile(r"-?\d*\.\d{8}"), 9: re.compile(r"-?\d*\.\d{9}")}
_FIXED = re.compile(r"-?\d*\.\d{10}")
_STEPS_OUT = ("The maximum number of steps has been reached", "the maximum number of steps")


@dataclass
class Evaluation:
    """One self-consistent calculation with its forces.

    Attributes
    ----------
    step
        Number of the MD step that moved the atoms there; 0 for the first structure of a run.
    cell
        Å, rows, shape (3, 3).
    positions
        Å, shape (N, 3).
    energy
        eV; None until it is there.
    forces
        eV/Å, shape (N, 3).
    stress
        eV/Å³, shape (3, 3), positive when the cell wants to expand.
    needs_stress
        Whether it is printed at all; with an electric field it is not.
    """

    step: int
    cell: np.ndarray
    positions: np.ndarray
    energy: Optional[float] = None
    forces: Optional[np.ndarray] = None
    stress: Optional[np.ndarray] = None
    converged: bool = True
    needs_stress: bool = True

    @property
    def whole(self) -> bool:
        """Whether all labels are there."""
        stressed = self.stress is not None or not self.needs_stress
        return self.energy is not None and self.forces is not None and stressed


class Evaluations:
    """Several self-consistent calculations."""

    evaluations: list[Evaluation]

    @property
    def usable(self) -> list[Evaluation]:
        """The whole and converged ones."""
        return [one for one in self.evaluations if one.whole and one.converged]

    @property
    def not_converged(self) -> bool:
        """Whether a self-consistent calculation came to no end."""
        return any(not one.converged for one in self.evaluations)


@dataclass
class PwLog(Evaluations):
    """What a run of pw.x printed.

    Attributes
    ----------
    evaluations
        All that began; the last one may be cut off.
    step
        Number of the last MD step that moved the atoms.
    moved
        Cell and positions that were printed last, in Å.
    sites
        Positions in the input, Å.
    alat
        Length in which sites are printed, Å.
    ended
        Whether it came to ``JOB DONE``.
    goes_on
        Whether it took the structure that an earlier run left, not that of its input.
    relaxed
        Whether the optimization converged.
    out_of_steps, out_of_time
        Whether nstep or max_seconds ended it.
    error
        The error of pw.x, "" where there was none.
    ignored
        Cards of its input that this release does not know.
    in_crystal_axes
        Whether sites are printed along the axes of the cell by now.
    has_stress
        Whether it can compute a stress.
    """

    path: Path
    moved: tuple[np.ndarray, np.ndarray]
    sites: np.ndarray
    version: str = ""
    alat: float = 0.0
    evaluations: list[Evaluation] = field(default_factory=list)
    step: int = 0
    goes_on: bool = False
    ended: bool = False
    relaxed: bool = False
    out_of_steps: bool = False
    out_of_time: bool = False
    error: str = ""
    ignored: list[str] = field(default_factory=list)
    in_crystal_axes: bool = False
    has_stress: bool = True

    @property
    def end(self) -> str:
        """How it ended, for people."""
        if self.error:
            return f"{self.path}: pw.x stopped: {self.error}"
        if self.out_of_time:
            return f"{self.path}: max_seconds ended the run"
        count = sum(one.whole for one in self.evaluations)
        return f"{self.path}: cut off after {count} complete evaluations"

    def demand_cards(self) -> None:
        """Raise NotConvergedError where a card was ignored: another try would do so, too."""
        if self.ignored:
            names = ", ".join(self.ignored)
            raise NotConvergedError(f"{self.path}: pw.x {self.version} ignored the card {names}")

    def demand_end(self) -> None:
        """Raise CutOffError, or NotConvergedError, unless the run came to its end."""
        self.demand_cards()
        if self.not_converged:
            raise NotConvergedError(f"{self.path}: {NOT_CONVERGED}")
        if not self.ended or self.out_of_time or self.error:
            raise CutOffError(self.end)


def read_log(path: Path, given: Atoms, start: Optional[Atoms] = None) -> PwLog:
    """Read an output as far as it goes.

    Parameters
    ----------
    given
        The structure in the input, in Å.
    start
        That from which a run went on (restart_mode), if it is another.

    Raises
    ------
    TaskError
        It cannot be opened, a table in it is damaged, or it is of another structure.
    """
    first = given if start is None else start
    log = PwLog(path, (first.cell.array.copy(), first.positions.copy()), given.positions)
    with Lines(path) as lines:
        try:
            for line in lines:
                _take(log, lines, line)
        except CutOffError:
            log.ended = False
    return log


def labelled(one: Evaluation, start: Atoms) -> Atoms:
    """A frame with the labels of a whole evaluation; `start` says which atoms they are."""
    assert one.energy is not None
    assert one.forces is not None
    atoms = Atoms(start.get_chemical_symbols(), one.positions, cell=one.cell, pbc=True)
    virial = None if one.stress is None else one.stress * atoms.get_volume()
    set_labels(atoms, one.energy, one.forces, virial)
    return atoms


def _take(log: PwLog, lines: Lines, line: str) -> None:
    """Take what a line, and those that follow it, say."""
    atoms = len(log.moved[1])
    text = line.strip()
    if _CYCLE in line:
        log.evaluations.append(Evaluation(log.step, *log.moved, needs_stress=log.has_stress))
    elif NOT_CONVERGED in line:
        _last(log, lines).converged = False
    elif found := _ENERGY.match(line):
        _last(log, lines).energy = lines.numbers([found[1]])[0] * RYDBERG
    elif _FORCES.match(line):
        _last(log, lines).forces = _forces(lines, atoms) * (RYDBERG / BOHR)
    elif _STRESS.match(line):
        _last(log, lines).stress = _rows(lines, 3, 8, take=3) * (RYDBERG / BOHR**3)
    elif found := _CELL.match(line):
        log.moved = (_rows(lines, 3, 9) * _length(lines, found), log.moved[1])
    elif found := _POSITIONS.match(line):
        log.moved = (log.moved[0], _positions(lines, atoms, found[1]))
    elif found := _STEP.match(line):
        log.step = int(found[1])
    elif found := _ERROR.match(line):
        log.error = f"{found[1].rstrip()} {next(lines, '').strip()}"
    elif found := _SITE.match(line):
        _check_site(log, lines, found)
    elif text == "JOB DONE.":
        log.ended = True
    else:
        _end(log, lines, line)


def _end(log: PwLog, lines: Lines, line: str) -> None:
    """Take what says how the run ended."""
    if found := _START.match(line):
        log.version = found[1]
    elif found := _ALAT.match(line):
        log.alat = lines.numbers([found[1]])[0] * BOHR
    elif _RELAXED.search(line):
        log.relaxed = True
    elif any(words in line for words in _STEPS_OUT):
        log.out_of_steps = True
    elif "Atomic positions from file used" in line:
        log.goes_on = True
    elif "Maximum CPU time exceeded" in line:
        log.out_of_time = True
    elif found := _IGNORED.match(line.strip()):
        log.ignored += [found[1]] if found[1] in CARDS else []
    elif _NO_STRESS in line:
        log.has_stress = False
    elif _CRYSTAL_AXES in line:
        log.in_crystal_axes = True


def _check_site(log: PwLog, lines: Lines, found: re.Match[str]) -> None:
    """Compare a site of the head with the structure, but not those along the cell's axes."""
    if log.evaluations or log.in_crystal_axes or not log.alat:
        return
    number = int(found[1])
    positions = log.sites
    place = np.array(_numbers(lines, found[2], _SEVEN, 3)) * log.alat
    if number > len(positions) or np.abs(place - positions[number - 1]).max() > _SAME_PLACE:
        raise lines.error(f"atom {number} is not where the input has it: of another structure")


def _last(log: PwLog, lines: Lines) -> Evaluation:
    if not log.evaluations:
        raise lines.error("results before a self-consistent calculation began")
    return log.evaluations[-1]


def _forces(lines: Lines, atoms: int) -> np.ndarray:
    """The table of forces, Ry/bohr."""
    made: list[list[float]] = []
    while len(made) < atoms:
        line = lines.take()
        if not line.strip():
            continue
        found = _FORCE.match(line)
        if found is None or int(found[1]) != len(made) + 1:
            raise lines.error(f"forces of {len(made)} atoms where {atoms} are expected")
        made.append(_numbers(lines, found[2], _DECIMALS[8], 3))
    return np.array(made)


def _rows(lines: Lines, count: int, decimals: int, take: int = 3) -> np.ndarray:
    """The first numbers of the next lines; numbers of a fixed width may touch."""
    pattern = _DECIMALS[decimals]
    return np.array([_numbers(lines, lines.take(), pattern, take) for _ in range(count)])


def _numbers(lines: Lines, text: str, pattern: re.Pattern[str], count: int) -> list[float]:
    words = pattern.findall(text)
    if len(words) < count or "*" in text:
        raise lines.error(f"{count} numbers are expected")
    return lines.numbers(words[:count])


def _length(lines: Lines, found: re.Match[str]) -> float:
    """The unit of CELL_PARAMETERS in Å."""
    unit = found[1].lower()
    if unit == "alat" and found[2]:
        return float(found[2]) * BOHR
    if unit not in ("angstrom", "bohr"):
        raise lines.error(f"cell in {unit}; expected angstrom")
    return BOHR if unit == "bohr" else 1.0


def _positions(lines: Lines, atoms: int, unit: str) -> np.ndarray:
    """The table of positions, Å."""
    if unit.lower() != "angstrom":
        raise lines.error(f"positions in {unit}; expected angstrom")
    rows = [lines.take() for _ in range(atoms)]
    return np.array([_numbers(lines, row, _FIXED, 3) for row in rows])


def parts(directory: Path, name: str) -> Iterator[Path]:
    """The outputs of all starts of one task, in order; the last is `name` itself."""
    stem, _, ending = name.rpartition(".")
    number = 0
    while (directory / f"{stem}.{number}.{ending}").is_file():
        yield directory / f"{stem}.{number}.{ending}"
        number += 1
    if (directory / name).is_file():
        yield directory / name
