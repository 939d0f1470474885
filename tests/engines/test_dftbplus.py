"""DFTB+: whole outputs as a task has them, tasks run by a strict stand-in, then damage."""

from __future__ import annotations

import logging
import re
import shutil
from pathlib import Path
from typing import Optional

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT
from ase.units import GPa

from pwact.engines.dftbplus.labeler import DftbPlusLabeler
from pwact.engines.labelers import Purpose
from pwact.errors import NotConvergedError, PwactError, TaskError
from pwact.fixed_atoms import fix
from pwact.formats.dftbplus_output import BOHR, HARTREE
from pwact.formats.labels import labels_of
from pwact.verdict import Outcome
from tests.damage import cuts, put, spoiled
from tests.engines.dftbplus_helpers import alloy, hsd, labeler, prepared, ran, run

SCF, AIMD, RELAX = Purpose.SCF, Purpose.AIMD, Purpose.RELAX
DONE, UNUSABLE, INCOMPLETE = Outcome.DONE, Outcome.UNUSABLE, Outcome.INCOMPLETE


@pytest.fixture
def reader(tmp_path: Path) -> DftbPlusLabeler:
    return labeler(tmp_path / "site", hsd(SCF))


def task_of(samples: Path, tmp_path: Path, name: str) -> Path:
    """A copy of a run under the names of a task."""
    task = Path(shutil.copytree(samples / "dftbplus" / name, tmp_path / name))
    (task / "dftb.out").rename(task / "dft.log")
    return task


# whole runs


RUNS = [
    ("sp_cluster", SCF, DONE, 1),
    ("sp_alloy", SCF, DONE, 1),
    ("sp_copper", SCF, DONE, 1),
    ("relax", RELAX, DONE, 1),
    ("relax_append", RELAX, DONE, 1),
    ("relax_maxsteps", RELAX, DONE, 1),
    ("md_npt", AIMD, DONE, 13),
    ("md_nvt", AIMD, DONE, 13),
    ("scc_fail", SCF, UNUSABLE, 0),
    ("scc_fail_goes_on", SCF, UNUSABLE, 0),
    ("scc_fail_md", AIMD, UNUSABLE, 0),
    ("err_keyword", SCF, INCOMPLETE, 0),
    ("err_missing_skf", SCF, INCOMPLETE, 0),
    ("err_syntax", SCF, INCOMPLETE, 0),
    ("sp_close", SCF, DONE, 1),
]


@pytest.mark.parametrize(("name", "purpose", "outcome", "frames"), RUNS)
def test_every_run(
    samples: Path,
    tmp_path: Path,
    reader: DftbPlusLabeler,
    name: str,
    purpose: Purpose,
    outcome: Outcome,
    frames: int,
) -> None:
    task = task_of(samples, tmp_path, name)
    verdict = reader.check(task, purpose)
    assert verdict.outcome is outcome, verdict
    if outcome is DONE:
        assert len(reader.read_result(task, purpose)) == frames
        return
    assert verdict.reason
    kind = NotConvergedError if outcome is UNUSABLE else TaskError
    with pytest.raises(kind):
        reader.read_result(task, purpose)


@pytest.mark.parametrize("name", ["sp_alloy", "sp_copper", "relax", "sp_close"])
def test_labels_by_another_way(
    samples: Path,
    tmp_path: Path,
    reader: DftbPlusLabeler,
    name: str,
) -> None:
    """From the rounded columns of detailed.out; ASE's sign of the stress is minus that there."""
    task = task_of(samples, tmp_path, name)
    (atoms,) = reader.read_result(task, RELAX if "relax" in name else SCF)
    labels = labels_of(atoms)
    lines = (task / "detailed.out").read_text().splitlines()
    free = next(line for line in lines if line.startswith("Total Mermin free energy"))
    assert labels.energy == pytest.approx(float(free.split()[4]) * HARTREE, abs=3e-9)
    assert labels.energy == pytest.approx(float(free.split()[6]), abs=6e-5)
    start = lines.index("Total Forces") + 1
    rows = np.array([line.split()[1:] for line in lines[start : start + len(atoms)]], dtype=float)
    np.testing.assert_allclose(labels.forces, rows * HARTREE / BOHR, atol=1e-10)
    start = lines.index("Total stress tensor") + 1
    rows = np.array([line.split() for line in lines[start : start + 3]], dtype=float)
    stress = -rows * HARTREE / BOHR**3
    evened = (stress + stress.T) / 2
    np.testing.assert_allclose(atoms.get_stress(voigt=False), evened, atol=1e-9)
    np.testing.assert_allclose(labels.virial, -stress * atoms.get_volume(), atol=1e-7)
    pressure = next(line for line in lines if line.startswith("Pressure:")).split()[3]
    found = -np.trace(atoms.get_stress(voigt=False)) / 3 / GPa * 1e9
    assert found == pytest.approx(float(pressure), rel=1e-4, abs=1e4)


