"""The program that runs an ASE calculator in a task directory.

``python -m pwact.engines.ase_worker {relax|aimd|scf}`` reads ``structure.xyz`` and ``ase.json``
and leaves ``result.xyz`` (labelled frames) and ``status.json``. Exit status 0 means that both are
complete; whether the result is usable stands in ``status.json``.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pwact.engines.ase_calculator import RESULT, SETTINGS, STATUS, STRUCTURE, calculator_class
from pwact.io.extxyz import read_extxyz, write_extxyz
from pwact.io.files import remove, write_json
from pwact.io.labels import set_labels

if TYPE_CHECKING:
    from ase import Atoms


def labelled(atoms: Atoms) -> Atoms:
    """Copy of a frame with the energy, forces and virial of its calculator.

    The virial is -V times ASE's stress; a calculator without stress gives none.
    """
    from ase.calculators.calculator import PropertyNotImplementedError  # noqa: PLC0415

    copy = atoms.copy()
    copy.info.clear()
    copy.arrays.pop("momenta", None)
    virial = None
    if atoms.cell.rank == 3:
        try:
            virial = -atoms.get_volume() * atoms.get_stress(voigt=False)
        except PropertyNotImplementedError:
            virial = None
    set_labels(copy, float(atoms.get_potential_energy()), atoms.get_forces(), virial)
    return copy


def relax(atoms: Atoms, settings: dict[str, Any], seed: int) -> tuple[list[Atoms], str]:
    """Relax; returns the last frame and why it cannot be used ("" if it can)."""
    import ase.optimize  # noqa: PLC0415
    from ase.filters import FrechetCellFilter  # noqa: PLC0415

    del seed  # a relaxation has no random part; the signature is that of its siblings
    wanted = settings["relax"]
    target = FrechetCellFilter(atoms) if wanted["cell"] else atoms
    optimizer = getattr(ase.optimize, wanted["optimizer"])(target)
    done = optimizer.run(fmax=wanted["fmax"], steps=wanted["steps"])
    reason = "" if done else f"not relaxed to {wanted['fmax']} eV/Å in {wanted['steps']} steps"
    return [labelled(atoms)], reason


def aimd(atoms: Atoms, settings: dict[str, Any], seed: int) -> tuple[list[Atoms], str]:
    """Run MD; returns the frames from the first on."""
    from ase import units  # noqa: PLC0415
    from ase.md.langevin import Langevin  # noqa: PLC0415
    from ase.md.velocitydistribution import (  # noqa: PLC0415
        MaxwellBoltzmannDistribution,
        Stationary,
    )
    from ase.md.verlet import VelocityVerlet  # noqa: PLC0415

    wanted = settings["aimd"]
    rng = np.random.RandomState(seed)
    MaxwellBoltzmannDistribution(atoms, temperature_K=wanted["temperature_k"], rng=rng)
    if len(atoms) > 1:
        Stationary(atoms)
    step = wanted["timestep_fs"] * units.fs
    thermostat = {
        "temperature_K": wanted["temperature_k"],
        "friction": wanted["friction_per_fs"] / units.fs,
        "rng": rng,
    }
    nvt = wanted["ensemble"] == "nvt"
    dynamics = Langevin(atoms, step, **thermostat) if nvt else VelocityVerlet(atoms, step)
    frames: list[Atoms] = []
    # ASE calls an observer for the first frame too
    dynamics.attach(lambda: frames.append(labelled(atoms)), interval=wanted["interval"])
    dynamics.run(wanted["steps"])
    return frames, ""


def scf(atoms: Atoms, settings: dict[str, Any], seed: int) -> tuple[list[Atoms], str]:
    """Label the frame as it is."""
    del settings, seed
    return [labelled(atoms)], ""


PURPOSES = {"relax": relax, "aimd": aimd, "scf": scf}


def work(directory: Path, purpose: str) -> None:
    """Do one task."""
    for name in (RESULT, STATUS):
        remove(directory / name)
    settings = json.loads((directory / SETTINGS).read_text())
    atoms = read_extxyz(directory / STRUCTURE)[-1]
    atoms.calc = calculator_class(settings["calculator"])(**settings["arguments"])
    frames, reason = PURPOSES[purpose](atoms, settings, settings["seed"])
    for number, frame in enumerate(frames):
        results = frame.calc.results
        if not math.isfinite(results["energy"]) or not np.isfinite(results["forces"]).all():
            frames, reason = frames[:number], f"energy or forces of frame {number} are not finite"
            break
    write_extxyz(directory / RESULT, frames)
    write_json(directory / STATUS, {"converged": not reason, "reason": reason})


if __name__ == "__main__":
    work(Path(), sys.argv[1])
