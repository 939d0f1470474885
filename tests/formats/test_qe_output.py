"""Outputs of pw.x, against what Quantum ESPRESSO 6.7 printed, read off by eye."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.io.espresso import read_espresso_out
from ase.units import Bohr, Hartree, Rydberg

from pwact.engines.qe.task import read_start
from pwact.errors import CutOffError, NotConvergedError, TaskError
from pwact.formats.labels import labels_of
from pwact.formats.qe_output import labelled, read_log
from pwact.formats.qe_xml import labelled_xml, structure_in

DATA = Path(__file__).parents[1] / "data" / "qe"


def start(name: str) -> Atoms:
    return read_start(DATA / name / "pw.in")


def xml() -> Path:
    return DATA / "scf" / "pwact.xml"


def test_an_xml_gives_energy_forces_and_stress_with_all_digits() -> None:
    text = xml().read_text()
    labels = labels_of(labelled_xml(xml(), start("scf")))
    energy = float(re.findall(r"<etot>(\S+)</etot>", text)[0])
    forces = re.findall(r"<forces rank[^>]*>(.*?)</forces>", text, re.DOTALL)[0].split()
    stress = re.findall(r"<stress rank[^>]*>(.*?)</stress>", text, re.DOTALL)[0].split()
    assert labels.energy == pytest.approx(energy * Hartree, rel=1e-8)
    expected = np.array(forces, float).reshape(2, 3) * Hartree / Bohr
    np.testing.assert_allclose(labels.forces, expected, rtol=1e-7)
    virial = np.array(stress, float).reshape(3, 3) * Hartree / Bohr**3 * start("scf").get_volume()
    np.testing.assert_allclose(labels.virial, virial, rtol=1e-7)
    assert labels.virial is not None
    assert np.trace(labels.virial) > 0  # P = … kbar of the log is positive: it wants to expand


def test_log_and_xml_agree_as_far_as_the_log_has_digits() -> None:
    (one,) = read_log(DATA / "scf" / "dft.log", start("scf")).usable
    printed = labels_of(labelled(one, start("scf")))
    exact = labels_of(labelled_xml(xml(), start("scf")))
    assert printed.energy == pytest.approx(exact.energy, abs=2e-7)
    np.testing.assert_allclose(printed.forces, exact.forces, atol=5e-7)
    np.testing.assert_allclose(printed.virial, exact.virial, atol=5e-5)


def check_same(found: Atoms, other: Atoms) -> None:
    """Every number is that of ASE's reader, as far as pw.x prints it."""
    labels = labels_of(found)
    # lengths have six decimals of the lattice parameter
    np.testing.assert_allclose(found.cell.array, other.cell.array, atol=5e-6)
    np.testing.assert_allclose(found.positions, other.positions, atol=5e-6)
    # ASE has the constants of CODATA 2014
    assert labels.energy == pytest.approx(other.get_potential_energy(), rel=1e-7)
    np.testing.assert_allclose(labels.forces, other.get_forces(), rtol=1e-6, atol=1e-6)
    assert labels.virial is not None
    virial = -other.get_volume() * other.get_stress(voigt=False)
    # eight decimals of Ry/bohr³
    assert np.abs(labels.virial - virial).max() < 1e-6 * other.get_volume()


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("scf", 1),
        ("smearing", 1),
        ("spins", 1),
        ("relax", 3),
        ("vc-relax", 8),
        ("md", 3),
        ("out-of-steps", 1),
    ],
)
def test_every_number_is_that_of_an_independent_reader(name: str, count: int) -> None:
    with (DATA / name / "dft.log").open() as stream:
        others = list(read_espresso_out(stream, slice(None)))
    log = read_log(DATA / name / "dft.log", start(name))
    assert len(log.usable) == len(others) == count
    for one, other in zip(log.usable, others):
        check_same(labelled(one, start(name)), other)
    if (DATA / name / "pwact.xml").exists():
        check_same(labelled_xml(DATA / name / "pwact.xml", start(name)), others[0])


def test_with_smearing_the_energy_is_that_of_the_forces() -> None:
    text = (DATA / "smearing" / "dft.log").read_text()
    free = float(text.rpartition("!    total energy")[2].split()[1])
    internal = float(text.rpartition("E=F+TS")[2].split()[1])
    assert internal - free > 0.01
    labels = labels_of(labelled_xml(DATA / "smearing" / "pwact.xml", start("smearing")))
    assert labels.energy == pytest.approx(free * Rydberg, abs=1e-5)


def test_the_steps_of_an_md_are_numbered_and_it_ended() -> None:
    log = read_log(DATA / "md" / "dft.log", start("md"))
    assert [one.step for one in log.evaluations] == [0, 1, 2]
    assert log.ended
    assert log.version.startswith("6.7")
    log.demand_end()


