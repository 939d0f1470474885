"""What DFTB+ prints on the screen and into ``detailed.out``: versions, energies, convergence.

Its constants are used for all its numbers, since it turned our Å into bohr with them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from pwact.io.lines import Lines

BOHR = 0.529177249  # Å
HARTREE = 27.2113845  # eV
SCC_FAILED = "SCC is NOT converged"
_NOT_RELAXED = "Geometry did NOT converge"
_PLACE = "Path: dftbplusinput/"
_FREE_ENERGY = "Total Mermin free energy:"
_RELEASE = re.compile(r"\|\s+DFTB\+ .*?(\d+\.\d+).*")
_STEP = re.compile(r"\*\*\*\s+Geometry step:\s*(\d+)(?:,\s*Lattice step:\s*\d+)?\s*")
_FOOTER = re.compile(r"Total\s+=.*%\).*%\)")


@dataclass
class ScreenStep:
    """One geometry.

    Attributes
    ----------
    energy
        Mermin free energy in hartree, ten decimals; None where the step did not come so far.
    converged
        Whether nothing is said against its SCC.
    """

    number: int
    energy: Optional[float] = None
    converged: bool = True


@dataclass
class Screen:
    """The screen output.

    Attributes
    ----------
    release
        Version of the program; empty if it is not said.
    error
        The error with which DFTB+ stopped.
    places
        Paths of the keywords that it does not know or want.
    ended
        Whether the table of times at its end is there.
    """

    path: Path
    release: str = ""
    steps: list[ScreenStep] = field(default_factory=list)
    error: str = ""
    places: list[str] = field(default_factory=list)
    ended: bool = False
    relaxed: bool = True

    @property
    def end(self) -> str:
        """How the run ended, in words."""
        if self.error:
            places = f" ({', '.join(self.places)})" if self.places else ""
            return f"{self.path}: {self.error}{places}"
        return f"{self.path}: cut off after {len(self.steps)} steps"


def read_screen(path: Path) -> Screen:
    """Read the screen output of one run, as far as it goes.

    Raises
    ------
    TaskError
        The file is not there, a number of it is none, or it is of two runs.
    """
    screen = Screen(path)
    stopped, titles = False, 0
    with Lines(path) as lines:
        for line in lines:
            words = line.strip()
            if words.startswith("|  DFTB+ "):
                found = _RELEASE.fullmatch(words)
                screen.release = found.group(1) if found else screen.release
                titles += 1
            elif step := _STEP.fullmatch(words):
                screen.steps.append(ScreenStep(int(step.group(1))))
            elif words.startswith(_FREE_ENERGY) and screen.steps:
                screen.steps[-1].energy = _energy(lines, words)
            elif SCC_FAILED in words and screen.steps:
                screen.steps[-1].converged = False
            screen.relaxed &= _NOT_RELAXED not in words
            if stopped and words.startswith("->"):
                screen.error = f"{screen.error} {words[2:].strip()}".strip()
            stopped = words == "ERROR!" or (stopped and words.startswith("->"))
            if words.startswith(_PLACE):
                screen.places.append(words[len(_PLACE) :])
            if titles > 1 or (screen.ended and words.startswith("***")):
                raise lines.error("this is the output of more than one run")
            screen.ended |= _FOOTER.fullmatch(words) is not None
    return screen


def _energy(lines: Lines, line: str) -> float:
    words = line.partition(":")[2].split()
    if words[1:2] != ["H"]:
        raise lines.error("no energy in hartree where one is expected")
    return lines.number_in(words, 0)


@dataclass
class Details:
    """What ``detailed.out`` says about the last geometry.

    Attributes
    ----------
    energy
        Mermin free energy in hartree, ten decimals; None if it is not there.
    scc
        Whether the SCC converged, or there is none; None if the file does not say.
    """

    path: Path
    energy: Optional[float] = None
    scc: Optional[bool] = None


def read_details(path: Path) -> Details:
    """Read ``detailed.out``.

    Raises
    ------
    TaskError
        It is not there, a number of it is none, or it is of two runs.
    """
    details = Details(path)
    with Lines(path) as lines:
        for line in lines:
            words = line.strip()
            if words.startswith(_FREE_ENERGY):
                if details.energy is not None:
                    raise lines.error("this is the output of more than one run")
                details.energy = _energy(lines, words)
            elif words in {"SCC converged", "Non-SCC calculation"}:
                details.scc = details.scc is not False
            elif words.startswith(SCC_FAILED):
                details.scc = False
    return details
