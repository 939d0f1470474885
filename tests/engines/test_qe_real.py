"""Quantum ESPRESSO for real: labels agree with its own energies, an MD that was killed goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io.espresso import read_espresso_out

from pwact.atom_properties import MOMENTS
from pwact.engines.labelers import Purpose
from pwact.engines.qe.labeler import QeLabeler
from pwact.fixed_atoms import fix
from pwact.formats.labels import Labels, labels_of
from pwact.verdict import Outcome
from tests.engines.qe_inputs import MESH, PSEUDO, labeler, pw_input, silicon
from tests.requirements import need_program

pytestmark = pytest.mark.slow
ODD = 'it\'s a $HOME of "labels"'
CONTROL = f"pseudo_dir='{PSEUDO}'"
SILICON = "Si 28.0855 Si.pz-vbc.UPF"


def prepared(made: QeLabeler, folder: Path, atoms: Atoms, purpose: Purpose) -> Path:
    need_program("pw.x")
    made.validate(purpose, frozenset(atoms.get_chemical_symbols()))
    task = folder / f"task {sum(1 for _ in folder.glob('task *'))}"
    task.mkdir(parents=True)
    made.write_input(task, made.assign(atoms), purpose, 3)
    return task


def run(made: QeLabeler, task: Path, purpose: Purpose) -> int:
    words = ["bash", "-c", made.command(purpose)]
    return subprocess.run(words, cwd=task, check=False, capture_output=True).returncode


def computed(made: QeLabeler, folder: Path, atoms: Atoms, purpose: Purpose = Purpose.SCF) -> Path:
    task = prepared(made, folder, atoms, purpose)
    run(made, task, purpose)
    return task


def label(made: QeLabeler, folder: Path, atoms: Atoms) -> Labels:
    task = computed(made, folder, atoms)
    verdict = made.check(task, Purpose.SCF)
    assert verdict.done, verdict.reason
    (found,) = made.read_result(task, Purpose.SCF)
    np.testing.assert_array_equal(found.positions, atoms.positions)
    return labels_of(found)


def check_derivatives(made: QeLabeler, folder: Path, atoms: Atoms) -> Labels:
    """Forces within 1e-3 eV/Å and virials within 1 % of finite differences of the energy."""
    labels = label(made, folder, atoms)
    energies = []
    for sign in (1, -1):
        moved = atoms.copy()
        moved.positions[1, 2] += sign * 0.01
        energies.append(label(made, folder, moved).energy)
    slope = (energies[1] - energies[0]) / 0.02
    assert abs(slope) > 0.05
    assert labels.forces[1, 2] == pytest.approx(slope, abs=1e-3)
    assert labels.virial is not None
    for row, column in ((0, 0), (0, 1)):
        strain = np.zeros((3, 3))
        strain[row, column] = strain[column, row] = 0.004 if row == column else 0.002
        energies = []
        for sign in (1, -1):
            strained = atoms.copy()
            strained.set_cell(atoms.cell.array @ (np.eye(3) + sign * strain), scale_atoms=True)
            energies.append(label(made, folder, strained).energy)
        slope = (energies[1] - energies[0]) / 0.008
        assert abs(slope) > 0.1
        assert labels.virial[row, column] == pytest.approx(slope, rel=0.01)
    return labels


def test_derivatives_of_silicon(tmp_path: Path) -> None:
    # finite differences of a strain need a basis that hardly changes with the cell
    text = pw_input(species=SILICON, control=CONTROL).replace("ecutwfc=8", "ecutwfc=32")
    made = labeler(tmp_path / ODD, text)
    labels = check_derivatives(made, tmp_path / ODD, silicon())
    with (tmp_path / ODD / "task 0" / "dft.log").open() as stream:
        (other,) = read_espresso_out(stream)
    assert labels.energy == pytest.approx(other.get_potential_energy(), rel=2e-7)
    np.testing.assert_allclose(labels.forces, other.get_forces(), atol=2e-6)
    virial = -other.get_volume() * other.get_stress(voigt=False)
    np.testing.assert_allclose(labels.virial, virial, atol=1e-3)


def test_with_smearing_the_energy_is_the_one_of_the_forces(tmp_path: Path) -> None:
    """Half an electronvolt of smearing: E and F differ by far more than the tolerance."""
    text = pw_input(
        species="Al 26.98 Al.pz-vbc.UPF",
        control=CONTROL,
        system="occupations='smearing', smearing='fd', degauss=0.04",
    ).replace("ecutwfc=8", "ecutwfc=14")
    atoms = bulk("Al")
    atoms = atoms.repeat((2, 1, 1))
    atoms.positions[1] += [0.1, -0.05, 0.15]
    made = labeler(tmp_path, text)
    labels = label(made, tmp_path, atoms)
    energies = []
    for sign in (1, -1):
        moved = atoms.copy()
        moved.positions[1, 2] += sign * 0.01
        energies.append(label(made, tmp_path, moved).energy)
    assert labels.forces[1, 2] == pytest.approx((energies[1] - energies[0]) / 0.02, abs=1e-3)
    log = (tmp_path / "task 0" / "dft.log").read_text()
    free, internal = (
        float(log.rpartition(words)[2].split()[1]) * 13.605693
        for words in ("!    total energy", "E=F+TS")
    )
    assert abs(internal - free) > 0.01
    assert labels.energy == pytest.approx(free, abs=1e-5)


def test_two_spins_of_one_element(tmp_path: Path) -> None:
    """Iron up and down has another energy than iron up and up, and pw.x says the moments."""
    text = (
        pw_input(
            species="Fe 55.845 Fe.pz-nd-rrkjus.UPF",
            control=CONTROL,
            system="nspin=2, occupations='smearing', degauss=0.03, ecutrho=100",
            electrons="mixing_beta=0.3",
            cards=MESH,
        )
        .replace("ecutwfc=8", "ecutwfc=14")
        .replace("1d-9", "1d-6")
    )
    made = labeler(tmp_path, text)
    energies = {}
    for name, moments in {"down": (2.0, -2.0), "up": (2.0, 2.0)}.items():
        atoms = bulk("Fe", cubic=True)
        atoms.set_array(MOMENTS, np.array(moments))
        energies[name] = label(made, tmp_path, atoms).energy
    logs = [(tmp_path / f"task {number}" / "dft.log").read_text() for number in (0, 1)]
    totals = [float(log.rpartition("total magnetization")[2].split()[1]) for log in logs]
    assert abs(totals[0]) < 0.1
    assert abs(totals[1]) > 2
    assert abs(energies["down"] - energies["up"]) > 0.05


def test_a_talkative_output_is_read(tmp_path: Path) -> None:
    """With verbosity = 'high' pw.x prints the sites along the axes of the cell, too."""
    control = f"{CONTROL}, verbosity='high'"
    talkative = label(
        labeler(tmp_path, pw_input(species=SILICON, control=control)), tmp_path, silicon()
    )
    plain = labeler(tmp_path, pw_input(species=SILICON, control=CONTROL))
    assert talkative.energy == label(plain, tmp_path, silicon()).energy
    assert "Crystallographic axes" in (tmp_path / "task 0" / "dft.log").read_text()


@pytest.mark.parametrize("purpose", [Purpose.SCF, Purpose.AIMD])
def test_in_an_electric_field_there_are_forces_and_no_stress(
    purpose: Purpose, tmp_path: Path
) -> None:
    field = "edir=3, eamp=0.001, eopreg=0.1, emaxpos=0.7"
    kind = {Purpose.SCF: "scf", Purpose.AIMD: "md"}[purpose]
    control = f"{CONTROL}, tefield=.true."
    made = labeler(tmp_path, pw_input(kind, 2, control, field, species=SILICON))
    task = computed(made, tmp_path, silicon(), purpose)
    verdict = made.check(task, purpose)
    assert verdict.done, verdict.reason
    for frame in made.read_result(task, purpose):
        labels = labels_of(frame)
        assert labels.virial is None
        assert 0.05 < np.abs(labels.forces).max() < 5


def test_a_card_that_this_release_does_not_know_is_no_label(tmp_path: Path) -> None:
    cards = f"{MESH}\nHUBBARD (ortho-atomic)\nU Si-3p 4.0"  # of 7.1
    made = labeler(tmp_path, pw_input(species=SILICON, control=CONTROL, cards=cards))
    verdict = made.check(computed(made, tmp_path, silicon()), Purpose.SCF)
    assert verdict.outcome is Outcome.UNUSABLE
    assert "ignored the card HUBBARD" in verdict.reason


def test_what_does_not_converge_is_unusable(tmp_path: Path) -> None:
    text = pw_input(species=SILICON, control=CONTROL, electrons="electron_maxstep=2")
    made = labeler(tmp_path, text)
    task = computed(made, tmp_path, silicon())
    verdict = made.check(task, Purpose.SCF)
    assert verdict.outcome is Outcome.UNUSABLE
    assert "convergence NOT achieved" in verdict.reason


def test_what_pw_refuses_is_in_the_reason(tmp_path: Path) -> None:
    text = pw_input(species=SILICON, control=CONTROL, system="input_dft='nonsense'")
    made = labeler(tmp_path, text)
    verdict = made.check(computed(made, tmp_path, silicon()), Purpose.SCF)
    assert verdict.outcome is Outcome.INCOMPLETE
    assert "pw.x stopped: " in verdict.reason


@pytest.mark.parametrize("calculation", ["relax", "vc-relax"])
def test_a_relaxed_structure_has_its_own_labels(calculation: str, tmp_path: Path) -> None:
    text = pw_input(calculation, 50, species=SILICON, control=CONTROL)
    made = labeler(tmp_path, text)
    task = computed(made, tmp_path, silicon(), Purpose.RELAX)
    verdict = made.check(task, Purpose.RELAX)
    assert verdict.done, verdict.reason
    (found,) = made.read_result(task, Purpose.RELAX)
    assert np.array_equal(found.cell.array, silicon().cell.array) == (calculation == "relax")
    labels = labels_of(found)
    assert np.abs(labels.forces).max() < 0.03
    single = labeler(tmp_path, pw_input(species=SILICON, control=CONTROL))
    again = label(single, tmp_path, found)
    assert labels.energy == pytest.approx(again.energy, abs=2e-4)
    np.testing.assert_allclose(labels.forces, again.forces, atol=5e-3)


def test_held_atoms_stay_and_keep_their_forces(tmp_path: Path) -> None:
    atoms = silicon()
    fix(atoms, np.array([True, False]))
    made = labeler(tmp_path, pw_input("md", 3, species=SILICON, control=CONTROL))
    task = computed(made, tmp_path, atoms, Purpose.AIMD)
    assert made.check(task, Purpose.AIMD).done
    frames = made.read_result(task, Purpose.AIMD)
    assert len(frames) == 3
    for frame in frames:
        np.testing.assert_allclose(frame.positions[0], atoms.positions[0], atol=1e-9)
        assert np.abs(labels_of(frame).forces[0]).max() > 0.01
    assert np.abs(frames[2].positions[1] - atoms.positions[1]).max() > 1e-3


@pytest.mark.parametrize(
    "thermostat",
    ["'rescaling'", "'svr', nraise=5", "'berendsen', nraise=5", "'rescale-v', nraise=2"],
)
def test_an_md_with_a_thermostat_is_hot(thermostat: str, tmp_path: Path) -> None:
    text = pw_input("md", 3, species=SILICON, control=CONTROL).replace("'initial'", thermostat)
    made = labeler(tmp_path, text)
    task = computed(made, tmp_path, silicon(), Purpose.AIMD)
    assert made.check(task, Purpose.AIMD).done
    frames = made.read_result(task, Purpose.AIMD)
    assert 1e-3 < np.abs(frames[2].positions - frames[0].positions).max() < 0.5


def killed_after(made: QeLabeler, task: Path, steps: int) -> None:
    """Start an MD, and kill -9 it in the calculation behind these steps."""
    words = ["bash", "-c", made.command(Purpose.AIMD)]
    process = subprocess.Popen(words, cwd=task, start_new_session=True, stdout=subprocess.DEVNULL)
    log = task / "dft.log"
    while process.poll() is None:
        text = log.read_text(errors="replace") if log.is_file() else ""
        done, _, begun = text.rpartition("Self-consistent Calculation")
        # its second iteration has begun: pw.x has written what it goes on from
        if done.count("\n!    total energy") >= steps and "iteration #  2" in begun:
            break
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_an_md_that_was_killed_goes_on(tmp_path: Path) -> None:
    made = labeler(tmp_path, pw_input("md", 12, species=SILICON, control=CONTROL))
    whole = computed(made, tmp_path, silicon(), Purpose.AIMD)
    assert made.check(whole, Purpose.AIMD).done
    task = prepared(made, tmp_path, silicon(), Purpose.AIMD)
    killed_after(made, task, 4)
    verdict = made.check(task, Purpose.AIMD)
    assert verdict.outcome is Outcome.INCOMPLETE
    before = len(made.read_result(task, Purpose.AIMD))
    assert 4 <= before < 12
    assert run(made, task, Purpose.AIMD) == 0
    assert made.check(task, Purpose.AIMD).done
    assert (task / "dft.0.log").read_text().count("\n!    total energy") == before
    frames, others = (made.read_result(one, Purpose.AIMD) for one in (task, whole))
    assert len(frames) == len(others) == 12
    for frame, other in zip(frames, others):
        # densities begin otherwise after a restart, so energies agree as far as they converged
        assert labels_of(frame).energy == pytest.approx(labels_of(other).energy, abs=1e-4)
        np.testing.assert_allclose(frame.positions, other.positions, atol=1e-4)


def test_an_md_whose_density_is_damaged_begins_again(tmp_path: Path) -> None:
    made = labeler(tmp_path, pw_input("md", 6, species=SILICON, control=CONTROL))
    task = prepared(made, tmp_path, silicon(), Purpose.AIMD)
    killed_after(made, task, 3)
    density = task / "out" / "pwact.save" / "charge-density.dat"
    density.write_bytes(density.read_bytes()[:100])
    assert run(made, task, Purpose.AIMD) != 0
    assert "error reading file" in made.check(task, Purpose.AIMD).reason
    assert run(made, task, Purpose.AIMD) == 0
    assert made.check(task, Purpose.AIMD).done
    assert len(made.read_result(task, Purpose.AIMD)) == 6
    assert not (task / "dft.0.log").exists()
