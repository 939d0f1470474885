"""Forces of labels are minus the slope of their energy, with moments and on atoms that are held.

Relaxations and MDs hold atoms; a label never does, so its force on such an atom counts as any.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from ase import Atoms

from pwact.atom_properties import CHARGES, MOMENTS
from pwact.config.labeling import GaussianConfig
from pwact.config.structure_file import StructureFile
from pwact.engines.labelers import Labeler, Purpose
from pwact.fixed_atoms import fix
from pwact.formats.extxyz import write_extxyz
from pwact.formats.frames import ordered
from pwact.formats.labels import Labels, labels_of
from pwact.workflow.tasks.origin import assigned
from tests.engines import (
    abacus_helpers,
    cp2k_inputs,
    dftbplus_helpers,
    pwmat_helpers,
    qe_inputs,
    test_ase,
    vasp_helpers,
)
from tests.requirements import need_program

ROOT = Path(__file__).parents[2]
STEP = 0.01  # Å
CP2K = Path("/usr/share/cp2k")
PYTHON = f"env PYTHONPATH={shlex.quote(str(ROOT))} {shlex.quote(sys.executable)}"


def label(made: Labeler, folder: Path, atoms: Atoms) -> Labels:
    """The label of a user's structure in its order of atoms, computed by bash as in a job."""
    made.validate(Purpose.SCF, frozenset(atoms.get_chemical_symbols()))
    task = folder / f"task {sum(1 for _ in folder.glob('task *'))}"
    task.mkdir(parents=True)
    path = folder / f"{task.name}.xyz"
    write_extxyz(path, [atoms])
    given = assigned(made, None, StructureFile(path, "extxyz"), moving=False)
    made.write_input(task, ordered(given), Purpose.SCF, 3)
    words = ["bash", "-c", made.command(Purpose.SCF)]
    done = subprocess.run(words, cwd=task, check=False, capture_output=True, text=True)
    verdict = made.check(task, Purpose.SCF)
    assert verdict.done, f"{verdict.reason} {done.stdout}{done.stderr}"
    (found,) = made.read_result(task, Purpose.SCF)
    labels = labels_of(found)
    apart = found.cell.scaled_positions(found.positions)[None, :]
    apart = apart - atoms.cell.scaled_positions(atoms.positions)[:, None]
    order = np.linalg.norm(apart - np.round(apart), axis=2).argmin(axis=1)
    assert sorted(order) == list(range(len(atoms)))
    return replace(labels, forces=labels.forces[order])


def check_slope(
    made: Labeler, folder: Path, atoms: Atoms, atom: int, axis: int, close: float = 1e-3
) -> Labels:
    """Compare one force (eV/Å) with the slope of the energy."""
    labels = label(made, folder, atoms)
    energies = []
    for sign in (1, -1):
        moved = atoms.copy()
        moved.positions[atom, axis] += sign * STEP
        energies.append(label(made, folder, moved).energy)
    slope = -(energies[0] - energies[1]) / (2 * STEP)
    assert abs(slope) > 0.05
    assert labels.forces[atom, axis] == pytest.approx(slope, abs=close)
    return labels


def held(atoms: Atoms, *numbers: int) -> Atoms:
    """These atoms of the structure shall not move."""
    rows = np.zeros(len(atoms))
    rows[list(numbers)] = 1
    fix(atoms, rows)
    return atoms


def alloy() -> Atoms:
    """Two atoms of silver and two of gold, which every stand-in knows."""
    return held(ordered(vasp_helpers.alloy()), 0, 2)


def of_vasp(folder: Path) -> Labeler:
    return vasp_helpers.vasp(folder, vasp_helpers.INCARS[Purpose.SCF])


def of_pwmat(folder: Path) -> Labeler:
    return pwmat_helpers.labeler(folder, pwmat_helpers.CONTROLS[Purpose.SCF])


def of_dftbplus(folder: Path) -> Labeler:
    return dftbplus_helpers.labeler(folder, dftbplus_helpers.hsd(Purpose.SCF))


def of_abacus(folder: Path) -> Labeler:
    return abacus_helpers.abacus(folder, abacus_helpers.abacus_input())