def test_numbers_read_by_eye(samples: Path, tmp_path: Path, reader: DftbPlusLabeler) -> None:
    """The Mermin free energy is another than the total energy, by 11 meV."""
    task = task_of(samples, tmp_path, "sp_alloy")
    (atoms,) = reader.read_result(task, SCF)
    labels = labels_of(atoms)
    assert atoms.get_chemical_symbols() == ["Au", "Cu", "Cu", "Au"]
    assert labels.energy == -0.498914611129973 * 27.2113845
    assert labels.energy - -0.4985035062 * 27.2113845 == pytest.approx(-0.01118669, abs=1e-7)
    assert labels.virial is not None
    assert labels.virial[0, 0] == pytest.approx(
        0.533098980710228e-3 * 362.179846383315 * 27.2113845
    )
    again = ase.io.read(task / "geo.gen", format="gen")
    np.testing.assert_array_equal(atoms.positions, again.positions)


@pytest.mark.parametrize("name", ["sp_alloy", "sp_copper", "sp_cluster"])
def test_labels_are_derivatives_of_one_energy(
    samples: Path, tmp_path: Path, reader: DftbPlusLabeler, name: str
) -> None:
    """The files are made of EMT with -3.5 eV an atom."""
    (atoms,) = reader.read_result(task_of(samples, tmp_path, name), SCF)
    labels, again = labels_of(atoms), atoms.copy()
    again.calc = EMT()
    assert labels.energy == pytest.approx(again.get_potential_energy() - 3.5 * len(again))
    np.testing.assert_allclose(labels.forces, again.get_forces(), atol=1e-7)
    if name != "sp_cluster":
        virial = -again.get_volume() * again.get_stress(voigt=False)
        np.testing.assert_allclose(labels.virial, virial, atol=1e-4)


def volume_in(details: Path) -> float:
    """The last volume in Å³."""
    lines = [line for line in details.read_text().splitlines() if line.startswith("Volume:")]
    return (
        float(lines[-1].split()[3]) if "A^3" in lines[-1] else float(lines[-1].split()[1]) * BOHR**3
    )


def test_the_relaxed_structure(samples: Path, tmp_path: Path, reader: DftbPlusLabeler) -> None:
    task = task_of(samples, tmp_path, "relax_append")
    (atoms,) = reader.read_result(task, RELAX)
    last = ase.io.read(task / "geo_end.xyz", index=-1, format="xyz")
    np.testing.assert_allclose(atoms.positions, last.positions, atol=6e-9)
    assert atoms.get_volume() == pytest.approx(volume_in(task / "detailed.out"), rel=1e-5)
    assert np.abs(labels_of(atoms).forces).max() < 1e-4 * HARTREE / BOHR


def test_a_relaxation_without_end_is_taken_and_said(
    samples: Path,
    tmp_path: Path,
    reader: DftbPlusLabeler,
    caplog: pytest.LogCaptureFixture,
) -> None:
    task = task_of(samples, tmp_path, "relax_maxsteps")
    with caplog.at_level(logging.WARNING):
        reader.read_result(task, RELAX)
    assert "the steps ran out before the relaxation converged" in caplog.text
    caplog.clear()
    reader.read_result(task_of(samples, tmp_path, "relax"), RELAX)
    assert caplog.text == ""


