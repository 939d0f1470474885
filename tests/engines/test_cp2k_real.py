"""CP2K for real: what it computes agrees with its own energies through our path."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Optional

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from pwact.config.labeling import GaussianConfig
from pwact.engines.cp2k.labeler import Cp2kLabeler
from pwact.engines.labelers import Purpose
from pwact.errors import NotConvergedError, TaskError
from pwact.fixed_atoms import fix
from pwact.formats.frames import ordered
from pwact.formats.labels import Labels, labels_of
from pwact.verdict import Outcome
from pwact.workflow.tasks.held_forces import demand_forces
from tests.engines.cp2k_inputs import DFTB, GPW, MD, MESH, cp2k_input, labeler
from tests.requirements import need_program

pytestmark = pytest.mark.slow
ODD = 'it\'s a $HOME of "labels"'
DATA = Path("/usr/share/cp2k")
OPTIMIZE = "&MOTION\n  &{0}\n    MAX_ITER {1}\n  &END {0}\n&END MOTION\n"


def computed(made: Cp2kLabeler, folder: Path, atoms: Atoms, purpose: Purpose = Purpose.SCF) -> Path:
    """The directory of a task that bash has run."""
    need_program("cp2k.psmp")
    made.validate(purpose, frozenset(atoms.get_chemical_symbols()))
    number = sum(1 for _ in folder.glob("task *"))
    task = folder / f"task {number}"
    task.mkdir(parents=True)
    made.write_input(task, ordered(atoms), purpose, 3, 820 if purpose is Purpose.SCF else None)
    words = ["bash", "-c", made.command(purpose)]
    subprocess.run(words, cwd=task, check=False, capture_output=True)
    return task


def label(made: Cp2kLabeler, folder: Path, atoms: Atoms) -> Labels:
    task = computed(made, folder, atoms)
    verdict = made.check(task, Purpose.SCF)
    assert verdict.done, verdict.reason
    (found,) = made.read_result(task, Purpose.SCF)
    np.testing.assert_array_equal(found.cell.array, atoms.cell.array)
    return labels_of(found)


def silicon(a: float = 5.40) -> Atoms:
    atoms = bulk("Si", cubic=True, a=a)
    atoms.rattle(0.1, seed=4)
    return atoms


def strained(atoms: Atoms, strain: np.ndarray) -> Atoms:
    made = atoms.copy()
    made.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
    return made


def check_derivatives(
    made: Cp2kLabeler, folder: Path, atoms: Atoms, places: list[tuple[int, int]], virial: bool
) -> None:
    """Forces within 1e-3 eV/Å and virials within 1 % of finite differences of the energy."""
    labels = label(made, folder, atoms)
    step = 0.01
    for atom, axis in places:
        energies = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions[atom, axis] += sign * step
            energies.append(label(made, folder, moved).energy)
        slope = -(energies[0] - energies[1]) / (2 * step)
        assert abs(slope) > 0.05
        assert labels.forces[atom, axis] == pytest.approx(slope, abs=1e-3)
    assert labels.virial is not None
    for row, column in ((0, 0), (0, 1)) if virial else ():
        strain = np.zeros((3, 3))
        strain[row, column] = strain[column, row] = 0.002 if row == column else 0.001
        up, down = (label(made, folder, strained(atoms, s * strain)).energy for s in (1, -1))
        slope = -(up - down) / 0.004
        assert abs(slope) > 0.5
        assert labels.virial[row, column] == pytest.approx(slope, rel=0.01)


def test_derivatives_of_dftb(tmp_path: Path) -> None:
    made = labeler(tmp_path / ODD, cp2k_input("ENERGY_FORCE", DFTB + MESH))
    check_derivatives(made, tmp_path / ODD, silicon(5.6), [(0, 0), (5, 2)], virial=True)


def gpw(folder: Path, text: str) -> Cp2kLabeler:
    need_program("cp2k.psmp")
    gaussian = GaussianConfig(
        *(DATA / "BASIS_MOLOPT", DATA / "GTH_POTENTIALS"),
        *(("H", "Si"), ("DZVP-MOLOPT-SR-GTH", "SZV-MOLOPT-SR-GTH"), ("GTH-PBE-q1", "GTH-PBE-q4")),
        kspacing=0.6,
    )
    return labeler(folder, text, gaussian)


def test_pbe_with_kpoints(tmp_path: Path) -> None:
    made = gpw(tmp_path, cp2k_input("ENERGY_FORCE", GPW))
    check_derivatives(made, tmp_path, silicon(), [(0, 2)], virial=False)
    log = (tmp_path / "task 0" / "dft.log").read_text()
    assert " BRILLOUIN| K-Point grid                                             2    2    2" in log


def test_an_unconverged_scf(tmp_path: Path) -> None:
    """CP2K 2023 goes on by itself; the word that later ones want for that is unknown to it."""
    few = DFTB.replace("MAX_SCF 100", "MAX_SCF 2").replace("ALPHA 1.0", "ALPHA 0.3")
    made = labeler(tmp_path, cp2k_input("ENERGY_FORCE", few))
    task = computed(made, tmp_path, silicon())
    assert "PROGRAM ENDED" in (task / "dft.log").read_text()
    verdict = made.check(task, Purpose.SCF)
    assert verdict.outcome is Outcome.UNUSABLE
    assert "SCF run NOT converged" in verdict.reason
    with pytest.raises(NotConvergedError):
        made.read_result(task, Purpose.SCF)


def test_what_cp2k_refuses_is_told(tmp_path: Path) -> None:
    made = labeler(tmp_path, cp2k_input("ENERGY_FORCE", f"    CHARGES 0\n{DFTB}"))
    task = computed(made, tmp_path, silicon())
    verdict = made.check(task, Purpose.SCF)
    assert verdict.outcome is Outcome.INCOMPLETE
    assert "CP2K gave up: found an unknown keyword CHARGES in section DFT" in verdict.reason


def test_order_place_and_hand_do_not_matter(tmp_path: Path) -> None:
    """Several elements, atoms outside of a skewed cell, the same lattice the other way round."""
    made = labeler(tmp_path, cp2k_input("ENERGY_FORCE"))
    atoms = Atoms(
        "OCHHH", [(0, 0, 0), (1.4, 0, 0), (-0.4, 0.8, 0), (1.8, 1, 0.1), (1.8, -0.5, 0.9)]
    )
    atoms.append("H")
    atoms.positions[5] = (1.8, -0.5, -0.9)
    atoms.set_cell([[9.0, 0.2, -0.1], [1.0, 8.0, 0.3], [0.5, -1.0, 7.0]])
    atoms.pbc = True
    first = label(made, tmp_path, atoms)
    order = [3, 0, 5, 1, 4, 2]
    other = atoms[order]
    other.positions += np.array([[3, -2, 1], [0, 0, 0], [5, 0, 0]] * 2) @ atoms.cell.array
    second = label(made, tmp_path, other)
    swapped = atoms.copy()
    swapped.set_cell(atoms.cell.array[[1, 0, 2]])
    third = label(made, tmp_path, swapped)
    for labels in (second, third):
        assert labels.energy == pytest.approx(first.energy, abs=1e-8)
        np.testing.assert_allclose(labels.virial, first.virial, atol=1e-6)
    np.testing.assert_allclose(third.forces, first.forces, atol=1e-6)
    # ordered by element, in each the order of the input: second has the hydrogens 3, 5, 4, 2
    np.testing.assert_allclose(second.forces, first.forces[[1, 3, 2, 0, 4, 5]], atol=1e-6)


def relaxed(folder: Path, kind: str, steps: int) -> tuple[Cp2kLabeler, Atoms, Optional[str]]:
    text = cp2k_input(kind, DFTB + MESH, motion=OPTIMIZE.format(kind, steps))
    made = labeler(folder, text)
    task = computed(made, folder, silicon(), Purpose.RELAX)
    verdict = made.check(task, Purpose.RELAX)
    assert verdict.done, verdict.reason
    (found,) = made.read_result(task, Purpose.RELAX)
    return made, found, (task / "dft.log").read_text()


@pytest.mark.parametrize(
    ("kind", "steps"), [("GEO_OPT", 50), ("GEO_OPT", 2), ("CELL_OPT", 60), ("CELL_OPT", 3)]
)
def test_a_relaxed_structure_is_the_last_and_has_its_cell(
    kind: str, steps: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A single point of it gives the energy, forces and virial that the relaxation ended with."""
    _, found, _ = relaxed(tmp_path / "relax", kind, steps)
    assert ("MAX_ITER ended the relaxation" in caplog.text) == (steps < 10)
    fixed = np.array_equal(found.cell.array, silicon().cell.array)
    assert fixed == (kind == "GEO_OPT")
    again = labeler(tmp_path / "scf", cp2k_input("ENERGY_FORCE", DFTB + MESH))
    labels, other = labels_of(found), label(again, tmp_path / "scf", found)
    assert labels.energy == pytest.approx(other.energy, abs=1e-6)
    np.testing.assert_allclose(labels.forces, other.forces, atol=1e-5)
    np.testing.assert_allclose(labels.virial, other.virial, atol=1e-3)
    if steps > 10:
        assert np.abs(labels.forces).max() < 0.025  # CP2K's own bound, 4.5e-4 hartree/bohr


