"""Labels the frames of select.xyz with CHGNet: writes train.xyz, the same in the same order."""

from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write
from chgnet.model.dynamics import CHGNetCalculator

model = CHGNetCalculator(use_device="cpu")
frames = read("select.xyz", index=":", format="extxyz")
for atoms in frames:
    atoms.calc = model
    labels = {
        "energy": float(atoms.get_potential_energy()),
        "forces": atoms.get_forces(),
        "stress": atoms.get_stress(),
    }
    atoms.calc = SinglePointCalculator(atoms, **labels)
write("train.xyz", frames, format="extxyz")
