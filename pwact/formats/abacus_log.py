"""``running_scf.log`` of ABACUS and its like: self-consistent calculations, and the end of the run.

Energies in eV: E_KohnSham, which holds -TS where there is a smearing, so that the forces belong to
it. Forces in eV/Å, stress in kbar, positive when the cell wants to expand. The words are those of
ABACUS 2.2 to 3.10 and of its development branch; decorations around tables differ between versions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

import numpy as np
from ase import Atoms

from pwact.errors import CutOffError, NotConvergedError
from pwact.formats.labels import set_labels
from pwact.io.lines import Lines

KBAR = 6.241509074460763e-4  # eV/Å³; CODATA 2018
_CONVERGED = ("charge density convergence is achieved", "#SCF IS CONVERGED#")
_NOT_CONVERGED = (
    "convergence has NOT been achieved",
    "convergence has not been achieved",
    "!!SCF IS NOT CONVERGED!!",
)
_VERSION = re.compile(r"^\s*ABACUS v(\S+)")
_TABLE_ENERGY = re.compile(r"^\s*E_KohnSham\s+\S+\s+(\S+)\s*$")
_ENERGY = re.compile(r"^\s*(?:final etot is|#TOTAL ENERGY#)\s+(\S+)\s+eV")
_FORCES = re.compile(r"^\s*#?TOTAL-FORCE \(eV/Angstrom\)#?\s*$")
_STRESS = re.compile(r"^\s*#?TOTAL-STRESS \(KBAR\)#?\s*$", re.IGNORECASE)
_NUMBER = r"[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?"
_FORCE = re.compile(rf"^\s*([A-Z][a-z]?)\w*\s+({_NUMBER})\s+({_NUMBER})\s+({_NUMBER})\s*$")
_THREE = re.compile(rf"^\s*({_NUMBER})\s+({_NUMBER})\s+({_NUMBER})\s*$")
_PLACE = re.compile(r"^\s*taud_\S+\s+(\S+)\s+(\S+)\s+(\S+)\s")
_STEP = re.compile(r"^\s*STEP OF MOLECULAR DYNAMICS\s*:\s*(\d+)")
_RELAXED = re.compile(r"(?:Ion relaxation|Relaxation|Lattice relaxation) is converged!")
_NOT_RELAXED = re.compile(r"(?:Ion relaxation|Relaxation|Lattice relaxation) is not converged")
_FINISH = re.compile(r"^\s*(?:Total|TOTAL)\s+Time\s*:")
_DECORATIONS = 8  # lines between a heading and its table
_SAME_PLACE = 1e-5  # of a lattice vector; places are printed with six digits or more


@dataclass
class Evaluation:
    """One self-consistent calculation.

    Attributes
    ----------
    energy
        eV.
    forces
        eV/Å, shape (N, 3), in the order of STRU.
    stress
        eV/Å³, shape (3, 3), positive when the cell wants to expand.
    step
        Number of the MD step.
    """

    converged: bool
    energy: Optional[float]
    step: int = 0
    forces: Optional[np.ndarray] = None
    stress: Optional[np.ndarray] = None

    @property
    def whole(self) -> bool:
        """Whether all labels are there."""
        return self.energy is not None and self.forces is not None and self.stress is not None


@dataclass
class AbacusLog:
    """What a run wrote.

    Attributes
    ----------
    evaluations
        Those whose self-consistent calculation came to an end, converged or not.
    energy
        The last one of the table of energies, eV.
    ended
        Whether the run came to its end.
    relaxed
        Whether a relaxation said last that it is converged.
    """

    path: Path
    symbols: Sequence[str]
    version: str = ""
    evaluations: list[Evaluation] = field(default_factory=list)
    energy: Optional[float] = None
    step: int = 0
    ended: bool = False
    relaxed: bool = False

    def demand_end(self) -> None:
        """Raise CutOffError unless the run came to its end."""
        if not self.ended:
            count = sum(one.whole for one in self.evaluations)
            raise CutOffError(f"{self.path}: cut off after {count} complete evaluations")

    def single(self) -> Evaluation:
        """The one evaluation of a single point.

        Raises
        ------
        CutOffError
            The run has not come to its end, or has no labels.
        NotConvergedError
            Its calculation is not converged.
        """
        self.demand_end()
        if not self.evaluations or not self.evaluations[-1].converged:
            raise NotConvergedError(f"{self.path}: the SCF is not converged")
        if not self.evaluations[-1].whole:
            raise CutOffError(f"{self.path}: energy, forces or stress are missing")
        return self.evaluations[-1]


def read_log(path: Path, start: Atoms) -> AbacusLog:
    """Read a log as far as it goes.

    Parameters
    ----------
    start
        The structure of the run, in the order of its STRU.

    Raises
    ------
    TaskError
        It cannot be opened, a table in it is damaged, or it is of another structure.
    """
    log = AbacusLog(path, start.get_chemical_symbols())
    places = start.cell.scaled_positions(start.positions)
    seen = 0
    with Lines(path) as lines:
        try:
            for line in lines:
                if (found := _PLACE.match(line)) and not log.evaluations and seen < len(places):
                    _check_place(lines, found, places[seen])
                    seen += 1
                _take(log, lines, line)
        except CutOffError:
            log.ended = False
    return log


def labelled(one: Evaluation, atoms: Atoms) -> Atoms:
    """A copy of a structure, in the order of STRU, with the labels of a whole evaluation."""
    assert one.energy is not None
    assert one.forces is not None
    assert one.stress is not None
    made = atoms.copy()
    set_labels(made, one.energy, one.forces, one.stress * made.get_volume())
    return made


def _take(log: AbacusLog, lines: Lines, line: str) -> None:
    if found := _TABLE_ENERGY.match(line):
        log.energy = lines.numbers([found[1]])[0]
    elif any(words in line for words in _CONVERGED):
        log.evaluations.append(Evaluation(True, log.energy, log.step))
    elif any(words in line for words in _NOT_CONVERGED):
        log.evaluations.append(Evaluation(False, log.energy, log.step))
    elif found := _ENERGY.match(line):
        _last(log, lines).energy = lines.numbers([found[1]])[0]
    elif _FORCES.match(line):
        _last(log, lines).forces = _forces(log, lines)
    elif _STRESS.match(line):
        _last(log, lines).stress = np.array(_rows(lines, _THREE, 3)) * KBAR
    elif found := _STEP.match(line):
        log.step = int(found[1])
    elif found := _VERSION.match(line):
        log.version = found[1]
    elif _RELAXED.search(line) or _NOT_RELAXED.search(line):
        log.relaxed = bool(_RELAXED.search(line))
    elif _FINISH.match(line):
        log.ended = True


def _last(log: AbacusLog, lines: Lines) -> Evaluation:
    if not log.evaluations:
        raise lines.error("results before a self-consistent calculation came to its end")
    return log.evaluations[-1]


def _forces(log: AbacusLog, lines: Lines) -> np.ndarray:
    rows = _rows(lines, _FORCE, len(log.symbols), log.symbols)
    return np.array(rows)


def _rows(
    lines: Lines, pattern: re.Pattern[str], count: int, labels: Sequence[str] = ()
) -> list[list[float]]:
    """The next `count` rows of three numbers, behind the decorations of their heading."""
    made: list[list[float]] = []
    passed = 0
    while len(made) < count:
        line = lines.take()
        found = pattern.match(line)
        if found is None:
            passed += 1
            if made or passed > _DECORATIONS:
                raise lines.error(f"{len(made)} rows of a table where {count} are expected")
            continue
        *label, x, y, z = found.groups()
        if label and label[0] != labels[len(made)]:
            raise lines.error(f"{label[0]} where {labels[len(made)]} is expected: other atoms")
        made.append(lines.numbers([x, y, z]))
    return made


def _check_place(lines: Lines, found: re.Match[str], place: np.ndarray) -> None:
    """Compare an atom of the head of the log with the structure."""
    away = np.array(lines.numbers(found.groups())) - place
    if np.abs(away - np.round(away)).max() > _SAME_PLACE:
        raise lines.error("an atom is not where STRU has it: the log is of another structure")
