"""Numbers in an input of the user that LAMMPS takes, and that are hardly meant."""

from __future__ import annotations

from pathlib import Path

from pwact.config.schema import Usual
from pwact.engines.lammps.script import Command, read_script
from pwact.engines.lammps.user_input import thermostat
from pwact.engines.unlikely import TEMPERATURE_K, unlikely_numbers
from pwact.errors import InputError

_STEP_PS = Usual(1e-5, 0.01, "0.001 ps is 1 fs")
_ASSIGNED = ("equal", "index")


def unlikely(path: Path) -> list[InputError]:
    """An error for each time step and temperature beyond what is usual.

    Numbers that LAMMPS computes (``${STEP}``) are passed over.

    Raises
    ------
    InputError
        The input cannot be read.
    """
    return [one for command in read_script(path) for one in _of(command)]


def _of(command: Command) -> list[InputError]:
    words = command.words
    step = words[1] if command.name == "timestep" and len(words) > 1 else ""
    assigned = len(words) > 3 and words[:2] == ("variable", "TEMP") and words[2] in _ASSIGNED
    temperature = words[3] if assigned else ""
    numbers = [
        (f"line {command.line}, timestep", step, _STEP_PS, "ps"),
        (f"line {command.line}, TEMP", temperature, TEMPERATURE_K, "K"),
        (f"line {command.line}, temperature", thermostat(command) or "", TEMPERATURE_K, "K"),
    ]
    return unlikely_numbers(command.file, numbers)
