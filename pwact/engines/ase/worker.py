"""The program that runs an ASE calculator in a task directory.

``python -m pwact.engines.ase.worker {relax|aimd|scf}`` reads ``structure.xyz`` and ``ase.json``
and leaves ``result.xyz`` (labelled frames) and ``status.json``. Exit status 0 means that both are
complete; whether the result is usable stands in ``status.json``, beside its hash. Of several
processes that a parallel command starts, all compute and the first one writes.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import numpy as np

from pwact.engines.ase.aimd import Aimd
from pwact.engines.ase.configuration import configure
from pwact.engines.ase.endings import by_exception, by_outputs
from pwact.engines.ase.labeler import (
    EARLY,
    ENERGY,
    FREE,
    RESULT,
    SETTINGS,
    STATUS,
    STRUCTURE,
    calculator_class,
)
from pwact.engines.ase.model_elements import unknown_elements
from pwact.engines.ase.relaxation import Remembered
from pwact.engines.ranks import leave_mark, rank, take_marks
from pwact.fixed_atoms import FIXED, along_axes, held, held_in_part
from pwact.formats.extxyz import read_extxyz, write_extxyz
from pwact.formats.labels import labels_of, set_labels
from pwact.io.arrays import UNUSABLE, are_usable
from pwact.io.files import remove, tree_hash, write_json

if TYPE_CHECKING:
    from ase import Atoms

logger = logging.getLogger(__name__)

SHIFT = "other_energy_ev"


def labelled(atoms: Atoms, word: str) -> Atoms:
    """Copy of a frame with the energy, forces and virial of its calculator.

    The virial is -V times ASE's stress; a calculator without stress gives none. What the other
    energy is larger by is `SHIFT` of the copy's info.

    Parameters
    ----------
    word
        ``free_energy``, of which forces are the derivatives (where the calculator has it), or
        ``energy``, which may be extrapolated to no smearing.
    """
    copy = atoms.copy()
    copy.set_constraint()
    copy.arrays.pop(FIXED, None)
    copy.info.clear()
    copy.arrays.pop("momenta", None)
    energy, virial = float(atoms.get_potential_energy()), None
    forces = atoms.get_forces(apply_constraint=False)  # those of the energy, on held atoms too
    free = free_energy(atoms)
    if free is not None and np.isfinite(energy):
        energy, other = (free, energy) if word == FREE else (energy, free)
        copy.info[SHIFT] = other - energy
    if atoms.cell.rank == 3:
        try:
            stress = atoms.get_stress(voigt=False, apply_constraint=False)
            virial = -atoms.get_volume() * stress
        except NotImplementedError:  # ASE's own error is one, too
            virial = None
    set_labels(copy, energy, forces, virial)
    return copy


def free_energy(atoms: Atoms) -> Optional[float]:
    """The energy that forces are the derivatives of, in eV; None where there is only one."""
    try:
        return float(atoms.get_potential_energy(force_consistent=True))
    except (NotImplementedError, TypeError):  # a calculator may know nothing of it
        return None


def constraints(atoms: Atoms) -> list[Any]:
    """ASE's constraints for the atoms that are held (`pwact.fixed_atoms`)."""
    from ase.constraints import FixAtoms, FixCartesian  # noqa: PLC0415

    fixed = along_axes(atoms).astype(bool)
    whole = held(atoms)
    made: list[Any] = [FixAtoms(whole)] if whole else []
    return made + [FixCartesian(one, fixed[one]) for one in held_in_part(atoms)]


def relax(atoms: Atoms, settings: dict[str, Any], directory: Path) -> tuple[list[Atoms], str]:
    """Relax; returns the last frame and why it cannot be used ("" if it can)."""
    import ase.optimize  # noqa: PLC0415

    wanted = settings["relax"]
    atoms.calc = Remembered(atoms.calc, directory, settings["writes"])
    atoms.set_constraint(constraints(atoms))
    target = with_cell(atoms) if wanted["cell"] else atoms
    optimizer = getattr(ase.optimize, wanted["optimizer"])(target)
    done = optimizer.run(fmax=wanted["fmax"], steps=wanted["steps"])
    reason = "" if done else f"not relaxed to {wanted['fmax']} eV/Å in {wanted['steps']} steps"
    return [labelled(atoms, settings["energy"])], reason


def with_cell(atoms: Atoms) -> Any:
    """Atoms and cell as one set of coordinates, which end where forces and stress vanish."""
    try:
        from ase.filters import FrechetCellFilter  # noqa: PLC0415
    except ImportError:  # before ASE 3.23
        from ase.constraints import UnitCellFilter  # noqa: PLC0415

        return UnitCellFilter(atoms)
    return FrechetCellFilter(atoms)


