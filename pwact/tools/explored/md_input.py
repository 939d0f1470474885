"""What the input of an explored trajectory asks for, in trees of ours and of PWact."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from pwact.engines.ase.explorer import SETTINGS
from pwact.engines.lammps.input import INPUT

_VARIABLE = rb"^\s*variable\s+%s\s+(?:index|equal)\s+(\S+)"
_TIMESTEP = rb"^\s*timestep\s+(\S+)"


@dataclass(frozen=True)
class MdInput:
    """Temperature (K), pressure (bar), time step (ps), number of steps; None where unknown."""

    temp_k: Optional[float] = None
    press_bar: Optional[float] = None
    dt_ps: Optional[float] = None
    nsteps: Optional[int] = None


def md_input(trajectory: Path) -> MdInput:
    """What ``in.lammps``, or the settings of an MD that ASE runs, say of a trajectory."""
    try:
        return _of_lammps((trajectory / INPUT).read_bytes())
    except OSError:
        pass
    try:
        settings = json.loads((trajectory / SETTINGS).read_text(encoding="utf-8"))
        return _of_ase(settings["condition"])
    except (OSError, ValueError, KeyError, TypeError):
        return MdInput()


def _of_lammps(text: bytes) -> MdInput:
    temp, press, steps = (
        _number(text, _VARIABLE % name) for name in (b"TEMP", b"PRESS", b"NSTEPS")
    )
    return MdInput(temp, press, _number(text, _TIMESTEP), None if steps is None else int(steps))


def _number(text: bytes, pattern: bytes) -> Optional[float]:
    found = re.search(pattern, text, re.MULTILINE)
    try:
        return float(found[1]) if found else None
    except ValueError:
        return None


def _of_ase(condition: dict[str, Any]) -> MdInput:
    return MdInput(
        condition["temp_k"],
        condition.get("press_bar"),
        condition.get("dt_ps"),
        condition["nsteps"],
    )
