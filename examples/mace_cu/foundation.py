"""Makes foundation.model: a small MACE of Ni, Cu and Ag, in place of one from the internet.

It knows crystals and their surroundings, by the EMT of ASE, with energies counted from elsewhere.
"""

from __future__ import annotations

import os
import sys

import numpy as np
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"
from mace.cli.run_train import main

ZERO = {"Ni": -5.0, "Cu": -3.5, "Ag": -2.5}  # eV per atom


def frame(rng: np.random.Generator) -> object:
    """Eight atoms of a strained fcc crystal of random elements, displaced."""
    atoms = bulk("Cu", cubic=True, a=rng.uniform(3.5, 4.1)).repeat((2, 1, 1))
    few = rng.choice(list(ZERO), rng.integers(1, 4))
    atoms.set_chemical_symbols(rng.choice(few, len(atoms)))
    atoms.rattle(rng.uniform(0.02, 0.15), rng=rng)
    atoms.calc = EMT()
    energy = atoms.get_potential_energy() + sum(ZERO[symbol] for symbol in atoms.symbols)
    forces, stress = atoms.get_forces(), atoms.get_stress()
    atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces, stress=stress)
    return atoms


rng = np.random.default_rng(7)
write("foundation_train.xyz", [frame(rng) for _ in range(60)])
write("foundation_valid.xyz", [frame(rng) for _ in range(8)])
arguments = {
    "name": "foundation",
    "work_dir": "foundation",
    "model_dir": ".",
    "seed": 1,
    "device": "cpu",
    "train_file": "foundation_train.xyz",
    "valid_file": "foundation_valid.xyz",
    "energy_key": "energy",
    "forces_key": "forces",
    "stress_key": "stress",
    "E0s": "average",
    "loss": "stress",
    "model": "ScaleShiftMACE",
    "num_channels": 16,
    "max_L": 0,
    "r_max": 4.5,
    "batch_size": 4,
    "max_num_epochs": 30,
    "scheduler": "ExponentialLR",
    "lr_scheduler_gamma": 0.9,
    "plot": False,
}
sys.argv = ["mace_run_train", *(f"--{name}={value}" for name, value in arguments.items())]
main()