def of_ase(folder: Path) -> Labeler:
    return test_ase.labeler(folder, {"calculator": "emt"}, command=PYTHON)


@pytest.mark.parametrize("making", [of_ase, of_vasp, of_pwmat, of_dftbplus, of_abacus])
def test_held_atoms(tmp_path: Path, making: Callable[[Path], Labeler]) -> None:
    """All but ASE are stand-ins, so what is tried is that nothing of ours holds an atom."""
    check_slope(making(tmp_path / "input"), tmp_path, alloy(), atom=2, axis=1)


def test_moments_of_an_ase_calculator(tmp_path: Path) -> None:
    settings = {"calculator": "tests.engines.calculators:Spins"}
    made = test_ase.labeler(tmp_path / "input", settings, command=PYTHON)
    atoms = alloy()
    atoms.set_array(MOMENTS, np.array([2.0, -1.0, 1.5, -2.5]))
    atoms.set_array(CHARGES, np.array([0.5, -0.5, 0.25, -0.25]))
    with_moments = check_slope(made, tmp_path, atoms, atom=2, axis=0)
    atoms.set_array(MOMENTS, np.array([2.0, 1.0, 1.5, 2.5]))
    assert abs(label(made, tmp_path, atoms).energy - with_moments.energy) > 0.1


def stretched_hydrogen() -> Atoms:
    """One spin up and one down, far below the closed shell, with a slope of their own."""
    atoms = Atoms("H2", [(0.1, 0.2, 0.0), (0.3, 0.1, 2.4)], cell=[4.2, 4.0, 6.4], pbc=True)
    atoms.set_array(MOMENTS, np.array([1.0, -1.0]))
    return held(atoms, 0)


def closed_shell() -> Atoms:
    atoms = stretched_hydrogen()
    del atoms.arrays[MOMENTS]
    return atoms


DIAGONAL = cp2k_inputs.GPW.partition("      ADDED_MOS")[2].partition("    &END SCF")[0]
OT = "      &OT\n        PRECONDITIONER FULL_ALL\n        MINIMIZER DIIS\n      &END OT\n"
ORBITALS = cp2k_inputs.GPW.replace(f"      ADDED_MOS{DIAGONAL}", OT)


@pytest.mark.slow
def test_cp2k(tmp_path: Path) -> None:
    need_program("cp2k.psmp")
    gaussian = GaussianConfig(
        *(CP2K / "BASIS_MOLOPT", CP2K / "GTH_POTENTIALS"),
        *(("H",), ("DZVP-MOLOPT-SR-GTH",), ("GTH-PBE-q1",)),
    )

    def made(folder: str, spins: str) -> Any:
        text = cp2k_inputs.cp2k_input("ENERGY_FORCE", spins + ORBITALS)
        return cp2k_inputs.labeler(tmp_path / folder, text, gaussian)

    atoms = stretched_hydrogen()
    atoms.set_array(MOMENTS, np.ones(2))
    triplet = check_slope(
        made("triplet", "    UKS T\n    MULTIPLICITY 3\n"), tmp_path / "1", atoms, atom=0, axis=2
    )
    closed = label(made("closed", ""), tmp_path / "2", closed_shell())
    assert abs(closed.energy - triplet.energy) > 0.1


@pytest.mark.slow
def test_pw(tmp_path: Path) -> None:
    need_program("pw.x")

    def made(nspin: int) -> Any:
        text = qe_inputs.pw_input(
            species="H 1.008 H.pz-vbc.UPF",
            control=f"pseudo_dir='{qe_inputs.PSEUDO}'",
            system=f"nspin={nspin}, occupations='smearing', degauss=0.002",
            electrons="mixing_beta=0.3",
            cards="K_POINTS gamma",
        )
        return qe_inputs.labeler(tmp_path / f"{nspin}", text.replace("ecutwfc=8", "ecutwfc=25"))

    spins = check_slope(made(2), tmp_path / "2", stretched_hydrogen(), atom=0, axis=2)
    closed = label(made(1), tmp_path / "1", closed_shell())
    assert closed.energy - spins.energy > 0.1