def test_a_relaxation_ends_with_the_structure_that_has_labels() -> None:
    log = read_log(DATA / "vc-relax" / "dft.log", start("vc-relax"))
    assert log.relaxed
    last = log.usable[-1]
    # the final structure of the log, and the single point that pw.x does behind it
    text = (DATA / "vc-relax" / "dft.log").read_text()
    final = text.partition("Begin final coordinates")[2].partition("End final coordinates")[0]
    rows = re.findall(r"^Si +(\S+) +(\S+) +(\S+)$", final, re.MULTILINE)
    np.testing.assert_allclose(last.positions, np.array(rows, float), atol=1e-12)
    energy = re.findall(r"^! +total energy += +(\S+) Ry", text, re.MULTILINE)[-1]
    assert last.energy == pytest.approx(float(energy) * Rydberg, rel=1e-8)


def test_a_relaxation_that_ran_out_of_steps_is_told_apart() -> None:
    log = read_log(DATA / "out-of-steps" / "dft.log", start("out-of-steps"))
    assert (log.ended, log.relaxed, len(log.usable)) == (True, False, 1)


def test_what_did_not_converge_is_no_label() -> None:
    log = read_log(DATA / "not-converged" / "dft.log", start("not-converged"))
    assert log.ended
    assert log.usable == []
    with pytest.raises(NotConvergedError):
        log.demand_end()


def test_numbers_of_what_did_not_converge_are_not_usable(tmp_path: Path) -> None:
    text = (DATA / "scf" / "dft.log").read_text()
    log = tmp_path / "dft.log"
    log.write_text(text.replace("convergence has been achieved", "convergence NOT achieved"))
    found = read_log(log, start("scf"))
    assert [one.whole for one in found.evaluations] == [True]
    assert found.usable == []


def test_an_output_of_another_structure_is_refused() -> None:
    other = start("scf")
    other.positions[1, 0] += 0.01
    with pytest.raises(TaskError, match="atom 2 is not where the input has it"):
        read_log(DATA / "scf" / "dft.log", other)
    with pytest.raises(TaskError, match="of another structure"):
        labelled_xml(xml(), other)


def test_numbers_that_touch_are_told_apart(tmp_path: Path) -> None:
    text = (DATA / "scf" / "dft.log").read_text()
    row = next(line for line in text.splitlines() if "atom    1 type  1   force" in line)
    log = tmp_path / "dft.log"
    log.write_text(text.replace(row, row[:37] + "-123.00000001-456.00000002-789.00000003"))
    (one,) = read_log(log, start("scf")).usable
    assert one.forces is not None
    np.testing.assert_allclose(one.forces[0] * Bohr / Rydberg, [-123, -456, -789], rtol=1e-7)
    log.write_text(text.replace(row, row[:37] + "   ************* 0.00000002    0.00000003"))
    with pytest.raises(TaskError, match="3 numbers are expected"):
        read_log(log, start("scf"))


def test_a_cut_off_log_never_gives_other_labels(tmp_path: Path) -> None:
    whole = (DATA / "md" / "dft.log").read_bytes()
    right = read_log(DATA / "md" / "dft.log", start("md")).usable
    for end in range(0, len(whole), 503):
        log = tmp_path / "dft.log"
        log.write_bytes(whole[:end])
        found = read_log(log, start("md")).usable
        for one, other in zip(found, right):
            assert one.energy == other.energy
            np.testing.assert_array_equal(one.forces, other.forces)
            np.testing.assert_array_equal(one.stress, other.stress)
            np.testing.assert_array_equal(one.positions, other.positions)


def test_a_damaged_xml_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "pwact.xml"
    content = xml().read_bytes()
    for end in range(0, len(content) - 20, 1331):
        path.write_bytes(content[:end])
        with pytest.raises(CutOffError):
            labelled_xml(path, start("scf"))
    shutil.copyfile(xml(), path)
    cell, positions = structure_in(path)
    np.testing.assert_allclose(positions, start("scf").positions, atol=1e-8)
    np.testing.assert_allclose(cell, start("scf").cell.array, atol=1e-8)


def test_an_xml_without_convergence_or_stress_is_no_label(tmp_path: Path) -> None:
    path = tmp_path / "pwact.xml"
    text = xml().read_text()
    path.write_text(text.replace("achieved>true", "achieved>false"))
    with pytest.raises(NotConvergedError):
        labelled_xml(path, start("scf"))
    path.write_text(re.sub(r"<stress rank.*</stress>", "", text, flags=re.DOTALL))
    with pytest.raises(TaskError, match="holds no stress"):
        labelled_xml(path, start("scf"))