@pytest.mark.parametrize("name", ["results.tag", "detailed.out", "dft.log", "geo.gen"])
def test_cut_files_are_noticed(
    samples: Path,
    tmp_path: Path,
    reader: DftbPlusLabeler,
    name: str,
) -> None:
    """A label is read of a file that lost its end only if all that counts is before the cut."""
    task = task_of(samples, tmp_path, "sp_copper")
    content = (task / name).read_bytes()
    whole = labels_of(reader.read_result(task, SCF)[0])
    refused, places = 0, list(cuts(content))
    for place in places:
        put(task / name, content[:place])
        verdict = reader.check(task, SCF)
        if not verdict.done:
            assert verdict.outcome is INCOMPLETE
            with pytest.raises(TaskError):
                reader.read_result(task, SCF)
            refused += 1
            continue
        found = labels_of(reader.read_result(task, SCF)[0])
        assert found.energy == whole.energy
        np.testing.assert_array_equal(found.forces, whole.forces)
        np.testing.assert_array_equal(found.virial, whole.virial)
    assert refused > len(places) * (0.4 if name == "detailed.out" else 0.8)


@pytest.mark.parametrize("name", ["results.tag", "detailed.out", "dft.log", "geo.gen"])
@pytest.mark.parametrize("word", [b"NaN", b"********"])
def test_spoiled_files_give_no_other_numbers(
    samples: Path,
    tmp_path: Path,
    reader: DftbPlusLabeler,
    name: str,
    word: bytes,
) -> None:
    task = task_of(samples, tmp_path, "sp_alloy")
    whole = labels_of(reader.read_result(task, SCF)[0])
    for damaged in spoiled((task / name).read_bytes(), word):
        put(task / name, damaged)
        try:
            (atoms,) = reader.read_result(task, SCF)
        except TaskError as error:
            assert f"{name}, line" in str(error)  # noqa: PT017
            assert not reader.check(task, SCF).done
            continue
        assert name != "results.tag"
        assert labels_of(atoms).energy == whole.energy
        np.testing.assert_array_equal(labels_of(atoms).forces, whole.forces)


@pytest.mark.parametrize("name", ["results.tag", "detailed.out", "geo_end.gen"])
def test_files_of_another_run(
    samples: Path,
    tmp_path: Path,
    reader: DftbPlusLabeler,
    name: str,
) -> None:
    """Such as those of an earlier try."""
    task = task_of(samples, tmp_path, "relax")
    other = task_of(samples, tmp_path, "relax_maxsteps")
    shutil.copy(other / name, task / name)
    verdict = reader.check(task, RELAX)
    assert not verdict.done
    assert "is not" in verdict.reason
    (task / name).unlink()
    assert reader.check(task, RELAX).outcome is not DONE


