"""Frames and runs for the tests of LAMMPS and POD."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Optional

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from pwact.engines.explorers import Condition
from pwact.engines.lammps.explorer import LammpsExplorer
from pwact.engines.pod.trainer import PodTrainer
from pwact.engines.potential import Potential
from pwact.engines.trainers import TrainingData
from pwact.formats.frames import write_frames
from pwact.formats.labels import set_labels

SMALL = {  # few functions, so that a fit takes 0.1 s
    "twobody_number_radial_basis_functions": 6,
    "threebody_number_radial_basis_functions": 4,
    "threebody_angular_degree": 3,
    "fourbody_number_radial_basis_functions": 0,
    "fourbody_angular_degree": 0,
}
BLOCK: Any = SimpleNamespace(command="lmp")
STILL = Condition("nve", nsteps=0, trj_freq=10, temp_k=0.0)
SHORT = Condition("nvt", nsteps=40, trj_freq=10, temp_k=300.0)


def alloy(seed: int, rattle: float = 0.08, repeat: int = 2) -> Atoms:
    """An Ag–Au crystal that is strained, rattled, and left in a tilted cell."""
    rng = np.random.default_rng(seed)
    atoms = bulk("Ag", "fcc", a=4.08).repeat(repeat)
    atoms.symbols[rng.permutation(len(atoms))[: len(atoms) // 2]] = "Au"
    atoms.set_cell(atoms.cell @ (np.eye(3) + rng.normal(0, 0.02, (3, 3))), scale_atoms=True)
    atoms.positions += rng.normal(0, rattle, (len(atoms), 3))
    return atoms


def labelled(atoms: Atoms) -> Atoms:
    """The frame with EMT labels."""
    copy = atoms.copy()
    copy.calc = EMT()
    energy, forces = copy.get_potential_energy(), copy.get_forces()
    set_labels(copy, energy, forces)
    return copy


def config(types: tuple[str, ...] = ("Ag", "Au"), **settings: object) -> Any:
    """As much of a RunConfig as the POD trainer reads."""
    return SimpleNamespace(
        file=Path("run_param.json"),
        train=SimpleNamespace(atom_type=types, settings={**SMALL, **settings}),
        strategy=SimpleNamespace(uncertainty="committee", compress=False),
        init_model_list=(),
    )


def trainer(types: tuple[str, ...] = ("Ag", "Au"), **settings: object) -> PodTrainer:
    return PodTrainer(config(types, **settings), BLOCK, BLOCK)


def data_set(folder: Path, train: list[Atoms], valid: list[Atoms]) -> TrainingData:
    """Both parts written as extxyz."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, frames in (("train.xyz", train), ("valid.xyz", valid)):
        if frames:
            write_frames(folder / name, frames, "extxyz")
    parts = [(folder / "train.xyz",), (folder / "valid.xyz",) if valid else ()]
    return TrainingData(parts[0], parts[1], "extxyz")


def shell(directory: Path, command: str) -> int:
    """Run a task's command as a job script would."""
    return subprocess.run(["bash", "-c", command], cwd=directory, check=False).returncode


def fit(
    pod: PodTrainer,
    directory: Path,
    data: TrainingData,
    seed: int = 1,
    start_from: Optional[Path] = None,
) -> Any:
    directory.mkdir(parents=True)
    pod.write_input(directory, data, seed, start_from)
    assert shell(directory, pod.command()) == 0
    verdict = pod.check(directory)
    assert verdict.done, verdict
    return pod.read_result(directory)


def explore(
    directory: Path, atoms: Atoms, potential: Potential, condition: Condition, seed: int = 7
) -> int:
    """Write and run one MD task."""
    directory.mkdir(parents=True)
    explorer = LammpsExplorer(BLOCK)
    explorer.write_input(directory, atoms, potential, condition, seed)
    return shell(directory, explorer.command(potential))


def driven_alone(potential: Potential, member: int = 0) -> Potential:
    """The same committee, driven by another member, without deviations."""
    lines = tuple(line.replace(" 0_", f" {member}_") for line in potential.pair_lines)
    lines = tuple(line.replace(" 0_", f" {member}_") for line in lines)
    return replace(potential, pair_lines=lines, deviates=False)


def thermo(directory: Path) -> dict[str, float]:
    """The first row of the thermodynamic output, by column."""
    lines = (directory / "md.log").read_text().splitlines()
    head = next(i for i, line in enumerate(lines) if line.split()[:1] == ["Step"])
    return dict(zip(lines[head].split(), map(float, lines[head + 1].split())))
