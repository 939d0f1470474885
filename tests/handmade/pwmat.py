"""MOVEMENT, OUT.MLMD and atom.config in the layout of PWmat.

Forces stand there with the opposite sign, and the stress beside the lattice is minus the virial.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from ase import Atoms, units

from tests.handmade import matter
from tests.handmade.outcar import columns, fortran

END = f" {'-' * 49}"
INFO = (
    "     MD_INFO: METHOD(1-VV,2-NH,3-LV,4-LVPR,5-NHRP) TIME(fs) TEMP(K) DESIRED_TEMP(K)",
    "              1    0.1000000000E+01   0.60000E+03   0.60000E+03",
    "     TOTAL MOMENTUM",
    "              0.31626E+00  -0.19562E+00   0.87276E+00",
)


def row(numbers: Iterable[float], width: int, digits: int) -> str:
    """Numbers with exponents."""
    return "".join(f"{fortran(number, digits):>{width}}" for number in numbers)


def table(atoms: Atoms, rows: np.ndarray, width: int, decimals: int, more: str = "") -> list[str]:
    """A line for each atom, its atomic number first."""
    pairs = zip(atoms.numbers, columns(rows, width, decimals))
    return [f"{number:4d}{line}{more}" for number, line in pairs]


def head(atoms: Atoms, time: float, kinetic: float) -> list[str]:
    """Number of atoms, time and energies."""
    energy = matter.energy(atoms)
    first = f"{len(atoms):4d} atoms,Iteration (fs) = {row([time], 18, 10)}, Etot,Ep,Ek (eV) = "
    return [first + row([energy + kinetic, energy, kinetic], 19, 10) + ", SCF =    14"]


def lattice(atoms: Atoms, with_stress: bool) -> list[str]:
    """The lattice; the stress is not quite symmetric, as theirs is not."""
    stress = -matter.virial(atoms) + np.triu(np.full((3, 3), 1e-4), 1)
    lines = [" Lattice vector (Angstrom)"]
    for vector, numbers in zip(atoms.cell.array, stress):
        beside = f"     stress (eV): {row(numbers, 14, 6)}" if with_stress else ""
        lines.append(row(vector, 20, 10) + beside)
    return lines


def positions(atoms: Atoms) -> list[str]:
    """Fractional coordinates within the cell."""
    inside = np.asarray(atoms.get_scaled_positions(wrap=True))
    heading = " Position (normalized), move_x, move_y, move_z"
    return [heading, *table(atoms, inside, 26, 15, "     1  1  1")]


def frame_of_md(atoms: Atoms, time: float) -> list[str]:
    """A frame: pressure, forces (minus), velocities, and what nobody needs."""
    pressure = matter.virial(atoms) / units.Hartree / (atoms.get_volume() / units.Bohr**3)
    velocities = atoms.get_velocities() * units.fs / units.Bohr
    return [
        *head(atoms, time, float(atoms.get_kinetic_energy())),
        *INFO,
        *lattice(atoms, with_stress=True),
        " Pressure Internal(Hartree/bohr^3)",
        *(row(numbers, 20, 10) for numbers in pressure),
        *positions(atoms),
        " nonperiodic_Position (normalized), move_x, move_y, move_z",
        *table(atoms, atoms.get_scaled_positions(wrap=False), 26, 15, "     1  1  1"),
        " Force (-force, eV/Angstrom)",
        *table(atoms, -atoms.get_forces(), 26, 15),
        " Velocity (bohr/fs)",
        *table(atoms, velocities, 26, 15),
        *energies(atoms),
        END,
    ]


def energies(atoms: Atoms) -> list[str]:
    """The energies of single atoms, with their heading."""
    heading = "Atomic-Energy, Etot(eV),E_nonloc(eV),Q_atom:dE(eV)=  -0.1600000000E+03"
    numbers = row([-160.0, 25.0, 5.0], 19, 10)
    return [heading, *(f"{number:4d}{numbers}" for number in atoms.numbers)]


def first_frame(atoms: Atoms, with_stress: bool, end: str) -> list[str]:
    """What is computed before the atoms move: another heading of the forces, and no velocities."""
    return [
        *head(atoms, -1.0, 0.0),
        *lattice(atoms, with_stress),
        *positions(atoms),
        " Force (eV/Angstrom)",
        *table(atoms, -atoms.get_forces(), 26, 15),
        *(energies(atoms) if with_stress else ()),
        end,
    ]


def write_movement(path: Path, frames: Iterable[Atoms]) -> None:
    """Write one frame each, 1 fs apart."""
    lines: list[str] = []
    for number, atoms in enumerate(frames):
        lines += frame_of_md(atoms, number) if number else first_frame(atoms, True, END)
    path.write_text("\n".join(lines) + "\n")


def write_single_point(path: Path, atoms: Atoms) -> None:
    """OUT.MLMD without a stress."""
    path.write_text("\n".join(first_frame(atoms, False, f" {'-' * 46}END")) + "\n")


def write_atom_config(path: Path, atoms: Atoms) -> None:
    """The structure alone, with the headings in capitals."""
    inside = np.asarray(atoms.get_scaled_positions(wrap=True))
    lines = [f"{len(atoms):6d}", " LATTICE", *columns(atoms.cell.array, 16, 8)]
    path.write_text("\n".join([*lines, " POSITION", *table(atoms, inside, 15, 8, " 1 1 1"), ""]))
