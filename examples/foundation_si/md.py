"""MD of POSCAR with CHGNet: writes traj.xyz, frames with energy, forces and stress."""

import numpy as np
from ase import units
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from chgnet.model.dynamics import CHGNetCalculator

SEED, TEMP_K, STEPS, EVERY = 2025, 600, 60, 5

rng = np.random.default_rng(SEED)
atoms = read("POSCAR", format="vasp")
atoms.rattle(0.05, rng=rng)
atoms.calc = CHGNetCalculator(use_device="cpu")
MaxwellBoltzmannDistribution(atoms, temperature_K=TEMP_K, rng=rng)
motion = Langevin(atoms, 2 * units.fs, temperature_K=TEMP_K, friction=0.01 / units.fs, rng=rng)
frames = []


def keep():
    """A copy of the frame with its labels."""
    frame = atoms.copy()
    frame.calc = SinglePointCalculator(
        frame,
        energy=float(atoms.get_potential_energy()),
        forces=atoms.get_forces(),
        stress=atoms.get_stress(),
    )
    frames.append(frame)


motion.attach(keep, interval=EVERY)
motion.run(STEPS)
write("traj.xyz", frames, format="extxyz")
