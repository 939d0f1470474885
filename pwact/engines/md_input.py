"""What the input of an explored trajectory asks for, in trees of ours and of PWact."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from pwact.registry import Entry
from pwact.registry.engines import EXPLORERS


@dataclass(frozen=True)
class MdInput:
    """Temperature (K), pressure (bar), time step (ps), number of steps; None where unknown."""

    temp_k: Optional[float] = None
    press_bar: Optional[float] = None
    dt_ps: Optional[float] = None
    nsteps: Optional[int] = None


def md_input(trajectory: Path) -> MdInput:
    """What the input of any explorer says of a trajectory; nothing where none can be read."""
    for place in [one.asks for one in EXPLORERS.values() if one.asks]:
        try:
            found: MdInput = Entry(place).load()(trajectory)
        except (OSError, ValueError, KeyError, TypeError):
            continue
        return found
    return MdInput()
