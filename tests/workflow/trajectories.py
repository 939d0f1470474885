"""Trajectories with labels, as first-principles codes write them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk

from pwact.formats.labels import labels_of, set_labels
from tests.stubs.potcars import write_dummy_potcar

STUB = Path(__file__).parents[1] / "stubs" / "vasp.py"
POSCAR = "Ag Au\n1.0\n 4.1 0 0\n 0 8.0 0\n 0 0 4.2\nAg Au\n3 1\nDirect\n" + "".join(
    f" {row}\n" for row in ("0.01 0 0", "0 0.25 0.51", "0.5 0.27 0", "0.5 0.5 0.49")
)
INCAR = "IBRION = 0; NSW = {steps}; POTIM = 2.0; TEBEG = 400; ISIF = 2; KSPACING = 0.5\n"


def labelled(symbols: str, number: int, virial: bool = True) -> Atoms:
    """A frame that can be told from others: its energy is minus `number`, in eV."""
    rng = np.random.default_rng(number)
    atoms = Atoms(symbols, cell=np.diag([4.0, 5.0, 6.0]) + 0.125 * number, pbc=True)
    atoms.set_scaled_positions(rng.integers(0, 1024, (len(atoms), 3)) / 1024)
    forces = rng.integers(-1024, 1024, (len(atoms), 3)) / 512
    stress = rng.integers(-1024, 1024, (3, 3)) / 64
    set_labels(atoms, -float(number), forces, stress + stress.T if virial else None)
    return atoms


def movement_text(frames: list[Atoms]) -> str:
    """A ``MOVEMENT``; numbers with fifteen digits."""
    return "".join(map(_frame_text, frames))


def _frame_text(atoms: Atoms) -> str:
    labels = labels_of(atoms)
    head = f" {len(atoms)} atoms,Iteration (fs) = 0.1E+01, Etot,Ep,Ek (eV) = 0.5E+00 "
    lines = [f"{head} {labels.energy:.15E} 0.1E+01, SCF =   9", " Lattice vector (Angstrom)"]
    for place, row in enumerate(atoms.cell.array):
        beside = ""
        if labels.virial is not None:
            beside = f"     stress (eV): {_numbers(-labels.virial[place])}"
        lines.append(f" {_numbers(row)}{beside}")
    lines.append(" Position (normalized), move_x, move_y, move_z")
    for number, row in zip(atoms.numbers, atoms.get_scaled_positions(wrap=False)):
        lines.append(f" {number} {_numbers(row)} 1 1 1")
    lines.append(" Force (-force, eV/Angstrom)")
    for number, row in zip(atoms.numbers, -labels.forces):
        lines.append(f" {number} {_numbers(row)}")
    return "\n".join([*lines, f" {'-' * 49}"]) + "\n"


def _numbers(row: np.ndarray) -> str:
    return " ".join(f"{number:.15E}" for number in row)


def write_outcar(folder: Path, steps: int, comment: str = "") -> Path:
    """An OUTCAR of an MD of Ag3Au1, by the stand-in for VASP, which `comment` steers."""
    folder.mkdir(parents=True)
    (folder / "POSCAR").write_text(POSCAR)
    (folder / "INCAR").write_text(INCAR.format(steps=steps) + comment)
    parts = [write_dummy_potcar(folder / name, name).read_bytes() for name in ("Ag_pv", "Au")]
    (folder / "POTCAR").write_bytes(b"".join(parts))
    subprocess.run([sys.executable, str(STUB)], cwd=folder, stdout=subprocess.DEVNULL, check=False)
    return folder / "OUTCAR"


def copper(number: int) -> Atoms:
    """A frame of 256 atoms of copper."""
    rng = np.random.default_rng(number)
    atoms = bulk("Cu", cubic=True).repeat((4, 4, 4))
    atoms.positions += rng.normal(0.0, 0.05, atoms.positions.shape)
    set_labels(atoms, -float(number), rng.normal(0.0, 1.0, (len(atoms), 3)), np.eye(3))
    return atoms
