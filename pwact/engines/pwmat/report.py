"""What PWmat's ``REPORT`` and ``RELAXSTEPS`` say about the end of a calculation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from pwact.engines.md_steps import MdProgress
from pwact.engines.pwmat.input import read_etot_input
from pwact.formats.thermo import last_number
from pwact.io.files import log_tail
from pwact.io.lines import Lines

REPORT = "REPORT"
RELAXSTEPS = "RELAXSTEPS"

_REASON = re.compile(r"ending_scf_reason\s*=\s*tol\b")
_STEP = re.compile(r"It\s*=\s*(\d+)")
_LARGEST_FORCE = re.compile(r"\bM_F\s*=\s*(\S+)")


def ended(directory: Path) -> bool:
    """Whether PWmat came to its end: the last line of REPORT tells the time it took."""
    return "time" in log_tail(directory / REPORT, 1)


@dataclass
class _Scf:
    """Requested accuracy and last change of one quantity."""

    name: str
    asked: Optional[float] = None
    change: Optional[float] = None

    @property
    def reached(self) -> bool:
        return (
            self.asked is not None
            and self.change is not None
            and self.asked >= abs(self.change)  # never so for NaN
        )

    def __str__(self) -> str:
        return f"{self.name} {_shown(self.change)}, asked for {_shown(self.asked)}"


def not_converged(directory: Path) -> str:
    """Why the SCF of a single point is not converged; "" if it is.

    It is when REPORT names the tolerance as the reason for its end. Else the last change of the
    energy must be at most E_ERROR, or that of the density at most RHO_ERROR.

    Raises
    ------
    TaskError
        REPORT cannot be read.
    """
    energy, density = _Scf("change of the energy"), _Scf("change of the density")
    with Lines(directory / REPORT) as lines:
        for line in lines:
            if _REASON.search(line):
                return ""
            if "niter reached" in line:
                break
            _note(line, energy, density)
    if energy.reached or density.reached:
        return ""
    return f"the SCF is not converged: {energy}; {density}"


def _note(line: str, energy: _Scf, density: _Scf) -> None:
    key, equals, value = line.partition("=")
    words = value.split()
    if not equals or not words:
        return
    key = " ".join(key.split())
    if key == "E_ERROR" and energy.asked is None:
        energy.asked = _number(words[0])
    elif key == "RHO_ERROR" and density.asked is None:
        density.asked = _number(words[0])
    elif key == "E_tot(eV)":
        energy.change = _number(words[-1])
    elif key == "dv_ave, drho_tot":
        density.change = _number(words[-1])


def _number(word: str) -> Optional[float]:
    try:
        return float(word.upper().replace("D", "E"))
    except ValueError:
        return None


def _shown(value: Optional[float]) -> str:
    return "unknown" if value is None else f"{value:g}"


@dataclass(frozen=True)
class RelaxEnd:
    """The last step of a relaxation: its number, and the largest force in eV/Å."""

    step: int
    force: float


def last_relax_step(directory: Path) -> Optional[RelaxEnd]:
    """The last line of RELAXSTEPS; None if it does not tell."""
    line = log_tail(directory / RELAXSTEPS, 1)
    step, force = _STEP.search(line), _LARGEST_FORCE.search(line)
    number = _number(force.group(1)) if force else None
    if step is None or number is None:
        return None
    return RelaxEnd(int(step.group(1)), number)


def md_steps(directory: Path) -> Optional[MdProgress]:
    """Steps that an AIMD has made, and those asked for; None where there is no AIMD."""
    control = read_etot_input(directory / "etot.input")
    detail = control.values.get("MD_DETAIL", "").replace(",", " ").split()
    if control.values.get("JOB", "").upper() != "MD" or len(detail) < 3:
        return None
    pattern = r"Iteration\s*\(fs\)\s*=\s*([-+.\dEe]+)"
    time_fs = last_number(directory / "MOVEMENT", pattern)
    dt_fs = float(detail[2])
    made = None if time_fs is None or not dt_fs else max(0.0, time_fs / dt_fs)
    return MdProgress(made, int(detail[1]))
