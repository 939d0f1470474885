"""Molecular dynamics with ASE, for models that LAMMPS cannot load.

Velocity Verlet (nve), a Nosé–Hoover chain (nvt), and Martyna, Tobias and Klein's equations
(npt-iso, npt-tri): the ensembles that LAMMPS would run, with the same damping times. The files are
those of LAMMPS: structure, dump, log. A task that was cut off begins again and makes the same
trajectory, since all its random numbers come from one seed. Where atoms are held, nvt is Langevin's
equation with the friction 1/taut, for ASE's chain knows no held atoms.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from pwact.engines.delivery import (
    CALCULATOR,
    CHECK_LOG,
    RESULT,
    Delivery,
    calculator_text,
    read_result,
)
from pwact.engines.explorers import Condition, Given, Motion, UserInput
from pwact.engines.lammps.input import DEVIATION, DUMP
from pwact.engines.md_input import MdInput
from pwact.engines.md_steps import MdProgress
from pwact.engines.md_task import EXIT, LOG, MdTask
from pwact.engines.potential import Calculators, Potential
from pwact.engines.ranks import FORGET
from pwact.engines.worker import python_module
from pwact.errors import InputError
from pwact.fingerprint import settings_of
from pwact.fixed_atoms import held
from pwact.formats.thermo import last_step
from pwact.io.files import write_json

if TYPE_CHECKING:
    from ase import Atoms

    from pwact.config.resources import ResourceBlock

SETTINGS = "md.json"
HELD = "held"  # atoms that do not move, from 0 on
GIVEN_FRAMES = "given"  # in place of a condition: how many frames are only evaluated
ENSEMBLES = ("nve", "nvt", "npt-iso", "npt-tri")


class AseExplorer(MdTask):
    """Tasks of `pwact.engines.ase.md_worker`. See `pwact.engines.explorers.Explorer`.

    The command of the resource block is the Python that has the calculator, and pwact.
    """

    def __init__(self, block: ResourceBlock) -> None:
        self._python = block.command

    def validate(self, motion: Motion) -> None:
        """Raise InputError unless ASE has this ensemble."""
        if isinstance(motion, Given):
            return
        if isinstance(motion, UserInput):
            message = "the models of this engine run in ASE, which reads no LAMMPS input"
            raise InputError(message, key="explore.lmps_in")
        if motion.ensemble not in ENSEMBLES:
            raise InputError(
                f"found {motion.ensemble!r}; the models of this engine run in ASE, "
                f"which has {', '.join(ENSEMBLES)}",
                key="explore.md_jobs.ensemble",
            )

    def fingerprint(self, motion: Motion) -> dict[str, Any]:
        """The condition."""
        if isinstance(motion, Given):
            return {GIVEN_FRAMES: len(motion.frames)}
        assert isinstance(motion, Condition)  # validate refuses the others
        return settings_of(motion, engine="ase")

    def write_input(
        self, directory: Path, atoms: Atoms, potential: Potential, motion: Motion, seed: int
    ) -> None:
        """Write the structure, the links, and the settings."""
        self.write_start(directory, atoms, potential)
        assert isinstance(potential, Calculators)
        driver, *others = potential.calculators
        settings = {**driver, "condition": self.fingerprint(motion), "seed": seed}
        if isinstance(motion, Given):
            self.write_given(directory, motion, potential.types)
        if others:
            settings["judges"] = others
        if potential.rms:
            settings["rms"] = True
        if still := held(atoms):
            settings[HELD] = still
        write_json(directory / SETTINGS, settings)

    def command(self, potential: Potential) -> str:
        """Shell text that runs the MD from its beginning."""
        del potential  # it is in the settings
        worker = python_module("pwact.engines.ase.md_worker", python=self._python)
        return (
            f"rm -f {EXIT} {DUMP} {DEVIATION}; {FORGET}{worker} > {LOG} 2>&1; "
            f'md_rc=$?; echo "$md_rc" > {EXIT}; [ "$md_rc" -eq 0 ]'
        )

    def deliver(self, potential: Potential, elements: Collection[str]) -> Delivery:
        """``calculator.py``, evaluated by the Python of the block."""
        del elements  # a calculator of ASE knows them by its atoms
        worker = python_module("pwact.engines.ase.delivered", python=self._python)
        return Delivery(
            {CALCULATOR: calculator_text(potential)},
            f"rm -f {RESULT}; {worker} > {CHECK_LOG} 2>&1",
            CHECK_LOG,
            read_result,
        )

    def transient_files(self, directory: Path) -> list[Path]:
        """The dump."""
        return [path for path in (directory / DUMP,) if path.exists()]


def md_steps(directory: Path) -> Optional[MdProgress]:
    """Steps that an MD has made, and those asked for; None where there is none."""
    settings = json.loads((directory / SETTINGS).read_text(encoding="utf-8"))
    condition = settings.get("condition")
    return MdProgress(last_step(directory / LOG), condition["nsteps"]) if condition else None


def asked(directory: Path) -> MdInput:
    """What the settings of an MD ask for. Raises OSError, ValueError, KeyError, TypeError."""
    condition = json.loads((directory / SETTINGS).read_text(encoding="utf-8"))["condition"]
    return MdInput(
        condition["temp_k"],
        condition.get("press_bar"),
        condition.get("dt_ps"),
        condition["nsteps"],
    )