@pytest.mark.parametrize("ensemble", ["NVT", "NPT_F"])
def test_frames_of_an_aimd(ensemble: str, tmp_path: Path) -> None:
    """Each frame's labels are those of a single point of it, also when the cell moves."""
    motion = MD.replace("ENSEMBLE NVT", f"ENSEMBLE {ensemble}")
    if ensemble != "NVT":
        barostat = "    &BAROSTAT\n      PRESSURE 0\n      TIMECON 200\n    &END BAROSTAT\n"
        motion = motion.replace("  &END MD\n", f"{barostat}  &END MD\n")
    made = labeler(tmp_path / "aimd", cp2k_input("MD", DFTB + MESH, motion=motion))
    task = computed(made, tmp_path / "aimd", silicon(), Purpose.AIMD)
    assert made.check(task, Purpose.AIMD).done
    frames = made.read_result(task, Purpose.AIMD)
    assert len(frames) == 4
    np.testing.assert_allclose(frames[0].positions, silicon().positions, atol=1e-9)
    cells = [frame.cell.array for frame in frames]
    assert np.array_equal(cells[0], cells[-1]) == (ensemble == "NVT")
    again = labeler(tmp_path / "scf", cp2k_input("ENERGY_FORCE", DFTB + MESH))
    for frame in (frames[0], frames[-1]):
        labels, other = labels_of(frame), label(again, tmp_path / "scf", frame)
        assert labels.energy == pytest.approx(other.energy, abs=1e-6)
        np.testing.assert_allclose(labels.forces, other.forces, atol=1e-5)
        np.testing.assert_allclose(labels.virial, other.virial, atol=1e-3)


