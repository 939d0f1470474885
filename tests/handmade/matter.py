"""Atoms of which the hand-made files tell: crystals of metals under ASE's EMT."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.filters import FrechetCellFilter
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS


def crystal(symbols: str, lattice: float, seed: int, shake: float = 0.08) -> Atoms:
    """A skewed cubic cell of four or eight atoms, `symbols` in the order that they are written."""
    atoms = bulk("Cu", "fcc", a=lattice, cubic=True)
    names = Atoms(symbols).get_chemical_symbols()
    atoms = atoms.repeat((len(names) // 4, 1, 1))
    atoms.set_chemical_symbols(names)
    rng = np.random.default_rng(seed)
    atoms.set_cell(atoms.cell.array + rng.normal(0, 0.06, (3, 3)), scale_atoms=True)
    atoms.positions += rng.normal(0, shake, atoms.positions.shape)
    atoms.calc = EMT()
    return atoms


def dynamics(atoms: Atoms, steps: int, temperature: float, timestep: float) -> Iterator[Atoms]:
    """Frame 0, then one after each of `steps` steps of `timestep` fs; changes `atoms`."""
    width = np.sqrt(atoms.get_masses() * units.kB * temperature)
    normal = np.random.default_rng(len(atoms)).normal(size=(len(atoms), 3))
    atoms.set_momenta(normal * width[:, None])
    md = VelocityVerlet(atoms, timestep=timestep * units.fs)
    yield atoms
    for _ in range(steps):
        md.run(1)
        yield atoms


def relaxation(atoms: Atoms, steps: int, limit: float) -> Iterator[tuple[Atoms, bool]]:
    """Every geometry, and whether it has reached `limit` (eV/Å); atoms and cell move."""
    target: Any = FrechetCellFilter(atoms)
    optimizer = BFGS(target, logfile=None)
    for number in range(steps + 1):
        there = bool(np.abs(target.get_forces()).max() <= limit)
        yield atoms, there
        if there or number == steps:
            return
        optimizer.step()


def energy(atoms: Atoms) -> float:
    """That of EMT, eV, counted from atoms that are worth -3.5 eV each."""
    return float(atoms.get_potential_energy()) - 3.5 * len(atoms)


def virial(atoms: Atoms) -> np.ndarray:
    """Minus volume times stress, eV."""
    return np.asarray(-atoms.get_volume() * atoms.get_stress(voigt=False))
