"""The program that runs an ASE calculator in a task directory.

``python -m pwact.engines.ase_worker {relax|aimd|scf}`` reads ``structure.xyz`` and ``ase.json``
and leaves ``result.xyz`` (labelled frames) and ``status.json``. Exit status 0 means that both are
complete; whether the result is usable stands in ``status.json``, beside its hash.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pwact.engines.ase_calculator import RESULT, SETTINGS, STATUS, STRUCTURE, calculator_class
from pwact.io.extxyz import frame_text, read_extxyz, write_extxyz
from pwact.io.files import remove, tree_hash, write_json
from pwact.io.labels import labels_of, set_labels

if TYPE_CHECKING:
    from ase import Atoms


def labelled(atoms: Atoms) -> Atoms:
    """Copy of a frame with the energy, forces and virial of its calculator.

    The virial is -V times ASE's stress; a calculator without stress gives none.
    """
    copy = atoms.copy()
    copy.info.clear()
    copy.arrays.pop("momenta", None)
    energy, forces, virial = float(atoms.get_potential_energy()), atoms.get_forces(), None
    if atoms.cell.rank == 3:
        try:
            virial = -atoms.get_volume() * atoms.get_stress(voigt=False)
        except NotImplementedError:  # ASE's own error is one, too
            virial = None
    set_labels(copy, energy, forces, virial)
    return copy


def relax(atoms: Atoms, settings: dict[str, Any], directory: Path) -> tuple[list[Atoms], str]:
    """Relax; returns the last frame and why it cannot be used ("" if it can)."""
    import ase.optimize  # noqa: PLC0415
    from ase.filters import FrechetCellFilter  # noqa: PLC0415

    del directory  # the signature is that of its siblings
    wanted = settings["relax"]
    target = FrechetCellFilter(atoms) if wanted["cell"] else atoms
    optimizer = getattr(ase.optimize, wanted["optimizer"])(target)
    done = optimizer.run(fmax=wanted["fmax"], steps=wanted["steps"])
    reason = "" if done else f"not relaxed to {wanted['fmax']} eV/Å in {wanted['steps']} steps"
    return [labelled(atoms)], reason


def aimd(atoms: Atoms, settings: dict[str, Any], directory: Path) -> tuple[list[Atoms], str]:
    """Run MD; returns the frames from the first on."""
    from ase import units  # noqa: PLC0415
    from ase.md.langevin import Langevin  # noqa: PLC0415
    from ase.md.velocitydistribution import Stationary  # noqa: PLC0415
    from ase.md.verlet import VelocityVerlet  # noqa: PLC0415

    wanted = settings["aimd"]
    rng = np.random.RandomState(settings["seed"])
    spread = np.sqrt(atoms.get_masses() * units.kB * wanted["temperature_k"])[:, None]
    atoms.set_momenta(rng.standard_normal((len(atoms), 3)) * spread)
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

    def keep() -> None:
        frames.append(labelled(atoms))
        with (directory / RESULT).open(
            "a", encoding="utf-8"
        ) as stream:  # so that a cut-off MD is data
            stream.write(frame_text(frames[-1]))

    dynamics.attach(keep, interval=wanted["interval"])  # ASE calls it for the first frame too
    dynamics.run(wanted["steps"])
    return frames, ""


def scf(atoms: Atoms, settings: dict[str, Any], directory: Path) -> tuple[list[Atoms], str]:
    """Label the frame as it is."""
    del settings, directory
    return [labelled(atoms)], ""


def is_finite(frame: Atoms) -> bool:
    """Whether all labels are numbers; a calculator gives nan where it cannot go on."""
    labels = labels_of(frame)
    virial = np.zeros(1) if labels.virial is None else labels.virial
    numbers = np.concatenate([[labels.energy], labels.forces.ravel(), virial.ravel()])
    return bool(np.isfinite(numbers).all())


PURPOSES = {"relax": relax, "aimd": aimd, "scf": scf}


def work(directory: Path, purpose: str) -> None:
    """Do one task."""
    for name in (RESULT, STATUS):
        remove(directory / name)
    settings = json.loads((directory / SETTINGS).read_text())
    atoms = read_extxyz(directory / STRUCTURE)[-1]
    atoms.calc = calculator_class(settings["calculator"])(**settings["arguments"])
    frames, reason = PURPOSES[purpose](atoms, settings, directory)
    for number, frame in enumerate(frames):
        if not is_finite(frame):
            frames, reason = frames[:number], f"the labels of frame {number} are not finite"
            break
    write_extxyz(directory / RESULT, frames)
    status = {"converged": not reason, "reason": reason, "result": tree_hash(directory / RESULT)}
    write_json(directory / STATUS, status)


if __name__ == "__main__":
    work(Path(), sys.argv[1])
