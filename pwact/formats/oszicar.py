"""OSZICAR files of VASP: a line for each electronic step."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from pwact.errors import TaskError
from pwact.io.lines import Lines

_STEP = re.compile(r"^\s*[A-Za-z]{2,4}:\s*(\d+)\s+(\S+)\s+(\S+)\s+(\S+)\s")


@dataclass(frozen=True)
class ElectronicStep:
    """One electronic step.

    Attributes
    ----------
    number
        From 1 in each ionic step.
    energy_change, band_change
        Columns dE and d eps: changes of the total energy and of the band energies, eV.
    """

    number: int
    energy_change: float
    band_change: float

    def within(self, ediff: float) -> bool:
        """Whether both changes are at most `ediff` (eV), which is VASP's own criterion."""
        return max(abs(self.energy_change), abs(self.band_change)) <= ediff


def last_electronic_step(path: Path) -> Optional[ElectronicStep]:
    """The last electronic step, wherever its line stands; None if there is none to be read."""
    found = None
    try:
        with Lines(path) as lines:
            for line in lines:
                match = _STEP.match(f"{line} ")
                if match:
                    changes = lines.numbers(match.groups()[2:])
                    found = ElectronicStep(int(match[1]), *changes)
    except TaskError:
        return None
    return found
