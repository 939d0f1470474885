"""OUTCAR files of VASP, one ionic step after the other, in memory for one step.

An ionic step is given out when its last line, the energy, has been read, so what a killed run
leaves behind is never half a frame. Positions in Å, energies in eV, forces in eV/Å, virials in eV.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Optional

import numpy as np
from ase import Atoms

from pwact.errors import CutOffError, TaskError
from pwact.formats.labels import set_labels
from pwact.formats.outcar_head import SECOND, VERSION, RunHead, read_head
from pwact.io.lines import Lines

# What matters after the head of the file; all other lines are passed over.
_MARK = re.compile(
    r"Iteration\s*(?P<ion>\d+|\*+)\s*\(\s*(?P<electron>\d+|\*+)\)"
    r"|(?P<stop>aborting loop)"
    r"|(?P<learned>free  energy ML TOTEN)"
    r"|(?P<energy>free  energy   TOTEN\s*=)"
    r"|^ *(?P<stress>FORCE on cell =-STRESS)"
    r"|(?P<cell>VOLUME and BASIS-vectors are now)"
    r"|(?P<forces>^ *POSITION +TOTAL-FORCE \(eV/Angst\))"
    r"|(?P<response>^ *Linear response)"
    r"|(?P<accuracy>reached required accuracy)"
    r"|(?P<end>General timing and accounting)"
    r"|^ ?(?P<again>vasp\.\d)"
)
_WORDS = (
    "Iteration",
    "free  energy",
    "aborting",
    "FORCE",
    "BASIS",
    "required",
    "General",
    "vasp.",
    "Linear",
)
_STRESS_ROWS = 40
_SAME_CELL = 1e-5  # both have nine decimals
_NO_STRESS = (0, 1)  # ISIF that makes no stress tensor, or its trace only


@dataclass(frozen=True)
class IonicStep:
    """One complete ionic step.

    Attributes
    ----------
    number
        From 1; machine-learned steps are not counted.
    iterations
        Electronic steps that it took.
    converged
        Whether the electronic steps ended before they had to: strictly fewer than NELM.
    given_up
        Whether VASP itself says that EDIFF was not reached, as it does since version 6.
    atoms
        Labelled frame; None where the run was asked to write no forces (NWRITE 0 or 1).
    """

    number: int
    iterations: int
    converged: bool
    given_up: bool
    atoms: Optional[Atoms]


@dataclass
class _Pending:
    """What has been read of the present ionic step."""

    ion: str = ""
    iterations: int = 0
    given_up: bool = False
    cell: Optional[np.ndarray] = None
    table: Optional[np.ndarray] = None
    virial: Optional[np.ndarray] = None
    energy: Optional[float] = None


@dataclass
class Outcar:
    """One pass over an OUTCAR: iterate over its ionic steps, then ask how it ended.

    Attributes
    ----------
    head
        Known as soon as the first step is given out.
    ended
        Whether VASP wrote its timing at the end, as it does when it ends by itself.
    relaxed
        Whether the structure reached EDIFFG.
    response
        Whether further iterations follow an ionic step that is complete: linear response (LEPSILON,
        DFPT), NMR, GW. Nothing that comes behind is a label.
    learned
        Energies of VASP's machine-learned force field, which are no labels and are left out.

    Raises
    ------
    CutOffError
        The file ends before the first ionic step begins.
    TaskError
        The file cannot be read; names file and line.
    """

    path: Path
    head: Optional[RunHead] = None
    ended: bool = False
    relaxed: bool = False
    learned: int = 0
    response: bool = False
    _count: int = 0
    _last_ion: str = ""
    _with_stress: Optional[bool] = None
    _step: _Pending = field(default_factory=_Pending)

    def __iter__(self) -> Iterator[IonicStep]:
        with Lines(self.path) as lines:
            self.head, first = read_head(lines)
            try:
                yield from self._steps(lines, self.head, first)
            except CutOffError:
                return  # in the middle of a table: the steps before it are complete

    def _steps(self, lines: Lines, head: RunHead, first: str) -> Iterator[IonicStep]:
        for line in chain([first], lines):
            found = _MARK.search(line) if _promising(line) else None
            if found is None:
                continue
            kind = found.lastgroup
            if kind == "electron":
                yield from self._held(lines, head, found["ion"])
                self._iteration(lines, found["ion"], found["electron"])
            elif kind == "response":
                self.response = True
            elif self.response and kind not in ("end", "again"):
                continue
            elif kind == "energy":
                yield from self._energy(lines, head, line[found.end() :])
            elif kind == "learned":
                self.learned += 1
            elif kind == "end":
                yield from self._held(lines, head, "")
                self._check_end(lines)
                return
            elif kind == "accuracy":
                self.relaxed = True
            elif kind == "again":
                raise lines.error(SECOND)
            else:
                self._block(lines, head, line, str(kind))
                if kind == "forces" and self._step.energy is not None:
                    yield self._finish(lines, head)

    def _held(self, lines: Lines, head: RunHead, ion: str) -> Iterator[IonicStep]:
        """A step whose energy waits for a table that does not come before ionic step `ion`."""
        if self._step.energy is not None and ion != self._step.ion:
            yield self._finish(lines, head)

    def _iteration(self, lines: Lines, ion: str, electron: str) -> None:
        if (
            ion == self._last_ion and ion.isdigit()
        ):  # the step is complete: what follows is no other
            self.response = True
        if self.response:
            return
        if ion.isdigit() and self._last_ion.isdigit() and int(ion) < int(self._last_ion):
            raise lines.error(f"ionic step {ion} comes behind {self._last_ion}: {SECOND}")
        if self._step.iterations and ion != self._step.ion:
            raise lines.error(f"the ionic step {self._step.ion} before this line has no energy")
        self._step.ion = ion
        self._step.iterations = int(electron) if electron.isdigit() else 10 ** len(electron)

    def _block(self, lines: Lines, head: RunHead, line: str, kind: str) -> None:
        if kind == "stop":
            self._step.given_up = "EDIFF is reached" not in line
        elif kind == "stress":
            self._step.virial = _read_stress(lines)
        elif kind == "cell":
            self._step.cell = _read_cell(lines)
        elif "(ML)" not in line:
            lines.take()
            rows = [_fixed(lines, lines.take(), (5, 5, 5, 6, 6, 6)) for _ in head.symbols]
            if not lines.take().strip().startswith("---"):
                raise lines.error(f"the table of forces must end after {len(rows)} atoms")
            self._step.table = np.array(rows)

    def _energy(self, lines: Lines, head: RunHead, rest: str) -> Iterator[IonicStep]:
        """The energy ends a step, but that of VASP up to 5.2, whose tables come behind it."""
        self._step.energy = lines.number_in(rest.split(), 0)
        if self._step.iterations == 0:
            raise lines.error("an energy without electronic steps before it")
        if self._step.table is not None or self._step.cell is not None:
            yield self._finish(lines, head)

    def _finish(self, lines: Lines, head: RunHead) -> IonicStep:
        step, self._step = self._step, _Pending()
        self._count, self._last_ion = self._count + 1, step.ion
        return IonicStep(
            self._count,
            step.iterations,
            step.iterations < head.nelm and not step.given_up,
            step.given_up,
            self._frame(lines, head, step),
        )

    def _frame(self, lines: Lines, head: RunHead, step: _Pending) -> Optional[Atoms]:
        if step.table is None and step.cell is None and head.nwrite < 2 and self._count > 1:
            return None
        for part, what in ((step.cell, "lattice"), (step.table, "table of forces")):
            if part is None:
                raise lines.error(f"ionic step {self._count} has no {what}")
        virial = None if head.isif in _NO_STRESS else step.virial
        if self._with_stress is None:
            self._with_stress = virial is not None
        if self._with_stress != (virial is not None):
            raise lines.error(f"only some ionic steps up to {self._count} have a stress")
        table = np.asarray(step.table)
        atoms = Atoms(list(head.symbols), table[:, :3], cell=step.cell, pbc=True)
        set_labels(atoms, float(step.energy or 0.0), table[:, 3:], virial)
        return atoms

    def _check_end(self, lines: Lines) -> None:
        if self._step.iterations:
            raise lines.error(f"the last ionic step {self._step.ion} has no energy")
        for line in lines:
            if VERSION.match(line):
                raise lines.error(SECOND)
        self.ended = True


def last_ionic_step(path: Path) -> Atoms:
    """The frame of the last complete ionic step, converged or not.

    Raises
    ------
    TaskError
        There is none, or the file is damaged before its end.
    """
    last = None
    for step in Outcar(path):
        last = step.atoms if step.atoms is not None else last
    if last is None:
        raise CutOffError(f"{path}: holds no complete ionic step")
    return last


def _promising(line: str) -> bool:
    """Whether `_MARK` may find something; ten times as fast as asking it."""
    for word in _WORDS:  # noqa: SIM110 - any() is half as fast
        if word in line:
            return True
    return False


def _read_stress(lines: Lines) -> np.ndarray:
    """The row ``Total`` above ``in kB``: xx yy zz xy yz zx in eV, as a symmetric matrix."""
    total: Optional[list[float]] = None
    for _ in range(_STRESS_ROWS):
        line = lines.take()
        words = line.split()
        if words[:2] == ["in", "kB"]:
            break
        if line.strip().startswith("Total"):
            total = _fixed(lines, line.strip()[len("Total") :], (5,) * 6)
    else:
        raise lines.error("the stress has no row 'in kB'")
    if total is None:
        raise lines.error("the stress has no row 'Total'")
    xx, yy, zz, xy, yz, zx = total
    return np.array([[xx, xy, zx], [xy, yy, yz], [zx, yz, zz]])


def _read_cell(lines: Lines) -> np.ndarray:
    for _ in range(6):
        if "direct lattice vectors" in lines.take():
            break
    else:
        raise lines.error("the lattice vectors are missing")
    rows = [lines.take() for _ in range(3)]
    cell = np.array([_fixed(lines, row, (9, 9, 9)) for row in rows])
    if abs(float(np.linalg.det(cell))) < 1e-6:
        raise lines.error("the lattice vectors span no volume")
    try:
        inverse = np.array([_fixed(lines, row, (9,) * 6)[3:] for row in rows])
    except TaskError:
        return cell  # without the reciprocal ones beside them
    if np.abs(cell @ inverse.T - np.eye(3)).max() > _SAME_CELL:
        raise lines.error("the lattice vectors and the reciprocal ones beside them do not fit")
    return cell


def _fixed(lines: Lines, text: str, decimals: tuple[int, ...]) -> list[float]:
    """Numbers at the start of a line with so many decimals each, also without blanks between."""
    pattern = r"\s*".join(rf"([-+]?\d*\.\d{{{number}}})" for number in decimals)
    found = re.match(rf"\s*{pattern}(?!\d)", text)
    words = list(found.groups()) if found else text.split()[: len(decimals)]
    if len(words) < len(decimals):
        raise lines.error(f"{len(words)} numbers where {len(decimals)} are expected")
    return lines.numbers(words)