def test_an_md_ended_but_its_files_are_not_whole(
    samples: Path,
    tmp_path: Path,
    reader: DftbPlusLabeler,
) -> None:
    task = task_of(samples, tmp_path, "md_nvt")
    content = (task / "md.out").read_bytes()
    put(task / "md.out", content[: len(content) // 2])
    verdict = reader.check(task, AIMD)
    assert verdict.outcome is INCOMPLETE
    assert re.search(r" (6 of 13|10 of 21) MD steps are complete$", verdict.reason)


# tasks that run


def same_as_emt(atoms: Atoms, digits: float, virial: bool) -> None:
    labels, again = labels_of(atoms), atoms.copy()
    again.calc = EMT()
    assert labels.energy == pytest.approx(again.get_potential_energy(), abs=digits)
    np.testing.assert_allclose(labels.forces, again.get_forces(), atol=digits)
    assert (labels.virial is not None) == virial
    if labels.virial is not None:
        expected = -again.get_volume() * again.get_stress(voigt=False)
        np.testing.assert_allclose(labels.virial, expected, atol=digits)


def test_a_label(tmp_path: Path) -> None:
    made, task = prepared(tmp_path, SCF)
    assert made.check(task, SCF).outcome is INCOMPLETE
    assert run(made, task, SCF) == 0
    assert made.check(task, SCF).done
    (atoms,) = made.read_result(task, SCF)
    assert atoms == alloy()
    same_as_emt(atoms, 1e-12, virial=True)
    kept = sorted(path.name for path in task.iterdir() if made.kept_files(path.name))
    assert kept == ["detailed.out", "dft.log", "dftb_in.hsd", "geo.gen", "results.tag"]


def test_a_relaxation(tmp_path: Path) -> None:
    made, task = ran(tmp_path, RELAX)
    assert made.check(task, RELAX).done
    (atoms,) = made.read_result(task, RELAX)
    assert atoms.get_chemical_symbols() == alloy().get_chemical_symbols()
    same_as_emt(atoms, 2e-8, virial=True)
    assert np.abs(labels_of(atoms).forces).max() < 2e-4 * HARTREE / BOHR
    assert np.abs(atoms.cell.array - alloy().cell.array).max() > 0.01
    assert not (task / "mine.gen").exists()


@pytest.mark.parametrize("barostat", [False, True])
def test_an_aimd(tmp_path: Path, barostat: bool) -> None:
    text = hsd(AIMD)
    if barostat:
        text = text.replace("Steps = 4", "Steps = 4\n  Barostat { Pressure [Pa] = 1e5 }")
    made, task = prepared(tmp_path, AIMD, text=text)
    run(made, task, AIMD)
    assert made.check(task, AIMD).done
    frames = made.read_result(task, AIMD)
    assert len(frames) == 5
    np.testing.assert_array_equal(frames[0].cell.array, alloy().cell.array)
    np.testing.assert_allclose(frames[0].positions, alloy().positions, atol=6e-9)
    for atoms in frames:
        same_as_emt(atoms, 5e-6 if barostat else 1e-6, virial=False)
    grown = frames[4].get_volume() / frames[0].get_volume()
    assert grown == pytest.approx(1.001**12 if barostat else 1.0, rel=1e-7)
    first = (task / "geo_end.xyz").read_bytes()
    run(made, task, AIMD)
    assert (task / "geo_end.xyz").read_bytes() == first  # the seed is ours


@pytest.mark.parametrize("purpose", [SCF, RELAX])
@pytest.mark.parametrize("only", ["Yes", "No"])
def test_an_scc_that_does_not_converge(tmp_path: Path, purpose: Purpose, only: str) -> None:
    """With exit status 1, or with 0 and wrong forces."""
    text = hsd(purpose, "# stub: hard 1\n").replace(
        "SCC = Yes", f"SCC=Yes;ConvergentSCCOnly={only}"
    )
    made, task = prepared(tmp_path, purpose, text=text)
    assert run(made, task, purpose) == (0 if only == "No" else 1)
    assert ((task / "results.tag").stat().st_size > 0) == (only == "No")
    verdict = made.check(task, purpose)
    assert verdict.outcome is UNUSABLE
    assert "SCC is NOT converged" in verdict.reason
    with pytest.raises(NotConvergedError):
        made.read_result(task, purpose)


@pytest.mark.parametrize(("only", "left"), [("Yes", [0, 1]), ("No", [0, 1, 3, 4])])
def test_an_md_step_that_does_not_converge(
    tmp_path: Path, only: str, left: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    """DFTB+ stops there, or goes on; in any case the other steps are data."""
    text = hsd(AIMD, "# stub: hard-step 2\n").replace("SCC = Yes", f"ConvergentSCCOnly = {only}")
    made, task = prepared(tmp_path, AIMD, text=text)
    run(made, task, AIMD)
    assert made.check(task, AIMD).done
    with caplog.at_level(logging.WARNING):
        frames = made.read_result(task, AIMD)
    assert "SCC not converged in steps 2" in caplog.text
    for atoms in frames:
        same_as_emt(atoms, 1e-6, virial=False)
    steps = ase.io.read(task / "geo_end.xyz", index=":", format="xyz")
    for atoms, number in zip(frames, left):
        np.testing.assert_array_equal(atoms.positions, steps[number].positions)
    assert len(frames) == len(left)


@pytest.mark.parametrize("only", ["Yes", "No"])
def test_an_md_of_which_no_step_converges(tmp_path: Path, only: str) -> None:
    text = hsd(AIMD, "# stub: hard 1\n").replace("SCC = Yes", f"ConvergentSCCOnly = {only}")
    made, task = prepared(tmp_path, AIMD, text=text)
    run(made, task, AIMD)
    assert made.check(task, AIMD).outcome is UNUSABLE
    with pytest.raises(NotConvergedError):
        made.read_result(task, AIMD)


@pytest.mark.parametrize("purpose", list(Purpose))
def test_a_run_that_dies_is_run_again(tmp_path: Path, purpose: Purpose) -> None:
    steps = 0 if purpose is SCF else 2
    made, task = ran(tmp_path, purpose, f"# stub: cut-once {steps}\n")
    assert made.check(task, purpose).outcome is INCOMPLETE
    if purpose is AIMD:
        assert len(made.read_result(task, purpose)) == steps
    else:
        with pytest.raises(TaskError, match="cut off"):
            made.read_result(task, purpose)
    assert run(made, task, purpose) == 0
    assert made.check(task, purpose).done
    assert len(made.read_result(task, purpose)) == (5 if purpose is AIMD else 1)


def test_nothing_of_an_earlier_try_is_believed(tmp_path: Path) -> None:
    """DFTB+ leaves old results where they are when it stops at its input."""
    made, task = ran(tmp_path, SCF)
    (task / "dftb_in.hsd").write_text("nonsense = {")
    run(made, task, SCF)
    assert not (task / "results.tag").exists()
    assert made.check(task, SCF).outcome is INCOMPLETE
    (task / "geo.gen").unlink()
    with pytest.raises(PwactError):
        made.read_result(task, SCF)


@pytest.mark.parametrize(("release", "frames"), [("241", 5), ("231", None)])
def test_older_releases(tmp_path: Path, release: str, frames: Optional[int]) -> None:
    """24.1 prints forces of MD steps without MDOutput, which it does not know; 23.1 does not."""
    made, task = ran(tmp_path, AIMD, f"# stub: release {release}\n")
    verdict = made.check(task, AIMD)
    if frames:
        assert verdict.done
        assert len(made.read_result(task, AIMD)) == frames
        return
    assert verdict.outcome is UNUSABLE
    assert "DFTB+ 23.1 does not print them; 24.1 and later do" in verdict.reason
    assert "label its frames (scf)" in verdict.reason


def test_a_mistake_in_an_md_is_not_tried_twice(tmp_path: Path) -> None:
    text = hsd(AIMD).replace("SCCTolerance", "SCCTollerance")
    made, task = prepared(tmp_path, AIMD, text=text)
    assert run(made, task, AIMD) == 1
    assert made.check(task, AIMD).reason.endswith("(hamiltonian/dftb/scctollerance)")


def test_older_tags(samples: Path, tmp_path: Path, reader: DftbPlusLabeler) -> None:
    """Up to 24.1 total_energy stands before mermin_energy, and is not taken for it."""
    task = task_of(samples, tmp_path, "sp_alloy")
    before = labels_of(reader.read_result(task, SCF)[0]).energy
    text = (task / "results.tag").read_text()
    more = "total_energy        :real:0:\n -0.280099961630000E+001\n"
    (task / "results.tag").write_text(more + text)
    assert labels_of(reader.read_result(task, SCF)[0]).energy == before


def held_alloy() -> Atoms:
    atoms = alloy()
    fix(atoms, np.array([True, False, True, True]))
    return atoms


@pytest.mark.parametrize("purpose", [RELAX, AIMD])
def test_held_atoms_do_not_move_and_have_forces(tmp_path: Path, purpose: Purpose) -> None:
    text = hsd(purpose).replace("LatticeOpt = Yes", "LatticeOpt = No")
    made = labeler(tmp_path, text)
    task = tmp_path / "task"
    task.mkdir()
    made.write_input(task, held_alloy(), purpose, seed=11)
    assert "    !MovedAtoms = 2\n" in (task / "dftb_in.hsd").read_text()
    assert run(made, task, purpose) == 0
    frame = made.read_result(task, purpose)[-1]
    np.testing.assert_allclose(frame.positions[[0, 2, 3]], alloy().positions[[0, 2, 3]], atol=1e-8)
    assert np.abs(frame.positions[1] - alloy().positions[1]).max() > 1e-3
    same_as_emt(frame, 1e-6, virial=purpose is RELAX)
    assert np.abs(labels_of(frame).forces[[0, 2, 3]]).min() > 1e-3


@pytest.mark.parametrize(
    ("purpose", "atoms"), [(SCF, held_alloy()), (AIMD, alloy())], ids=["label", "free"]
)
def test_no_word_of_moved_atoms_without_need(
    tmp_path: Path, purpose: Purpose, atoms: Atoms
) -> None:
    made = labeler(tmp_path, hsd(purpose))
    task = tmp_path / "task"
    task.mkdir()
    made.write_input(task, atoms, purpose, seed=11)
    assert "MovedAtoms" not in (task / "dftb_in.hsd").read_text()
