"""VASP: what is written for it, what is believed of it, and what comes back."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pwact.engines import intermediate_files
from pwact.engines.labelers import Purpose
from pwact.errors import CutOffError, InputError, NotConvergedError, TaskError
from pwact.formats.frames import ordered
from pwact.formats.labels import labels_of
from pwact.formats.poscar import read_poscar
from pwact.verdict import Outcome
from tests.engines.vasp_helpers import INCARS, alloy, prepared, run, vasp

AG_AU = frozenset({"Ag", "Au"})


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> dict[Purpose, Path]:
    """A task of each purpose that the stand-in has ended well."""
    folder = tmp_path_factory.mktemp("vasp")
    tasks = {}
    for purpose in Purpose:
        labeler, tasks[purpose] = prepared(folder / purpose.value, purpose)
        assert labeler.check(tasks[purpose], purpose).outcome is Outcome.INCOMPLETE
        assert run(labeler, tasks[purpose], purpose) == 0
    return tasks


def copied(finished: dict[Purpose, Path], purpose: Purpose, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished[purpose], tmp_path / "task"))


# what is written


def titles(task: Path) -> list[str]:
    lines = (task / "POTCAR").read_text().splitlines()
    return [line.split()[3].partition("_")[0] for line in lines if "TITEL" in line]


def header(task: Path) -> tuple[list[str], list[int]]:
    lines = (task / "POSCAR").read_text().splitlines()
    return lines[5].split(), [int(word) for word in lines[6].split()]


ELEMENTS = ("H", "O", "Si", "Cu", "Ag", "Au")
number = st.floats(-3.0, 3.0, allow_nan=False)


@st.composite
def structures(draw: st.DrawFn) -> Atoms:
    """Any order of elements in any cell that has a volume, left-handed ones as well."""
    count = draw(st.integers(1, 500))
    chosen = draw(st.lists(st.sampled_from(ELEMENTS), min_size=1, max_size=6, unique=True))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    symbols = [chosen[k] for k in rng.integers(0, len(chosen), count)]
    cell = np.diag(draw(st.tuples(*[st.floats(4.0, 30.0)] * 3)))
    cell = cell + np.array(draw(st.lists(number, min_size=9, max_size=9))).reshape(3, 3) / 3
    if draw(st.booleans()):
        cell = cell[[1, 0, 2]]
    places = rng.uniform(-2.0, 2.0, (count, 3))
    return Atoms(symbols, cell=cell, scaled_positions=places, pbc=True)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(atoms=structures())
def test_poscar_and_potcar_agree_whatever_comes(tmp_path: Path, atoms: Atoms) -> None:
    labeler = vasp(tmp_path, INCARS[Purpose.SCF], ("Au", "Cu", "O_s", "H", "Si_d", "Ag", "C"))
    labeler.write_input(tmp_path, atoms, Purpose.SCF, seed=1)
    species, counts = header(tmp_path)
    numbers = [Atoms(symbol).numbers[0] for symbol in species]
    assert numbers == sorted(set(atoms.numbers.tolist()))
    assert titles(tmp_path) == species
    assert counts == [atoms.get_chemical_symbols().count(symbol) for symbol in species]
    found = read_poscar(tmp_path / "POSCAR")
    other = ase.io.read(tmp_path / "POSCAR", format="vasp")
    wanted = ordered(atoms)
    assert np.linalg.det(found.cell.array) > 0
    assert found.get_chemical_symbols() == wanted.get_chemical_symbols()
    assert other.get_chemical_symbols() == wanted.get_chemical_symbols()
    np.testing.assert_allclose(other.positions, found.positions, atol=1e-9)
    # the same lattice, and the same places in it
    change = found.cell.array @ np.linalg.inv(wanted.cell.array)
    np.testing.assert_allclose(change, np.round(change), atol=1e-9)
    assert abs(abs(np.linalg.det(change)) - 1) < 1e-9
    shift = (found.positions - wanted.positions) @ np.linalg.inv(wanted.cell.array)
    np.testing.assert_allclose(shift, np.round(shift), atol=1e-9)


def test_the_incar_is_the_users_byte_by_byte(tmp_path: Path) -> None:
    incar = "! \xfcber alles\r\nEDIFF=1E-6;kspacing = 0.2 # mine\n  isif =2\\\n\n"
    labeler = vasp(tmp_path, incar)
    labeler.write_input(tmp_path, alloy(), Purpose.SCF, seed=1)
    assert (tmp_path / "INCAR").read_bytes() == incar.encode("latin1")
    assert not (tmp_path / "KPOINTS").exists()


@pytest.mark.parametrize("incar", ["EDIFF = 1E-6", "EDIFF = 1E-6\n", ""])
def test_kspacing_of_the_json_file(tmp_path: Path, incar: str) -> None:
    labeler = vasp(tmp_path, incar, kspacing=0.25)
    labeler.write_input(tmp_path, alloy(), Purpose.SCF, seed=1)
    expected = f"{incar.rstrip()}\nKSPACING = 0.25\n".lstrip()
    assert (tmp_path / "INCAR").read_text() == expected


def test_the_command_and_what_is_kept(tmp_path: Path) -> None:
    labeler = vasp(tmp_path, "")
    program, _, end = labeler.command(Purpose.SCF).partition(" > ")
    assert shlex.split(program)[-1].endswith("vasp.py")
    assert end == "dft.log 2>&1"
    names = ("OUTCAR", "POSCAR", "INCAR", "POTCAR", "WAVECAR", "CHGCAR", "vasprun.xml", "dft.log")
    assert [name for name in names if labeler.kept_files(name)] == ["OUTCAR", "POSCAR", "INCAR"]
    assert intermediate_files(labeler.config) == ("vasp/poscar", ".poscar")


def test_the_fingerprint_follows_contents_only(tmp_path: Path) -> None:
    first = vasp(tmp_path / "a", "EDIFF = 1E-6\n").fingerprint(Purpose.SCF)
    moved = vasp(tmp_path / "b", "EDIFF = 1E-6\n").fingerprint(Purpose.SCF)
    assert first == moved
    others = [
        vasp(tmp_path / "c", "EDIFF = 1E-7\n"),
        vasp(tmp_path / "d", "EDIFF = 1E-6\n", kspacing=0.3),
        vasp(tmp_path / "e", "EDIFF = 1E-6\n", ("Au", "Ag", "Cu")),
    ]
    assert all(one.fingerprint(Purpose.SCF) != first for one in others)
    mine = "KSPACING = 0.2\n"
    both = [vasp(tmp_path / "f", mine, kspacing=number) for number in (0.3, 0.4)]
    assert both[0].fingerprint(Purpose.SCF) == both[1].fingerprint(Purpose.SCF)


# what is refused before anything runs


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "param.json: DFT.pseudo: no POTCAR for Ag; none is given"),
        (("Au", "Cu"), "no POTCAR for Ag; those given are for Au Cu"),
        (("Au", "Ag", "Ag_pv"), "more than one POTCAR for Ag: .*POTCAR.Ag and .*POTCAR.Ag_pv"),
    ],
)
def test_potcars_that_do_not_fit(tmp_path: Path, names: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        vasp(tmp_path, "", names).validate(Purpose.SCF, AG_AU)


def test_two_potcars_of_an_element_that_is_not_needed(tmp_path: Path) -> None:
    vasp(tmp_path, "", ("Au", "Ag", "Si", "Si_d")).validate(Purpose.SCF, AG_AU)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no POTCAR: its first line must read like 'PAW_PBE Si 05Jan2001', not ''"),
        (b"PAW_PBE\n", "is no POTCAR"),
        (b"PAW_PBE Qq 01Jan2000\n", "is no POTCAR"),
        (b"\x1f\x8b\x08\x00", "is no POTCAR"),
        (b" PAW_PBE Ag 1\n End of Dataset\n PAW_PBE Au 1\n End of Dataset\n", "several elements"),
    ],
)
def test_a_file_that_is_no_potcar(tmp_path: Path, content: bytes, message: str) -> None:
    labeler = vasp(tmp_path, "", ("Ag",))
    labeler.config.pseudo[0].write_bytes(content)
    with pytest.raises(InputError, match=f"POTCAR.Ag: .*{message}"):
        labeler.validate(Purpose.SCF, frozenset({"Ag"}))


def warnings(
    caplog: pytest.LogCaptureFixture, tmp_path: Path, incar: str, purpose: Purpose, **more: object
) -> list[str]:
    labeler = vasp(tmp_path, incar, **more)  # type: ignore[arg-type]
    for _ in range(2):
        labeler.validate(purpose, AG_AU)
    return [record.getMessage().partition("my INCAR: ")[2] for record in caplog.records]


@pytest.mark.parametrize("purpose", list(Purpose))
def test_a_good_input_is_met_with_silence(
    caplog: pytest.LogCaptureFixture, tmp_path: Path, purpose: Purpose
) -> None:
    assert warnings(caplog, tmp_path, INCARS[purpose], purpose) == []


def test_k_points_are_asked_about_once(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    said = warnings(caplog, tmp_path, "", Purpose.SCF, kspacing=None)
    assert said == ["neither KSPACING here nor kspacing in the JSON file; VASP takes 0.5"]
    caplog.clear()
    said = warnings(caplog, tmp_path, "KSPACING = 0.2", Purpose.SCF, kspacing=0.3)
    assert said == ["KSPACING is there, so kspacing 0.3 of the JSON file has no effect"]


def test_potcars_of_two_functionals(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    labeler = vasp(tmp_path, "", ("Au", "Ag"))
    file = labeler.config.pseudo[0]
    file.write_text(file.read_text().replace("PAW_PBE", "PAW"))
    labeler.validate(Purpose.SCF, AG_AU)
    assert "different functionals: PAW, PAW_PBE" in caplog.text


def test_lists_of_the_wrong_length(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    incar = "ISPIN = 2\nMAGMOM = 3*1.0 5.0\nLDAU = .TRUE.\nLDAUU = 4.0 0 0\nLDAUL = 2 -1\n"
    labeler = vasp(tmp_path, incar)  # as a campaign that version 0.5.0 began has it
    labeler.config = replace(labeler.config, bare_atoms=True)
    labeler.write_input(tmp_path, alloy(), Purpose.SCF, seed=1)
    assert (tmp_path / "INCAR").read_text().startswith(incar)
    assert "LDAUU has 3 numbers, Au2Ag2 needs 2" in caplog.text.replace("Ag2Au2", "Au2Ag2")
    assert "MAGMOM" not in caplog.text
    assert "LDAUL" not in caplog.text
    labeler.write_input(tmp_path, alloy() * (2, 1, 1), Purpose.SCF, seed=1)
    assert "MAGMOM has 4 numbers" in caplog.text


# what comes back


def test_a_single_point(finished: dict[Purpose, Path], tmp_path: Path) -> None:
    labeler, task = vasp(tmp_path, ""), finished[Purpose.SCF]
    assert labeler.check(task, Purpose.SCF).done
    (frame,) = labeler.read_result(task, Purpose.SCF)
    wanted = ordered(alloy())
    assert frame.get_chemical_symbols() == wanted.get_chemical_symbols() == ["Ag"] * 2 + ["Au"] * 2
    np.testing.assert_allclose(frame.positions, wanted.positions, atol=1e-12)
    np.testing.assert_allclose(frame.cell.array, wanted.cell.array, atol=1e-12)
    same_as_emt(frame, 1e-6)


def same_as_emt(frame: Atoms, tolerance: float) -> None:
    labels, again = labels_of(frame), frame.copy()
    again.calc = EMT()
    assert labels.energy == pytest.approx(again.get_potential_energy(), abs=tolerance)
    np.testing.assert_allclose(labels.forces, again.get_forces(), atol=tolerance)
    virial = -again.get_volume() * again.get_stress(voigt=False)
    np.testing.assert_allclose(labels.virial, virial, atol=max(tolerance, 1e-5))
    assert np.abs(virial).max() > 0.1


def test_an_aimd(finished: dict[Purpose, Path], tmp_path: Path) -> None:
    labeler, task = vasp(tmp_path, ""), finished[Purpose.AIMD]
    assert labeler.check(task, Purpose.AIMD).done
    frames = labeler.read_result(task, Purpose.AIMD)
    assert len(frames) == 4
    for frame in frames:
        same_as_emt(frame, 5e-4)  # OUTCAR has positions with five decimals
    assert len({labels_of(frame).energy for frame in frames}) == 4


def test_a_relaxation(finished: dict[Purpose, Path], tmp_path: Path) -> None:
    labeler, task = vasp(tmp_path, ""), finished[Purpose.RELAX]
    assert labeler.check(task, Purpose.RELAX).done
    (atoms,) = labeler.read_result(task, Purpose.RELAX)
    assert atoms.get_chemical_symbols() == ["Ag"] * 2 + ["Au"] * 2
    atoms.calc = EMT()
    assert np.linalg.norm(atoms.get_forces(), axis=1).max() < 0.01
    assert np.abs(atoms.get_stress()).max() < 1e-3


def test_a_left_handed_cell(tmp_path: Path) -> None:
    atoms = alloy()
    atoms.set_cell(atoms.cell.array[[1, 0, 2]])
    labeler, task = prepared(tmp_path, Purpose.SCF, atoms=atoms)
    assert run(labeler, task, Purpose.SCF) == 0
    (frame,) = labeler.read_result(task, Purpose.SCF)
    np.testing.assert_allclose(frame.cell.array, -atoms.cell.array)
    np.testing.assert_allclose(frame.positions, ordered(atoms).positions, atol=1e-12)
    same_as_emt(frame, 1e-6)


# what is not believed


def test_a_scf_that_does_not_converge(tmp_path: Path) -> None:
    labeler, task = prepared(tmp_path, Purpose.SCF, "# stub: hard 1\n")
    assert run(labeler, task, Purpose.SCF) == 0
    verdict = labeler.check(task, Purpose.SCF)
    assert verdict.outcome is Outcome.UNUSABLE
    assert "not converged after 60 electronic steps" in verdict.reason
    with pytest.raises(NotConvergedError):
        labeler.read_result(task, Purpose.SCF)


@pytest.mark.parametrize(("nelm", "converged"), [(8, False), (9, True), (10, True)])
def test_convergence_in_the_very_last_step(tmp_path: Path, nelm: int, converged: bool) -> None:
    """Nine electronic steps are needed; that nine of nine sufficed only OSZICAR can tell."""
    labeler, task = prepared(tmp_path, Purpose.SCF, f"NELM = {nelm}\n")
    run(labeler, task, Purpose.SCF)
    assert labeler.check(task, Purpose.SCF).done == converged
    (task / "OSZICAR").unlink()
    assert labeler.check(task, Purpose.SCF).done == (nelm == 10)


def test_an_oszicar_of_another_run_counts_for_nothing(tmp_path: Path) -> None:
    labeler, task = prepared(tmp_path, Purpose.SCF, "NELM = 9\n")
    run(labeler, task, Purpose.SCF)
    text = (task / "OSZICAR").read_text()
    (task / "OSZICAR").write_text(text.replace("DAV:   9", "DAV:   8"))
    assert labeler.check(task, Purpose.SCF).outcome is Outcome.UNUSABLE
    old, new = "because EDIFF is reached", "EDIFF was not reached (unconverged)"
    (task / "OSZICAR").write_text(text)
    (task / "OUTCAR").write_text((task / "OUTCAR").read_text().replace(old, new))
    assert labeler.check(task, Purpose.SCF).outcome is Outcome.UNUSABLE


@pytest.mark.parametrize("purpose", list(Purpose))
def test_output_that_is_cut_off(
    finished: dict[Purpose, Path], tmp_path: Path, purpose: Purpose
) -> None:
    labeler, task = vasp(tmp_path, ""), copied(finished, purpose, tmp_path)
    content = (task / "OUTCAR").read_bytes()
    place = content.rindex(b" General timing")
    for size in (0, 300, len(content) // 2, content.rindex(b"  free  energy") - 5):
        (task / "OUTCAR").write_bytes(content[:size])
        assert labeler.check(task, purpose).outcome is Outcome.INCOMPLETE
        if purpose is not Purpose.AIMD or size < 1000:
            with pytest.raises(CutOffError):
                labeler.read_result(task, purpose)
        else:
            frames = labeler.read_result(task, purpose)
            assert 0 < len(frames) < 4
    # all steps are there, only the timing is missing: enough for MD
    (task / "OUTCAR").write_bytes(content[:place])
    assert labeler.check(task, purpose).done == (purpose is Purpose.AIMD)
    (task / "OUTCAR").unlink()
    assert labeler.check(task, purpose).reason == "there is no OUTCAR"
    with pytest.raises(TaskError, match="OUTCAR"):
        labeler.read_result(task, purpose)


def test_an_exit_status_alone_says_nothing(tmp_path: Path) -> None:
    labeler, task = prepared(tmp_path, Purpose.AIMD, "# stub: cut 2\n")
    assert run(labeler, task, Purpose.AIMD) == 1
    verdict = labeler.check(task, Purpose.AIMD)
    assert verdict.outcome is Outcome.INCOMPLETE
    assert verdict.reason == "OUTCAR ends after 2 of 4 ionic steps"
    assert len(labeler.read_result(task, Purpose.AIMD)) == 2


def test_numbers_that_are_none(finished: dict[Purpose, Path], tmp_path: Path) -> None:
    labeler, task = vasp(tmp_path, ""), copied(finished, Purpose.SCF, tmp_path)
    text = (task / "OUTCAR").read_text()
    (task / "OUTCAR").write_text(text.replace("TOTEN  =        ", "TOTEN  = *******"))
    verdict = labeler.check(task, Purpose.SCF)
    assert verdict.outcome is Outcome.UNUSABLE
    assert "OUTCAR, line " in verdict.reason
    (task / "OUTCAR").write_text((task / "OUTCAR").read_text().partition(" General")[0])
    assert labeler.check(task, Purpose.SCF).outcome is Outcome.INCOMPLETE


def test_an_outcar_of_another_structure(finished: dict[Purpose, Path], tmp_path: Path) -> None:
    labeler, task = vasp(tmp_path, ""), copied(finished, Purpose.SCF, tmp_path)
    other = alloy()
    other.positions[1] += 0.01
    labeler.write_input(task, other, Purpose.SCF, seed=1)
    with pytest.raises(TaskError, match="OUTCAR is of another structure"):
        labeler.read_result(task, Purpose.SCF)
    other.set_chemical_symbols(["Au"] * 3 + ["Ag"])
    labeler.write_input(task, other, Purpose.SCF, seed=1)
    with pytest.raises(TaskError, match="other atoms than OUTCAR"):
        labeler.read_result(task, Purpose.SCF)


def test_md_steps_that_do_not_converge_are_left_out(
    finished: dict[Purpose, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    labeler, task = vasp(tmp_path, ""), copied(finished, Purpose.AIMD, tmp_path)
    text = (task / "OUTCAR").read_text()
    (task / "OUTCAR").write_text(text.replace("NELM   =     60", "NELM   =      5"))
    assert labeler.check(task, Purpose.AIMD).done
    frames = labeler.read_result(task, Purpose.AIMD)
    assert len(frames) == 3
    assert "ionic steps whose SCF did not converge: 1" in caplog.text
    (task / "OUTCAR").write_text(text.replace("NELM   =     60", "NELM   =      4"))
    assert labeler.check(task, Purpose.AIMD).outcome is Outcome.UNUSABLE
    with pytest.raises(NotConvergedError, match="no ionic step has a converged SCF"):
        labeler.read_result(task, Purpose.AIMD)


def test_a_relaxation_that_runs_out_of_steps(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    labeler, task = prepared(tmp_path, Purpose.RELAX)
    incar = (task / "INCAR").read_text().replace("NSW = 60", "NSW = 2")
    (task / "INCAR").write_text(incar)
    run(labeler, task, Purpose.RELAX)
    assert labeler.check(task, Purpose.RELAX).done
    assert caplog.text == ""
    (atoms,) = labeler.read_result(task, Purpose.RELAX)
    assert "2 steps did not reach EDIFFG; taken as it is" in caplog.text
    np.testing.assert_allclose(atoms.positions, read_poscar(task / "CONTCAR").positions)
    (task / "INCAR").write_text(incar + "# stub: hard 1\n")
    run(labeler, task, Purpose.RELAX)
    assert labeler.check(task, Purpose.RELAX).outcome is Outcome.UNUSABLE


def test_a_contcar_that_is_not_whole(finished: dict[Purpose, Path], tmp_path: Path) -> None:
    labeler, task = vasp(tmp_path, ""), copied(finished, Purpose.RELAX, tmp_path)
    content = (task / "CONTCAR").read_bytes()
    rows = content.index(b"Direct")
    for size in (0, 100, rows, rows + 60, rows + 7 + 4 * 61 - 9):
        (task / "CONTCAR").write_bytes(content[:size])
        assert labeler.check(task, Purpose.RELAX).outcome is Outcome.INCOMPLETE
    (task / "CONTCAR").write_bytes(content.replace(b"Ag", b"Cu"))
    with pytest.raises(TaskError, match="other atoms than OUTCAR"):
        labeler.read_result(task, Purpose.RELAX)
    (task / "CONTCAR").unlink()
    assert labeler.check(task, Purpose.RELAX).outcome is Outcome.INCOMPLETE


# outputs of whole runs, in VASP's layout


def task_with(samples: Path, tmp_path: Path, name: str) -> Path:
    task = tmp_path / name
    task.mkdir()
    shutil.copy(samples / "vasp" / name, task / "OUTCAR")
    return task


@pytest.mark.parametrize("name", ["OUTCAR.unconverged", "OUTCAR.single"])
def test_an_scf_that_used_all_its_steps_is_refused(
    samples: Path, tmp_path: Path, name: str
) -> None:
    """One electronic step of one allowed is no label either."""
    task = task_with(samples, tmp_path, name)
    labeler = vasp(tmp_path / "inputs", "")
    assert labeler.check(task, Purpose.SCF).outcome is Outcome.UNUSABLE
    with pytest.raises(NotConvergedError):
        labeler.read_result(task, Purpose.SCF)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("OUTCAR.md", [-25.08562076, -25.06877825, -25.06053510]),
        ("OUTCAR.unconverged", [-13.59231899]),
    ],
)
def test_energies_of_an_md(samples: Path, tmp_path: Path, name: str, expected: list[float]) -> None:
    labeler, task = vasp(tmp_path / "inputs", ""), task_with(samples, tmp_path, name)
    assert labeler.check(task, Purpose.AIMD).done
    energies = [labels_of(frame).energy for frame in labeler.read_result(task, Purpose.AIMD)]
    assert energies == expected