def aimd(atoms: Atoms, settings: dict[str, Any], directory: Path) -> tuple[list[Atoms], str]:
    """Run MD; returns the frames from the first on."""
    atoms.set_constraint(constraints(atoms))
    md = Aimd(atoms, settings, directory, lambda frame: labelled(frame, settings["energy"]))
    try:
        md.run()
    except Exception as error:
        if not md.frames or not (why := unconverged(settings, directory, error)):
            raise
        settings[EARLY] = why
        return md.frames, ""
    return md.frames, unconverged(settings, directory)  # of a step that raised nothing


def scf(atoms: Atoms, settings: dict[str, Any], directory: Path) -> tuple[list[Atoms], str]:
    """Label the frame as it is."""
    del directory
    return [labelled(atoms, settings["energy"])], ""


def has_usable_labels(frame: Atoms) -> bool:
    """Whether all labels can be those of a frame; a calculator gives nan where it cannot go on."""
    labels = labels_of(frame)
    virial = np.zeros(1) if labels.virial is None else labels.virial
    numbers = np.concatenate([[labels.energy], labels.forces.ravel(), virial.ravel()])
    return are_usable(numbers)


PURPOSES = {"relax": relax, "aimd": aimd, "scf": scf}


def work(directory: Path, purpose: str) -> None:
    """Do one task."""
    settings = {"energy": ENERGY, **json.loads((directory / SETTINGS).read_text())}
    atoms = read_extxyz(directory / STRUCTURE, properties=True)[-1]
    configure(settings)
    calculator = calculator_class(settings["calculator"])(**settings["arguments"])
    number = rank()
    settings.update(writes=number == 0, began=time.time() - 1.0)
    if number:
        logger.warning("process %d of this task computes; what it finds is not written", number)
        leave_mark(directory, number)
    else:
        for name in (STATUS,) if purpose == "aimd" else (RESULT, STATUS):
            remove(directory / name)
    frames, reason = computed((atoms, calculator), settings, directory, purpose)
    for index, frame in enumerate(frames):
        if not has_usable_labels(frame):
            frames, reason = frames[:index], f"the labels of frame {index} are {UNUSABLE}"
            break
    if settings["writes"]:
        write_result(directory, frames, reason, settings.get(EARLY, ""))


def computed(
    both: tuple[Atoms, Any], settings: dict[str, Any], directory: Path, purpose: str
) -> tuple[list[Atoms], str]:
    """As `compute` with this calculator; nothing where the model behind it lacks an element."""
    atoms, calculator = both
    elements = atoms.get_chemical_symbols()
    if strange := unknown_elements(settings["calculator"], calculator, elements):
        return [], strange
    atoms.calc = calculator  # some look at the elements, and raise
    return compute(atoms, settings, directory, purpose)


def compute(
    atoms: Atoms, settings: dict[str, Any], directory: Path, purpose: str
) -> tuple[list[Atoms], str]:
    """Frames with labels, and why they cannot be used ("" if they can)."""
    try:
        frames, reason = PURPOSES[purpose](atoms, settings, directory)
    except Exception as error:
        reason = unconverged(settings, directory, error)
        if not reason:
            raise
        return [], reason
    if purpose != "aimd":
        reason = reason or unconverged(settings, directory)
    return frames, reason


def unconverged(
    settings: dict[str, Any], directory: Path, error: Optional[Exception] = None
) -> str:
    """Why there is no result, if it is a self-consistency without end; else ""."""
    name = settings["calculator"]
    why = by_exception(name, error) if error else ""
    return why or by_outputs(name, directory, settings["began"])


def write_result(directory: Path, frames: list[Atoms], reason: str, early: str = "") -> None:
    """Leave the frames, and what is to be known about them."""
    write_extxyz(directory / RESULT, frames)
    shifts = [frame.info[SHIFT] / len(frame) for frame in frames if SHIFT in frame.info]
    status = {
        "converged": not reason,
        "reason": reason,
        "result": tree_hash(directory / RESULT),
        "other_energy_ev_per_atom": max(shifts, key=abs, default=0.0),
        "same_work_by": 1 + take_marks(directory),
        **({EARLY: early} if early else {}),
    }
    write_json(directory / STATUS, status)


if __name__ == "__main__":
    logging.basicConfig(format="%(message)s")
    work(Path(), sys.argv[1])
