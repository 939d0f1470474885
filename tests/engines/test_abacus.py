"""Tasks of ABACUS: what is written, refused, and which outputs count; by a stand-in."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.data import atomic_masses, atomic_numbers

from pwact.atom_properties import MOMENTS
from pwact.engines.labelers import Purpose
from pwact.errors import InputError, NotConvergedError
from pwact.fixed_atoms import fix
from pwact.formats.abacus_input import AbacusInput
from pwact.formats.abacus_stru import blocks_of, read_stru
from pwact.formats.labels import labels_of
from pwact.formats.same_frame import same_frame
from pwact.verdict import Outcome
from tests.engines.abacus_helpers import abacus, abacus_input, prepared, run
from tests.engines.vasp_helpers import alloy

WORDS = ("old", "3.7", "develop")


def emt(atoms: Atoms) -> tuple[float, np.ndarray, np.ndarray]:
    """Energy, forces and virial of a frame as EMT has them."""
    copy = atoms.copy()
    copy.calc = EMT()
    stress = copy.get_stress(voigt=False)
    return copy.get_potential_energy(), copy.get_forces(), -copy.get_volume() * stress


def is_emts(frame: Atoms, places: float = 1e-4) -> None:
    energy, forces, virial = emt(frame)
    labels = labels_of(frame)
    assert labels.energy == pytest.approx(energy, abs=1e-5)
    np.testing.assert_allclose(labels.forces, forces, atol=places)
    assert labels.virial is not None
    np.testing.assert_allclose(labels.virial, virial, atol=1e-4)


@pytest.mark.parametrize("words", WORDS)
def test_a_label_has_the_numbers_of_the_program(tmp_path: Path, words: str) -> None:
    labeler, task = prepared(tmp_path, Purpose.SCF, f"# stub: words {words}")
    assert run(labeler, task, Purpose.SCF) == 0
    assert labeler.check(task, Purpose.SCF).outcome is Outcome.DONE
    (frame,) = labeler.read_result(task, Purpose.SCF)
    assert same_frame(frame, alloy(), 1e-9)
    assert frame.get_chemical_symbols() == ["Au", "Au", "Ag", "Ag"]  # the order of pseudo
    is_emts(frame)


def test_the_users_lines_stay_and_ours_are_at_the_end(tmp_path: Path) -> None:
    _, task = prepared(tmp_path, Purpose.SCF)
    lines = (task / "INPUT").read_text().splitlines()
    kept = abacus_input().splitlines()
    gone = [line for line in kept if line.startswith(("suffix", "pseudo_dir"))]
    assert lines[: len(kept) - len(gone)] == [line for line in kept if line not in gone]
    root = AbacusInput(task / "INPUT")
    assert (root.text("suffix"), root.text("pseudo_dir")) == ("pwact", "./")
    assert (root.switch("cal_force"), root.switch("cal_stress")) == (True, True)
    assert root.words("ecutwfc") == ["60"]
    assert (task / "Ag.upf").resolve() == (tmp_path / "Ag.upf").resolve()
    assert not (task / "Cu.upf").exists()
    assert (task / "KPT").read_text().startswith("K_POINTS\n0\nGamma\n")


def test_a_stru_beside_the_input_says_the_species(tmp_path: Path) -> None:
    (tmp_path / "STRU").write_text(
        "ATOMIC_SPECIES\nAg 107.9 Ag.upf upf201 // silver\nAu 197.0 other/Au.upf\n"
        "LATTICE_CONSTANT\n1.0\n"
    )
    (tmp_path / "KPT").write_text("K_POINTS\n0\nMP\n2 2 2 0 0 0\n")
    _, task = prepared(tmp_path, Purpose.SCF)
    rows = [words for _, words in blocks_of(task / "STRU")["ATOMIC_SPECIES"]]
    assert rows == [["Ag", "107.9", "Ag.upf", "upf201"], ["Au", "197.0", "Au.upf"]]
    assert (task / "KPT").read_text() == (tmp_path / "KPT").read_text()


def test_values_by_species_follow_those_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "STRU").write_text(
        "ATOMIC_SPECIES\nCu 63.5 Cu.upf\nAg 107.9 Ag.upf\nAu 197.0 Au.upf\n"
    )
    more = "dft_plus_u 1\nhubbard_u 1.5 2.5 3.5\norbital_corr 2 -1 3\n"
    labeler, task = prepared(tmp_path, Purpose.SCF, more)
    root = AbacusInput(task / "INPUT")
    assert root.words("hubbard_u") == ["2.5", "3.5"]
    assert root.words("orbital_corr") == ["-1", "3"]
    assert run(labeler, task, Purpose.SCF) == 0


def test_values_by_species_need_an_order(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"hubbard_u.*A STRU with ATOMIC_SPECIES"):
        prepared(tmp_path, Purpose.SCF, "hubbard_u 1.5 2.5 3.5")
    (tmp_path / "STRU").write_text("ATOMIC_SPECIES\nAg 107.9 Ag.upf\nAu 197.0 Au.upf\n")
    shutil.rmtree(next(tmp_path.glob("a task*")))
    with pytest.raises(InputError, match="3 values for the 2 species"):
        prepared(tmp_path, Purpose.SCF, "hubbard_u 1.5 2.5 3.5")


def test_masses_are_those_of_the_elements(tmp_path: Path) -> None:
    _, task = prepared(tmp_path, Purpose.SCF)
    rows = dict(words[:2] for _, words in blocks_of(task / "STRU")["ATOMIC_SPECIES"])
    for element, mass in rows.items():
        assert float(mass) == pytest.approx(atomic_masses[atomic_numbers[element]], abs=1e-5)


def test_orbitals_go_with_a_basis_of_orbitals(tmp_path: Path) -> None:
    text = abacus_input(more="basis_type lcao")
    made = abacus(tmp_path / "none", text)
    with pytest.raises(InputError, match=r"basis_type lcao needs an orbital of A.: a \.orb file"):
        made.validate(Purpose.SCF, frozenset({"Ag"}))
    made = abacus(tmp_path / "some", text, orbitals=True)
    task = tmp_path / "task"
    task.mkdir()
    made.write_input(task, alloy(), Purpose.SCF, 1)
    names = [words for _, words in blocks_of(task / "STRU")["NUMERICAL_ORBITAL"]]
    assert names == [["Au_gga_8au_60Ry.orb"], ["Ag_gga_8au_60Ry.orb"]]
    assert run(made, task, Purpose.SCF) == 0


@pytest.mark.parametrize("words", WORDS)
def test_an_md_gives_all_its_steps(tmp_path: Path, words: str) -> None:
    labeler, task = prepared(tmp_path, Purpose.AIMD, f"# stub: words {words}")
    assert run(labeler, task, Purpose.AIMD) == 0
    assert labeler.check(task, Purpose.AIMD).outcome is Outcome.DONE
    frames = labeler.read_result(task, Purpose.AIMD)
    assert len(frames) == 5  # the first structure, and four steps
    assert same_frame(frames[0], alloy(), 1e-5)
    assert not same_frame(frames[0], frames[1])
    for frame in frames:
        is_emts(frame)


def test_the_seed_of_an_md_is_ours(tmp_path: Path) -> None:
    _, task = prepared(tmp_path, Purpose.AIMD, "md_seed 5")
    assert AbacusInput(task / "INPUT").words("md_seed") == ["11"]
    assert AbacusInput(task / "INPUT").words("md_dumpfreq") == ["1"]


def test_a_step_that_does_not_converge_is_left_out(tmp_path: Path) -> None:
    labeler, task = prepared(tmp_path, Purpose.AIMD, "# stub: hard 2")
    assert run(labeler, task, Purpose.AIMD) == 0
    assert labeler.check(task, Purpose.AIMD).outcome is Outcome.DONE
    frames = labeler.read_result(task, Purpose.AIMD)
    assert len(frames) == 4
    for frame in frames:
        is_emts(frame)


@pytest.mark.parametrize("words", WORDS)
def test_a_label_that_does_not_converge_is_unusable(tmp_path: Path, words: str) -> None:
    labeler, task = prepared(tmp_path, Purpose.SCF, f"# stub: words {words}\n# stub: hard 1")
    assert run(labeler, task, Purpose.SCF) == 0
    assert labeler.check(task, Purpose.SCF).outcome is Outcome.UNUSABLE
    with pytest.raises(NotConvergedError, match="the SCF is not converged"):
        labeler.read_result(task, Purpose.SCF)


def test_an_md_that_was_cut_off_begins_again(tmp_path: Path) -> None:
    labeler, task = prepared(tmp_path, Purpose.AIMD, "# stub: cut-once 2")
    assert run(labeler, task, Purpose.AIMD) == 1
    verdict = labeler.check(task, Purpose.AIMD)
    assert (verdict.outcome, "after 2 of 5" in verdict.reason) == (Outcome.INCOMPLETE, True)
    assert len(labeler.read_result(task, Purpose.AIMD)) == 2
    assert run(labeler, task, Purpose.AIMD) == 0
    assert labeler.check(task, Purpose.AIMD).outcome is Outcome.DONE
    assert len(labeler.read_result(task, Purpose.AIMD)) == 5


def test_a_relaxation_ends_where_the_forces_do(tmp_path: Path) -> None:
    labeler, task = prepared(tmp_path, Purpose.RELAX)
    assert run(labeler, task, Purpose.RELAX) == 0
    assert labeler.check(task, Purpose.RELAX).outcome is Outcome.DONE
    (relaxed,) = labeler.read_result(task, Purpose.RELAX)
    assert np.abs(emt(relaxed)[1]).max() < 0.011
    assert np.abs(relaxed.cell.array - alloy().cell.array).max() > 0.01


def test_a_relaxation_that_ran_out_of_steps_is_taken_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    labeler, task = prepared(tmp_path, Purpose.RELAX, "relax_nmax 2")
    assert run(labeler, task, Purpose.RELAX) == 0
    assert len(labeler.read_result(task, Purpose.RELAX)) == 1
    assert "relax_nmax ended the relaxation" in caplog.text


def test_held_atoms_do_not_move(tmp_path: Path) -> None:
    atoms = alloy()
    fix(atoms, np.array([True, False, False, False]))
    labeler, task = prepared(tmp_path, Purpose.AIMD, atoms=atoms)
    assert run(labeler, task, Purpose.AIMD) == 0
    first, *_, last = labeler.read_result(task, Purpose.AIMD)
    moved = np.abs(last.positions - first.positions).max(axis=1)
    assert [bool(one > 1e-6) for one in moved] == [False, True, True, True]
    is_emts(last)  # with the forces on the held atom
    _, single = prepared(tmp_path / "label", Purpose.SCF, atoms=atoms)
    assert "m 0 0 0" not in (single / "STRU").read_text()


def iron(*moments: float) -> Atoms:
    atoms = bulk("Cu", cubic=True)
    atoms.set_array(MOMENTS, np.array(moments, dtype=float))
    return atoms


def test_moments_stand_behind_their_atoms(tmp_path: Path) -> None:
    labeler, task = prepared(tmp_path, Purpose.SCF, "nspin 2", iron(1.5, -1.5, 2.0, 0.0))
    text = (task / "STRU").read_text()
    assert re.findall(r" mag (\S+)", text) == ["1.5", "-1.5", "2.0", "0.0"]
    assert run(labeler, task, Purpose.SCF) == 0


def test_moments_that_would_not_count_are_refused(tmp_path: Path) -> None:
    made = abacus(tmp_path, abacus_input())
    with pytest.raises(InputError, match="count with nspin 2 alone"):
        made.assign(iron(1, 1, 1, 1))
    turned = bulk("Cu")
    turned.set_array(MOMENTS, np.array([[0.0, 1.0, 0.0]]))
    with pytest.raises(InputError, match="moments with a direction"):
        made.assign(turned)


@pytest.mark.parametrize(
    ("purpose", "text", "words"),
    [
        (Purpose.SCF, abacus_input(Purpose.AIMD), "calculation: line 5: found md; expected scf"),
        (Purpose.RELAX, abacus_input(), "expected relax or cell-relax for relax"),
        (
            Purpose.SCF,
            abacus_input(more="esolver_type dp"),
            "found dp, which is no first",
        ),
        (Purpose.SCF, abacus_input(more="basis_type gauss"), "expected pw, lcao, lcao_in_pw"),
        (Purpose.AIMD, abacus_input(Purpose.AIMD, "md_restart 1"), "continues another MD"),
        (Purpose.AIMD, abacus_input(Purpose.AIMD, "symmetry 1"), "an MD keeps no symmetry"),
        (Purpose.SCF, abacus_input(more="latname fcc"), "the cell, which comes from pwact"),
        (Purpose.SCF, abacus_input(more="cal_force 0"), "labels have forces and stress"),
        (Purpose.SCF, abacus_input(more="stru_file other"), "other is not there"),
        (Purpose.SCF, abacus_input(more="kpoint_file other"), "other is not there"),
        (Purpose.SCF, "calculation scf\n", "INPUT_PARAMETERS is missing"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, purpose: Purpose, text: str, words: str) -> None:
    made = abacus(tmp_path, text)
    with pytest.raises(InputError, match=re.escape(words)):
        made.validate(purpose, frozenset({"Ag"}))


def test_pseudopotentials_are_checked_element_by_element(tmp_path: Path) -> None:
    made = abacus(tmp_path, abacus_input())
    with pytest.raises(InputError, match="has no pseudopotential of Si"):
        made.validate(Purpose.SCF, frozenset({"Si"}))
    (tmp_path / "STRU").write_text("ATOMIC_SPECIES\nAg 107.9 Au.upf\n")
    with pytest.raises(InputError, match=r"Au\.upf is of Au, and stands for Ag"):
        made.validate(Purpose.SCF, frozenset({"Ag"}))
    (tmp_path / "STRU").write_text("ATOMIC_SPECIES\nAg 107.9 gone.upf\n")
    with pytest.raises(InputError, match=r"gone\.upf is not there"):
        made.validate(Purpose.SCF, frozenset({"Ag"}))


def test_a_result_of_another_structure_is_none(tmp_path: Path) -> None:
    labeler, task = prepared(tmp_path / "one", Purpose.SCF)
    assert run(labeler, task, Purpose.SCF) == 0
    other = alloy()
    other.positions[0] += 0.01
    again, elsewhere = prepared(tmp_path / "two", Purpose.SCF, atoms=other)
    shutil.copy(task / "running_scf.log", elsewhere)
    verdict = again.check(elsewhere, Purpose.SCF)
    assert verdict.outcome is Outcome.INCOMPLETE
    assert "the log is of another structure" in verdict.reason


def test_everything_that_a_label_depends_on_is_in_the_fingerprint(tmp_path: Path) -> None:
    made = abacus(tmp_path, abacus_input())
    seen = [made.fingerprint(Purpose.SCF)]
    for name in ("Ag.upf", "STRU", "KPT", "my INPUT"):
        text = (
            f"{abacus_input()}\n# more" if name == "my INPUT" else "ATOMIC_SPECIES\nAg 1 Ag.upf\n"
        )
        (tmp_path / name).write_text(text)
        seen.append(made.fingerprint(Purpose.SCF))
    assert all(one not in seen[:place] for place, one in enumerate(seen))


def test_structures_of_abacus_are_read_in_its_units(tmp_path: Path) -> None:
    head = "ATOMIC_SPECIES\nSi 28 Si.upf\nLATTICE_CONSTANT\n10.2 // bohr\nLATTICE_VECTORS\n"
    cell = "0.5 0.5 0\n0.5 0 0.5\n0 0.5 0.5\n"
    a = 10.2 * 0.529177210903
    for style, unit in {
        "Direct": None,
        "Cartesian": a,
        "Cartesian_au": 0.529177210903,
        "Cartesian_angstrom": 1.0,
    }.items():
        atoms = "Si\n0.0\n2\n0 0 0 1 1 1\n0.25 0.25 0.25 m 1 1 1 mag 1.0\n"
        (tmp_path / "STRU").write_text(f"{head}{cell}ATOMIC_POSITIONS\n{style}\n{atoms}")
        found = read_stru(tmp_path / "STRU")
        np.testing.assert_allclose(found.cell.array[0], [a / 2, a / 2, 0], rtol=1e-9)
        expected = [a / 4] * 3 if unit is None else [0.25 * unit] * 3
        np.testing.assert_allclose(found.positions[1], expected, rtol=1e-9)
