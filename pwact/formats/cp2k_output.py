"""The log of CP2K: energies, forces and stresses of every evaluation, and how the run ended.

Read are the wordings of CP2K 6 to 2025. Units are those of this package: eV, eV/Å, and eV/Å³ for
the stress, with its sign as printed: its trace is three times the pressure.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Callable

import numpy as np
from ase.data import atomic_numbers

from pwact.errors import CutOffError
from pwact.formats.cp2k_log import NOT_CONVERGED, OUT_OF_TIME, Evaluation, Log
from pwact.io.lines import Lines

HARTREE = 27.2113838565563  # eV; these constants are those of CP2K (CODATA 2006)
HARTREE_PER_BOHR = 51.42206318571696  # eV/Å
BOHR = HARTREE / HARTREE_PER_BOHR  # Å
GPA = 1.0 / 160.21766208  # eV/Å³
_ENERGY_UNITS = {"a.u.": HARTREE, "hartree": HARTREE, "ev": 1.0}
FORCE_UNITS = {
    "a.u.": HARTREE_PER_BOHR,
    "hartree/bohr": HARTREE_PER_BOHR,
    "hartree*bohr^-1": HARTREE_PER_BOHR,
    "ev/angstrom": 1.0,
    "ev*angstrom^-1": 1.0,
}
_STRESS_UNITS = {"gpa": GPA, "mpa": GPA / 1e3, "pa": GPA / 1e9, "bar": GPA / 1e4, "kbar": GPA / 10}
_UNIT = re.compile(r"[\[(]([^\[\]()]+)[\])]\s*:?[^\[\]()]*$")
_STEP = re.compile(r"(?:MD\|\s*)?STEP NUMBER\s*=?\s*(\d+)$", re.IGNORECASE)
_ENSEMBLE = re.compile(r"MD(?:_PAR)?\|\s*Ensemble(?:\s+Type)?\s+(\S+)$", re.IGNORECASE)
_OUT_OF_STEPS = "MAXIMUM NUMBER OF OPTIMIZATION STEPS REACHED"


def read_log(path: Path) -> Log:
    """Read a log as far as it goes.

    Raises
    ------
    TaskError
        It cannot be opened, or holds something else where a number must be; names the line.
    """
    with Lines(path) as lines:
        reader = _Reader(lines)
        try:
            reader.run()
        except CutOffError as error:
            reader.log.cut = str(error)
            if reader.log.evaluations:
                reader.log.evaluations.pop()
    return reader.log


class _Reader:
    """Knows by the first word of a line what it is about."""

    def __init__(self, lines: Lines) -> None:
        self.lines = lines
        self.log = Log(lines.path)
        self.converged = True
        self.force_unit = HARTREE_PER_BOHR
        self.handlers: dict[str, Callable[[str], None]] = {
            "ENERGY|": self.energy,
            "ATOMIC": self.force_table,
            "FORCES|": self.force_line,
            "STRESS|": self.stress,
            "STRESS": self.stress,
            "MD|": self.md_step,
            "MD_PAR|": self.md_step,
            "STEP": self.md_step,
            "OPTIMIZATION": self.optimization,
            "***": self.message,
            "****": self.end,
            "*": self.box,
            "MODULE": self.coordinates,
            "CELL|": self.cell,
            "GLOBAL|": self.run_type,
            "#": self.population,
            "#Atom": self.population,
        }

    def run(self) -> None:
        """Read everything."""
        for line in self.lines:
            text = line.strip()
            handler = self.handlers.get(text.split(None, 1)[0]) if text else None
            if handler:
                handler(text)
            elif OUT_OF_TIME in text:
                self.log.out_of_time = True

    def population(self, text: str) -> None:
        """Heading of a table of Mulliken or Hirshfeld, which has moments in a run with spins."""
        self.log.moments = self.log.moments or "Spin moment" in text

    def end(self, text: str) -> None:
        """First of the lines that are printed at the start and at the end."""
        if "PROGRAM STARTED AT" in text:
            begun = self.log.runs + 1 if self.log.atoms or self.log.evaluations else self.log.runs
            self.log = Log(self.lines.path, runs=begun)
            self.converged = True
        elif "PROGRAM ENDED AT" in text:
            self.log.ended = True

    def message(self, text: str) -> None:
        """Lines such as ``*** SCF run converged in     9 steps ***``."""
        if NOT_CONVERGED in text:
            self.log.unconverged = True
            self.converged = False
        elif _OUT_OF_STEPS in text:
            self.log.out_of_steps = True
        elif OUT_OF_TIME in text:
            self.log.out_of_time = True

    def box(self, text: str) -> None:
        """The box around what the program says when it stops."""
        self.message(text)
        words = text.strip("* ").partition("[ABORT]")
        if words[1]:
            self.log.abort = f"CP2K gave up: {words[2].strip()}".rstrip()
        elif self.log.abort and "\\___/" in text:
            self.log.abort += f" {text.strip('* ').partition('___/')[2].strip()}"

    def unit(self, text: str, known: dict[str, float]) -> float:
        """The factor for the unit in brackets."""
        found = _UNIT.search(text)
        unit = found.group(1).strip().lower() if found else ""
        if unit not in known:
            raise self.lines.error(f"the unit {unit!r} is none of {', '.join(known)}")
        return known[unit]

    def energy(self, text: str) -> None:
        """``ENERGY| Total FORCE_EVAL ( QS ) energy [a.u.]:      -30.895``."""
        label, _, number = text.rpartition(" ")
        if "Total FORCE_EVAL" not in label:
            return
        energy = self.lines.numbers([number])[0] * self.unit(label, _ENERGY_UNITS)
        self.log.evaluations.append(Evaluation(energy, self.converged, self.lines.number))
        self.converged = True

    def _last(self) -> Evaluation:
        if not self.log.evaluations:
            raise self.lines.error("this stands before any energy")
        return self.log.evaluations[-1]

    def _once(self, before: Any, now: Any, what: str) -> Any:
        """`now`, unless something else followed the same energy `before`."""
        if before is not None and not np.allclose(before, now, rtol=0.01, atol=1e-4):
            raise self.lines.error(f"a second {what} follows one energy, and differs")
        return now

    def force_table(self, text: str) -> None:
        """The table of CP2K up to 2024: number, kind, element, x, y, z."""
        if not text.startswith("ATOMIC FORCES in"):
            return
        factor = self.unit(text, FORCE_UNITS)
        evaluation = self._last()
        rows: list[list[float]] = []
        while True:
            words = self.lines.take().split()
            if words[:1] == ["SUM"]:
                break
            if not rows and (not words or words[0] == "#"):
                continue
            if len(words) != 6 or words[0] != str(len(rows) + 1):
                raise self.lines.error(f"no forces on atom {len(rows) + 1}")
            rows.append([factor * value for value in self.lines.numbers(words[3:])])
        evaluation.forces = self._once(evaluation.forces, rows, "table of forces")

    def force_line(self, text: str) -> None:
        """The table of CP2K from 2025 on, every line marked: number, x, y, z, length."""
        words = text.split()[1:]
        if "Atomic forces" in text:
            self.force_unit = self.unit(text, FORCE_UNITS)
            self._last().forces = []
        elif words and words[0].isdigit():
            rows = self._last().forces
            if rows is None or len(words) != 5 or words[0] != str(len(rows) + 1):
                raise self.lines.error(f"no forces on atom {len(rows or ()) + 1}")
            rows.append([self.force_unit * value for value in self.lines.numbers(words[1:4])])

    def stress(self, text: str) -> None:
        """The rows after ``STRESS| Analytical stress tensor [GPa]`` or ``STRESS TENSOR [GPa]``."""
        title = text.replace("STRESS|", "").strip().upper()
        if not re.match(r"((ANALYTICAL|NUMERICAL) )?STRESS TENSOR *\[", title):
            return
        factor = self.unit(text, _STRESS_UNITS)
        evaluation = self._last()
        rows = []
        for axis in ("HEAD", "X", "Y", "Z"):
            words = [""]
            while not words or words == [""]:
                words = self.lines.take().replace("STRESS|", "").split()
            if axis == "HEAD":
                fine = " ".join(words).upper() == "X Y Z"
            else:
                fine = len(words) == 4 and words[0].upper() == axis
                rows.append(self.lines.numbers(words[1:]) if fine else [])
            if not fine:
                raise self.lines.error("this is no row of a stress tensor")
        evaluation.stress = self._once(evaluation.stress, factor * np.array(rows), "stress")

    def md_step(self, text: str) -> None:
        """``MD| Step number       1``: what was evaluated since the step before belongs to it."""
        ensemble = _ENSEMBLE.match(text)
        if ensemble and ensemble[1] not in self.log.kind:
            self.log.kind = f"{self.log.kind} {ensemble[1]}".strip()
        found = _STEP.match(text)
        if found:
            for evaluation in reversed(self.log.evaluations):
                if evaluation.step is not None:
                    break
                evaluation.step = int(found.group(1))

    def optimization(self, text: str) -> None:
        """``OPTIMIZATION STEP:      2``."""
        if found := re.match(r"OPTIMIZATION STEP:\s*(\d+)$", text):
            self.log.last_step = int(found.group(1))

    def run_type(self, text: str) -> None:
        """``GLOBAL| Run type    MD``."""
        words = text.split()
        if words[1:3] == ["Run", "type"] and len(words) == 4:
            self.log.kind = words[3].upper()

    def cell(self, text: str) -> None:
        """``CELL| Vector a [angstrom]:  5.431  0.000  0.000   |a| =  5.431000``."""
        words = text.split()
        if words[1:2] == ["Periodicity"] and len(words) == 3:
            self.log.periodic = words[2].upper()
        found = re.match(r"CELL\| Vector ([abc]) \[angstrom\]?:?(.*)\|[abc]\|", text)
        if found:
            self.log.cell.setdefault(found.group(1), self.lines.numbers(found.group(2).split()))

    def coordinates(self, text: str) -> None:
        """``… ATOMIC COORDINATES IN ANGSTROM``: number, kind, element, Z, x, y, z."""
        if not text.upper().endswith("ATOMIC COORDINATES IN ANGSTROM") or self.log.atoms:
            return
        while True:
            words = self.lines.take().split()
            fine = len(words) == 9 and words[0] == str(len(self.log.atoms) + 1)
            fine = fine and words[2] in atomic_numbers
            if fine:
                self.log.atoms.append((words[2], self.lines.numbers(words[4:7])))
            elif self.log.atoms:
                return
