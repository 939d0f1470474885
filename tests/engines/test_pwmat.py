"""Labels by PWmat, through a stand-in that is as strict as PWmat: tasks, verdicts, refusals."""

from __future__ import annotations

import logging
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from pwact.config.labeling import DftInput, GaussianConfig
from pwact.engines.labelers import Purpose
from pwact.engines.pwmat.labeler import PwmatLabeler
from pwact.errors import CutOffError, InputError, NotConvergedError, TaskError
from pwact.formats.atom_config import read_atom_config, read_final_config
from pwact.formats.frames import ordered
from pwact.formats.labels import labels_of
from pwact.verdict import Outcome
from tests import damage
from tests.engines.pwmat_helpers import CONTROLS, alloy, done, labeler, prepared, run
from tests.stubs import pwmat as stub

ODD = 'it\'s a $HOME of "labels"'
Finished = dict[Purpose, tuple[PwmatLabeler, Path]]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A finished task of each purpose, in directories with odd names; do not change them."""
    folder = tmp_path_factory.mktemp("labels")
    return {purpose: done(folder / purpose.value / ODD, purpose) for purpose in Purpose}


def copied(finished: Finished, purpose: Purpose, tmp_path: Path) -> tuple[PwmatLabeler, Path]:
    """A task that may be damaged."""
    made, task = finished[purpose]
    copy = shutil.copytree(task, tmp_path / "copy", symlinks=True)
    assert made.check(copy, purpose).done
    return made, copy


def assert_labelled_by(frame: Atoms, calculator: Any) -> None:
    again, labels = frame.copy(), labels_of(frame)
    again.calc = calculator
    wanted = labels_of(again)
    assert labels.energy == pytest.approx(wanted.energy, abs=1e-7)
    np.testing.assert_allclose(labels.forces, wanted.forces, atol=1e-9)
    assert np.abs(wanted.forces).max() > 0.1  # else a sign would not show
    assert labels.virial is not None
    np.testing.assert_allclose(labels.virial, wanted.virial, atol=1e-5)
    assert np.abs(wanted.virial).max() > 0.1


def test_a_single_point_is_what_the_potential_says(finished: Finished) -> None:
    made, task = finished[Purpose.SCF]
    (frame,) = made.read_result(task, Purpose.SCF)
    expected = ordered(alloy())
    assert frame.get_chemical_symbols() == ["Ag", "Ag", "Au", "Au"]
    np.testing.assert_allclose(frame.positions, expected.positions, atol=1e-9)
    assert_labelled_by(frame, stub.EMT())


def test_every_step_of_a_trajectory_is_what_the_potential_says(finished: Finished) -> None:
    made, task = finished[Purpose.AIMD]
    frames = made.read_result(task, Purpose.AIMD)
    assert len(frames) == 4
    for frame in frames:
        assert_labelled_by(frame, stub.EMT())
    assert not np.allclose(frames[0].positions, frames[3].positions)


def test_a_relaxation_gives_structure_and_cell(
    finished: Finished, caplog: pytest.LogCaptureFixture
) -> None:
    made, task = finished[Purpose.RELAX]
    (relaxed,) = made.read_result(task, Purpose.RELAX)
    assert caplog.records == []
    relaxed.calc = stub.EMT()
    assert np.abs(relaxed.get_forces()).max() < 0.01
    assert np.abs(relaxed.get_stress()).max() < 1e-3
    assert relaxed.cell.lengths().max() < 4.095


@pytest.mark.parametrize("purpose", list(Purpose))
def test_what_lies_in_a_task(finished: Finished, purpose: Purpose) -> None:
    made, task = finished[purpose]
    assert made.check(task, purpose).outcome is Outcome.DONE
    assert subprocess.run(["bash", "-c", made.shell_check], cwd=task, check=False).returncode == 0
    link = task / "Au.SG15.PBE.UPF"
    assert not link.readlink().is_absolute()
    assert link.resolve() == made.config.pseudo[0].resolve()


def test_nothing_of_an_unfinished_task_is_taken(tmp_path: Path) -> None:
    made = labeler(tmp_path, CONTROLS[Purpose.SCF])
    task = prepared(made, tmp_path / "task", Purpose.SCF, alloy())
    assert subprocess.run(["bash", "-c", made.shell_check], cwd=task, check=False).returncode != 0
    for purpose in Purpose:
        assert made.check(task, purpose).outcome is Outcome.INCOMPLETE
        with pytest.raises(TaskError):
            made.read_result(task, purpose)


@pytest.mark.parametrize(
    ("style", "control", "more"),
    [
        ("dftb", "USE_DFTB = T\n", {"in_skf": "skf"}),
        ("pwmat", "use_dftb=t # yes\nDFTB_DETAIL = 1, 2\n", {"in_skf": "skf"}),
        ("dftb", "USE_DFTB = T\nDFTB_DETAIL = 3,1\n", {"in_skf": "none"}),
        ("pwmat", "USE_GAUSSIAN = T\n", {"gaussian": True}),
        ("pwmat", "USE_DFTB = F\nUSE_GAUSSIAN = F\n", {}),
    ],
)
def test_what_stands_for_the_elements(
    tmp_path: Path, style: str, control: str, more: dict[str, Any]
) -> None:
    """The stand-in refuses wrong files, and files that are not asked for."""
    stub.write_skf(tmp_path / "skf", ["Ag", "Au"])
    given: dict[str, Any] = {}
    if "in_skf" in more:
        given["in_skf"] = tmp_path / more["in_skf"]
    if "gaussian" in more:
        given["gaussian"] = gaussian(tmp_path)
    made = labeler(tmp_path, CONTROLS[Purpose.SCF] + control, style, **given)
    task = prepared(made, tmp_path / "task", Purpose.SCF, alloy())
    run(made, task, Purpose.SCF)
    assert_labelled_by(made.read_result(task, Purpose.SCF)[0], stub.EMT())
    text = (task / "etot.input").read_text()
    assert ("IN.SKF = ./in_skf/\n" in text) is (more.get("in_skf") == "skf")
    assert (task / "in_skf").is_dir() is (more.get("in_skf") == "skf")


def gaussian(folder: Path, **changes: Any) -> GaussianConfig:
    for name in ("BASIS", "POTENTIAL"):
        lines = (f"{element} {name}-q11\n" for element in ("Si", "Au", "Ag"))
        (folder / name).write_text("".join(lines))
    given = {
        "basis_set_file": folder / "BASIS",
        "potential_file": folder / "POTENTIAL",
        "atom_list": ("Si", "Au", "Ag"),
        "basis_set_list": ("BASIS-q11",) * 3,
        "potential_list": ("POTENTIAL-q11",) * 3,
    }
    return GaussianConfig(**{**given, **changes})


def test_gaussian_lines_follow_the_list_of_the_user(tmp_path: Path) -> None:
    control = CONTROLS[Purpose.SCF] + "USE_GAUSSIAN = T\n"
    made = labeler(tmp_path, control, gaussian=gaussian(tmp_path), pseudo=())
    task = prepared(made, tmp_path / "task", Purpose.SCF, alloy())
    lines = (task / "etot.input").read_text().splitlines()
    assert [line for line in lines if line.startswith(("IN.PSP", "IN.BASIS"))] == [
        "IN.PSP1 = Au POTENTIAL-q11 POTENTIAL",
        "IN.BASIS1 = Au BASIS-q11 BASIS",
        "IN.PSP2 = Ag POTENTIAL-q11 POTENTIAL",
        "IN.BASIS2 = Ag BASIS-q11 BASIS",
    ]
    assert (task / "POTENTIAL").is_symlink()


def test_an_scf_without_convergence_is_given_up(tmp_path: Path) -> None:
    made, task = done(tmp_path, Purpose.SCF, "hard 1")
    verdict = made.check(task, Purpose.SCF)
    assert verdict.outcome is Outcome.UNUSABLE
    assert "the SCF is not converged" in verdict.reason
    with pytest.raises(NotConvergedError, match="a task: the SCF is not converged"):
        made.read_result(task, Purpose.SCF)


def test_accuracy_counts_also_when_the_iterations_ran_out(tmp_path: Path) -> None:
    made, task = done(tmp_path, Purpose.SCF, "loose 1")
    assert "niter reached" in (task / "REPORT").read_text()
    assert made.check(task, Purpose.SCF).done


def test_without_out_mlmd_the_movement_is_read(tmp_path: Path) -> None:
    made, task = done(tmp_path, Purpose.SCF, "no-mlmd 1")
    assert not (task / "OUT.MLMD").exists()
    assert_labelled_by(made.read_result(task, Purpose.SCF)[0], stub.EMT())


def test_forces_that_are_all_zero_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made, task = done(tmp_path, Purpose.SCF, "mute 1")
    made.read_result(task, Purpose.SCF)
    assert "all forces are exactly zero" in caplog.text


def test_a_trajectory_that_was_cut_off(tmp_path: Path, finished: Finished) -> None:
    made, task = done(tmp_path, Purpose.AIMD, "cut 2")
    assert made.check(task, Purpose.AIMD).outcome is Outcome.INCOMPLETE
    frames = made.read_result(task, Purpose.AIMD)
    assert len(frames) == 2
    for frame in frames:
        assert_labelled_by(frame, stub.EMT())
    whole, directory = finished[Purpose.AIMD]
    np.testing.assert_array_equal(
        frames[1].positions, whole.read_result(directory, Purpose.AIMD)[1].positions
    )
    made, task = done(tmp_path / "other", Purpose.AIMD, "cut 0")
    with pytest.raises(CutOffError, match="MOVEMENT, after line"):
        made.read_result(task, Purpose.AIMD)


def test_an_md_that_left_fewer_frames_than_steps(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made, task = done(tmp_path, Purpose.AIMD)
    made.read_result(task, Purpose.AIMD)
    assert "MD_DETAIL" not in caplog.text
    frames = (task / "MOVEMENT").read_text().split("  4 atoms,Iteration")
    (task / "MOVEMENT").write_text("  4 atoms,Iteration".join(frames[:3]))
    assert len(made.read_result(task, Purpose.AIMD)) == 2
    assert "MOVEMENT: holds 2 frames, but MD_DETAIL asks for 4 steps" in caplog.text


def test_the_next_try_begins_anew(tmp_path: Path) -> None:
    made, task = done(tmp_path, Purpose.AIMD, "cut-once 2")
    assert not made.check(task, Purpose.AIMD).done
    (task / "OUT.MLMD").write_text("of an earlier try")
    assert run(made, task, Purpose.AIMD).returncode == 0
    assert made.check(task, Purpose.AIMD).done
    assert len(made.read_result(task, Purpose.AIMD)) == 4
    assert not (task / "OUT.MLMD").exists()


def test_a_relaxation_that_is_not_at_its_end_is_taken_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = labeler(tmp_path, "1 1\nJOB = RELAX\nRELAX_DETAIL = 1, 2, 0.001\n")
    task = prepared(made, tmp_path / "task", Purpose.RELAX, alloy())
    run(made, task, Purpose.RELAX)
    assert made.check(task, Purpose.RELAX).done
    with caplog.at_level(logging.WARNING):
        made.read_result(task, Purpose.RELAX)
    assert "ended after 2 steps with a force of" in caplog.text
    assert "above the 0.001 of RELAX_DETAIL" in caplog.text


def test_what_the_program_refuses_is_in_the_log(tmp_path: Path) -> None:
    made = labeler(tmp_path, CONTROLS[Purpose.SCF] + "ECUTT = 5\n")
    task = prepared(made, tmp_path / "task", Purpose.SCF, alloy())
    assert run(made, task, Purpose.SCF).returncode == 1
    assert "unknown key ECUTT" in (task / made.log).read_text()
    assert made.check(task, Purpose.SCF).outcome is Outcome.INCOMPLETE


@pytest.mark.parametrize("purpose", [Purpose.SCF, Purpose.RELAX])
def test_a_result_that_is_cut_anywhere_is_not_taken(
    finished: Finished, tmp_path: Path, purpose: Purpose
) -> None:
    made, task = copied(finished, purpose, tmp_path)
    path = task / {Purpose.SCF: "OUT.MLMD", Purpose.RELAX: "final.config"}[purpose]
    content = path.read_bytes()
    # four dashes end a frame, whether the rest of their line is there or not
    end = content.find(b"----") + 4 if purpose is Purpose.SCF else len(content)
    assert end > len(content) - 60
    for place in damage.cuts(content):
        damage.put(path, content[:place])
        verdict = made.check(task, purpose)
        if place >= end:
            assert verdict.done
            continue
        assert verdict.outcome is Outcome.INCOMPLETE
        assert path.name in verdict.reason
    begin = content.index(b"Lattice")  # Etot and Ek stand above it and are not read
    for word in (b"NaN", b"*****"):
        for spoilt in damage.spoiled(content[begin:], word, 20):
            damage.put(path, content[:begin] + spoilt)
            assert made.check(task, purpose).outcome is Outcome.INCOMPLETE


@pytest.mark.parametrize("name", ["MOVEMENT", "OUT.MLMD", "final.config"])
def test_a_result_that_is_missing(finished: Finished, tmp_path: Path, name: str) -> None:
    purpose = {"MOVEMENT": Purpose.AIMD, "OUT.MLMD": Purpose.SCF}.get(name, Purpose.RELAX)
    made, task = copied(finished, purpose, tmp_path)
    (task / name).unlink()
    assert made.check(task, purpose).outcome is Outcome.INCOMPLETE
    (task / name).touch()
    assert made.check(task, purpose).outcome is Outcome.INCOMPLETE


def test_the_result_of_another_structure_is_not_taken(finished: Finished, tmp_path: Path) -> None:
    made, task = copied(finished, Purpose.SCF, tmp_path)
    other = ordered(alloy(seed=2))
    made.write_input(task, other, Purpose.SCF, 1)
    assert "another structure" in made.check(task, Purpose.SCF).reason
    other.symbols[0] = "Au"
    made.write_input(task, other, Purpose.SCF, 1)
    assert "are not those of the task" in made.check(task, Purpose.SCF).reason
    assert made.check(task, Purpose.SCF).outcome is Outcome.INCOMPLETE
    (task / "9atom.config").write_bytes((task / "atom.config").read_bytes())
    assert "expected one atom.config, found 2" in made.check(task, Purpose.SCF).reason


def test_a_report_that_is_cut_off(finished: Finished, tmp_path: Path) -> None:
    for purpose in Purpose:
        made, task = copied(finished, purpose, tmp_path / purpose.value)
        report = task / "REPORT"
        report.write_text(report.read_text().rpartition(" total")[0])
        assert made.check(task, purpose).outcome is Outcome.INCOMPLETE
        if purpose is not Purpose.AIMD:
            with pytest.raises(TaskError, match="PWmat did not end"):
                made.read_result(task, purpose)


def test_what_is_kept(finished: Finished) -> None:
    made, _ = finished[Purpose.SCF]
    names = ["REPORT", "report", "etot.input", "OUT.MLMD", "MOVEMENT", "820atom.config"]
    assert all(made.kept_files(name) for name in names)
    assert not any(made.kept_files(name) for name in ("dft.log", "Au.SG15.PBE.UPF", "OUT.WG"))


SCF = CONTROLS[Purpose.SCF]
REFUSED: list[tuple[Purpose, str, dict[str, Any], str, str]] = [
    (Purpose.AIMD, SCF, {}, "JOB", "found SCF; expected MD for aimd"),
    (Purpose.RELAX, SCF, {}, "JOB", "found SCF; expected RELAX for relax"),
    (Purpose.SCF, "1 1\nEcut = 5\n", {}, "JOB", "this key is missing; expected SCF"),
    (Purpose.SCF, "JOB = SCF\n", {}, "", "line 1 must hold the two node numbers"),
    (Purpose.SCF, "", {}, "", "line 1 must hold the two node numbers"),
    (Purpose.SCF, "4\nJOB = SCF\n", {}, "", "found '4'"),
    (Purpose.SCF, SCF + "OUT.MLMD = F\n", {}, "OUT.MLMD", "expected T"),
    (Purpose.SCF, SCF + "OUT.MLMD = maybe\n", {}, "OUT.MLMD", "found 'maybe'; expected T or F"),
    (Purpose.SCF, SCF + "FLAG_SYMM = x\n", {}, "FLAG_SYMM", "expected an integer"),
    (Purpose.SCF, SCF + "MP_N123 = 1 1 1 0 0 0\n", {"kspacing": 0.5}, "MP_N123", "so is kspacing"),
    (Purpose.SCF, SCF + "USE_DFTB = T\nUSE_GAUSSIAN=T\n", {}, "USE_GAUSSIAN", "both T"),
    (Purpose.SCF, SCF, {"style": "dftb"}, "USE_DFTB", "this key is missing; dft_style dftb"),
    (Purpose.SCF, SCF + "USE_DFTB=F\n", {"style": "dftb"}, "USE_DFTB", "found F; dft_style dftb"),
    (Purpose.SCF, SCF, {"pseudo": ["Ag.UPF"]}, "DFT.pseudo", "for Au; given: Ag.UPF"),
    (Purpose.SCF, SCF, {"pseudo": []}, "DFT.pseudo", "for Ag; given: none"),
    (
        Purpose.SCF,
        SCF,
        {"pseudo": ["Au.a.UPF", "Ag.UPF", "Au.b.UPF"]},
        "DFT.pseudo",
        "several pseudopotentials for Au: ",
    ),
    (Purpose.SCF, SCF, {"pseudo": ["Au.a b.UPF", "Ag.UPF"]}, "DFT.pseudo", "names with blanks"),
    (Purpose.SCF, SCF + "USE_DFTB = T\n", {}, "DFT.in_skf", "DFTB_DETAIL does not begin with 3"),
    (Purpose.SCF, SCF + "USE_DFTB = T\n", {"in_skf": "none"}, "DFT.in_skf", "does not exist"),
    (Purpose.SCF, SCF + "USE_DFTB = T\n", {"in_skf": "Ag.UPF"}, "DFT.in_skf", "is a file"),
    (Purpose.SCF, SCF + "USE_DFTB = T\n", {"in_skf": "."}, "DFT.in_skf", "holds no Ag-Ag.skf"),
    (
        Purpose.SCF,
        SCF + "USE_DFTB = T\nDFTB_DETAIL = x\n",
        {},
        "DFTB_DETAIL",
        "expected an integer",
    ),
    (Purpose.SCF, SCF + "USE_GAUSSIAN = T\n", {}, "DFT.gaussian_param", "is required"),
    (
        Purpose.SCF,
        SCF + "USE_GAUSSIAN = T\n",
        {"gaussian": {"atom_list": ("Si", "Au")}},
        "DFT.gaussian_param.atom_list",
        "no basis set for Ag",
    ),
]


@pytest.mark.parametrize(("purpose", "control", "more", "key", "message"), REFUSED)
def test_refusals(
    tmp_path: Path, purpose: Purpose, control: str, more: dict[str, Any], key: str, message: str
) -> None:
    more = dict(more)
    for name in more.get("pseudo", ["Ag.UPF", "Au.UPF"]):
        (tmp_path / name).touch()
    if "pseudo" in more:
        more["pseudo"] = tuple(tmp_path / name for name in more["pseudo"])
    if "in_skf" in more:
        more["in_skf"] = tmp_path / more["in_skf"]
    if "gaussian" in more:
        more["gaussian"] = gaussian(tmp_path, **more["gaussian"])
    given = DftInput(tmp_path / "my etot.input", more.pop("kspacing", None), 0)
    made = labeler(tmp_path, control, given=given, **more)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=message) as caught:
        made.validate(purpose, frozenset({"Ag", "Au"}))
    assert caught.value.key == key
    assert caught.value.file == tmp_path / (
        "param.json" if key.startswith("DFT.") else "my etot.input"
    )
    assert sorted(tmp_path.rglob("*")) == before


def test_the_element_is_the_name_up_to_the_first_dot_in_any_case(tmp_path: Path) -> None:
    pseudo = tuple(tmp_path / name for name in ("ag.UPF", "AU.b.c", "Xx.UPF", "Si"))
    for path in pseudo:
        path.touch()
    labeler(tmp_path, SCF, pseudo=pseudo).validate(Purpose.SCF, frozenset({"Ag", "Au", "Si"}))


def test_the_fingerprint_knows_contents_and_no_names(tmp_path: Path) -> None:
    def mark(folder: str, control: str = SCF, given: Any = None, touch: str = "") -> Any:
        made = labeler(tmp_path / folder, control, given=given)
        if touch:
            (tmp_path / folder / touch).write_text("changed")
        return made.fingerprint(Purpose.SCF)

    def spaced(folder: str, kspacing: Any, symmetry: int = 0) -> DftInput:
        return DftInput(tmp_path / folder / "my etot.input", kspacing, symmetry)

    plain, mesh = mark("a"), SCF + "MP_N123 = 1 1 1 0 0 0 0\n"
    assert mark("b") == plain
    assert mark("a", given=spaced("a", 0.5)) == plain  # the default, spelt out
    others = [
        mark("c", SCF + "# remark\n"),
        mark("d", touch="Au.SG15.PBE.UPF"),
        mark("e", given=spaced("e", 0.3)),
        mark("f", given=spaced("f", None, 2)),
        mark("g", mesh),
    ]
    assert mark("h", mesh, given=spaced("h", None, 2)) == others[-1]  # symmetry has no effect
    assert all(one != plain for one in others)


def test_the_fingerprint_of_slater_koster_files(tmp_path: Path) -> None:
    (tmp_path / "skf").mkdir()
    (tmp_path / "skf" / "Ag-Ag.skf").touch()
    control = SCF + "USE_DFTB = T\n"
    made = labeler(tmp_path, control, "dftb", in_skf=tmp_path / "skf")
    before = made.fingerprint(Purpose.SCF)
    (tmp_path / "skf" / "Ag-Ag.skf").write_text("1")
    assert made.fingerprint(Purpose.SCF) != before
    none = labeler(tmp_path, control + "DFTB_DETAIL = 3\n", "dftb", in_skf=tmp_path / "nowhere")
    names = {"control", "kspacing", "flag_symm", "changed"}
    assert set(none.fingerprint(Purpose.SCF)) == names


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  4 atoms", "  x", "line 1: the number of atoms"),
        ("  79 ", " 790 ", "line 10: the position block holds what is no atomic number"),
        (" Lattice", " attice", "the file is cut off"),
        ("  79 ", "  ", "line 10: the position block holds what is no atomic number"),
    ],
)
def test_a_damaged_final_config(
    finished: Finished, tmp_path: Path, old: str, new: str, message: str
) -> None:
    _, task = finished[Purpose.RELAX]
    text = (task / "final.config").read_text()
    assert old in text
    with pytest.raises(TaskError, match=message):
        read_final_config(damage.put(tmp_path / "f", text.replace(old, new, 1).encode()))
    whole = read_final_config(task / "final.config")
    np.testing.assert_array_equal(
        whole.positions, read_atom_config(task / "final.config").positions
    )


def test_the_stand_in_is_strict(tmp_path: Path) -> None:
    """It refuses what it must: else the tests above would prove little."""
    made = labeler(tmp_path, SCF)
    task = prepared(made, tmp_path / "task", Purpose.SCF, alloy())
    path = task / "etot.input"
    text = path.read_text()
    faults = [
        ("4 1\n", "", "first line"),
        ("Ag.SG15", "Au.SG15", "IN.PSP1 is not for Ag"),
        ("IN.PSP2 = Au.SG15.PBE.UPF\n", "", "2 pseudopotentials are needed"),
        ("IN.ATOM = atom.config", "IN.ATOM = x.config", "there is no file x.config"),
        ("JOB = SCF", "JOB = S", "JOB must be"),
        ("MP_N123 = 3", "MP_N123 = 0", "seven integers"),
        ("OUT.WG = F", "OUT.WG = no", "must be T or F"),
    ]
    for old, new, message in faults:
        assert old in text
        path.write_text(text.replace(old, new))
        assert run(made, task, Purpose.SCF).returncode == 1
        assert message in (task / "dft.log").read_text()
        assert not (task / "REPORT").exists()