def test_held_atoms(tmp_path: Path) -> None:
    """They stay, and CP2K gives them forces of 0 in MD: labels are computed without a hold."""
    atoms = ordered(silicon())
    fixed = np.zeros((8, 3))
    fixed[[0, 5]] = 1
    fixed[3, 2] = 1
    fix(atoms, fixed)
    for purpose, text in (
        (Purpose.AIMD, cp2k_input("MD", DFTB, motion=MD)),
        (Purpose.RELAX, cp2k_input("GEO_OPT", DFTB, motion=OPTIMIZE.format("GEO_OPT", 50))),
    ):
        made = labeler(tmp_path / purpose.value, text)
        task = computed(made, tmp_path / purpose.value, atoms, purpose)
        assert made.check(task, purpose).done, made.check(task, purpose).reason
        frame = made.read_result(task, purpose)[-1]
        moved = np.abs(frame.positions - atoms.positions)
        assert moved[[0, 5]].max() < 1e-6
        assert moved[3, 2] < 1e-6
        assert np.delete(moved, [0, 5], axis=0)[:, :2].max(axis=1).min() > 1e-4
        if purpose is Purpose.AIMD:
            assert not labels_of(frame).forces[[0, 5]].any()
            assert not made.forces_on_held
            with pytest.raises(TaskError, match="forces on the 2 held atoms are 0"):
                demand_forces(atoms, made.read_result(task, purpose), task)
    made = labeler(tmp_path / "scf", cp2k_input("ENERGY_FORCE", DFTB))
    check_derivatives(made, tmp_path / "scf", atoms, [(0, 0), (3, 2), (5, 1)], virial=False)
