"""The program that runs MD with an ASE calculator: ``python -m pwact.engines.ase.md_worker``.

It reads ``lmp.config``, ``atom_type.txt`` and ``md.json`` in the current directory, and writes the
dump. What it prints is the log, whose last line tells the wall time when all went well.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, TextIO

import numpy as np

from pwact.engines.ase.explorer import GIVEN_FRAMES, HELD, SETTINGS
from pwact.engines.ase.labeler import calculator_class
from pwact.engines.lammps.input import DATA, DEVIATION, DUMP, TYPES
from pwact.engines.lammps.program import WALL_TIME
from pwact.engines.md_task import GIVEN
from pwact.engines.ranks import rank
from pwact.formats.lammps_data import read_lammps_data
from pwact.formats.lammps_dump import DumpTrajectory, frame_text
from pwact.formats.model_devi import heading, row_text
from pwact.query.committee import score

if TYPE_CHECKING:
    from ase import Atoms

logger = logging.getLogger(__name__)

COLUMNS = "step temp pe ke etotal vol"


class NotFiniteError(Exception):
    """Energy, forces or positions are no numbers any more."""


def heat(atoms: Atoms, temp_k: float, seed: int) -> None:
    """Give start velocities: of exactly this temperature, without a total momentum."""
    from ase import units  # noqa: PLC0415
    from ase.md.velocitydistribution import Stationary, force_temperature  # noqa: PLC0415

    rng = np.random.default_rng(seed)
    spread = np.sqrt(atoms.get_masses() * units.kB * temp_k)[:, None]
    atoms.set_momenta(rng.standard_normal((len(atoms), 3)) * spread)
    if len(atoms) > 1 and not atoms.constraints:
        Stationary(atoms, preserve_temperature=False)
    force_temperature(atoms, temp_k)


def dynamics_of(atoms: Atoms, condition: Mapping[str, Any], seed: int) -> Any:
    """ASE's integrator of a `pwact.engines.explorers.Condition` (times in ps, pressure in bar).

    Parameters
    ----------
    seed
        Of the thermostat, where atoms are held.
    """
    from ase import units  # noqa: PLC0415
    from ase.md import nose_hoover_chain as chain  # noqa: PLC0415
    from ase.md.langevin import Langevin  # noqa: PLC0415
    from ase.md.verlet import VelocityVerlet  # noqa: PLC0415

    ps = 1000.0 * units.fs
    step = condition["dt_ps"] * ps
    ensemble = condition["ensemble"]
    if ensemble == "nve":
        return VelocityVerlet(atoms, step)
    if ensemble == "nvt" and atoms.constraints:
        return Langevin(
            atoms,
            step,
            temperature_K=condition["temp_k"],
            friction=1 / (condition["taut_ps"] * ps),
            fixcm=False,
            rng=np.random.RandomState(seed),
        )
    bath = {"temperature_K": condition["temp_k"], "tdamp": condition["taut_ps"] * ps}
    if ensemble == "nvt":
        return chain.NoseHooverChainNVT(atoms, step, **bath)
    kind = {"npt-iso": chain.IsotropicMTKNPT, "npt-tri": chain.MTKNPT}[ensemble]
    pressure = condition["press_bar"] * units.bar
    return kind(atoms, step, pressure_au=pressure, pdamp=condition["taup_ps"] * ps, **bath)


class Jury:
    """All models of a committee, which judge each frame that is kept; one alone judges nothing.

    Parameters
    ----------
    others
        ASE calculators beside the one that drives.
    target
        Where ``model_devi.out`` is written, row by row.
    with_rms
        Whether it gets a column for the root mean square.
    """

    def __init__(self, others: Sequence[Any], target: Path, with_rms: bool = False) -> None:
        self._others = others
        self._target = target
        self._with_rms = with_rms
        if others:
            target.write_text(f"{heading(with_rms)}\n", encoding="utf-8")

    def judge(self, atoms: Atoms, step: int) -> None:
        """Write by how much the models differ: in the forces, and in the energy per atom.

        ASE's calculators give no energies of single atoms, so that those columns have one value.
        A model that cannot describe the frame makes it a failed row.
        """
        if not self._others:
            return
        energies, forces = [float(atoms.get_potential_energy())], [_forces(atoms)]
        for calculator in self._others:
            frame = atoms.copy()
            frame.calc = calculator
            forces.append(_forces(frame))  # first: most calculators then know the energy
            energies.append(float(frame.get_potential_energy()))
        shared = np.repeat(np.array(energies)[:, None] / len(atoms), len(atoms), axis=1)
        row = score(np.array(forces), shared, self._with_rms)
        with self._target.open("a", encoding="utf-8") as stream:
            stream.write(row_text(step, row) + "\n")


def _forces(atoms: Atoms) -> np.ndarray:
    """Those of the model, on held atoms too, shape (N, 3), eV/Å."""
    forces: np.ndarray = atoms.get_forces(apply_constraint=False)
    return forces


def keep(atoms: Atoms, step: int, types: list[str], dump: TextIO) -> None:
    """Write a frame to the dump and a row to the log.

    Raises
    ------
    NotFiniteError
        There is nothing to write.
    """
    potential = float(atoms.get_potential_energy())
    forces = _forces(atoms)
    kinetic, volume = float(atoms.get_kinetic_energy()), atoms.get_volume()
    numbers = [potential, kinetic, volume, *forces.ravel(), *atoms.positions.ravel()]
    if not np.isfinite(numbers).all():
        raise NotFiniteError(f"energy, forces or positions of step {step} are no numbers")
    inside = atoms.copy()
    inside.wrap()
    dump.write(frame_text(step, inside, forces, types))
    dump.flush()
    row = (atoms.get_temperature(), potential, kinetic, potential + kinetic, volume)
    logger.info("%d %s", step, " ".join(f"{number:.8g}" for number in row))


def calculator_of(settings: Mapping[str, Any]) -> Any:
    """The calculator that ``calculator`` and ``arguments`` describe."""
    return calculator_class(settings["calculator"])(**settings["arguments"])


def work(directory: Path) -> None:
    """Run the MD, or evaluate the frames that are there."""
    began = time.monotonic()
    settings = json.loads((directory / SETTINGS).read_text(encoding="utf-8"))
    types = (directory / TYPES).read_text(encoding="utf-8").split()
    atoms = read_lammps_data(directory / DATA, types)
    atoms.calc = calculator_of(settings)
    number = rank()
    jury = Jury(
        [calculator_of(one) for one in settings.get("judges", ())],
        Path(os.devnull) if number else directory / DEVIATION,
        bool(settings.get("rms")),
    )
    if number:  # it computes as the others do, and is silent
        logging.getLogger().setLevel(logging.ERROR)
    logger.info(COLUMNS)
    target = Path(os.devnull) if number else directory / DUMP
    with target.open("w", encoding="utf-8") as dump:

        def kept(frame: Atoms, step: int) -> None:
            keep(frame, step, types, dump)
            jury.judge(frame, step)

        if GIVEN_FRAMES in settings["condition"]:
            evaluate(DumpTrajectory(directory / GIVEN, types), atoms.calc, kept)
        else:
            move(atoms, settings, kept)
    took = timedelta(seconds=round(time.monotonic() - began))
    logger.info("%s: %s", WALL_TIME, took)


Kept = Callable[["Atoms", int], None]


def evaluate(given: DumpTrajectory, calculator: Any, kept: Kept) -> None:
    """Evaluate the frames that are there."""
    for step in given.steps().tolist():
        frame = given.frame(step)
        frame.calc = calculator
        kept(frame, step)


def move(atoms: Atoms, settings: Mapping[str, Any], kept: Kept) -> None:
    """Run the MD; each frame that is kept is reported, the first one too."""
    from ase.constraints import FixAtoms  # noqa: PLC0415

    condition = settings["condition"]
    if still := settings.get(HELD):
        atoms.set_constraint(FixAtoms(still))
    heat(atoms, condition["temp_k"], settings["seed"])
    dynamics = dynamics_of(atoms, condition, settings["seed"])
    # ASE calls it for the first frame too; a row that lacks its frame would be refused
    dynamics.attach(lambda: kept(atoms, dynamics.nsteps), interval=condition["trj_freq"])
    dynamics.run(condition["nsteps"])


def main() -> int:
    """Do the work in the current directory."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    try:
        work(Path())
    except NotFiniteError as error:
        logger.error("ERROR: %s", error)  # noqa: TRY400
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
