"""What is refused of an input of DFTB+, and what a task's input is made of."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Optional

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from pwact.engines.labelers import Purpose
from pwact.errors import InputError
from pwact.formats.hsd import Node, read_hsd
from tests.engines.dftbplus_helpers import (
    HAMILTONIAN,
    alloy,
    hsd,
    labeler,
    prepared,
    run,
    write_skf,
)
from tests.stubs import dftbplus

SCF, AIMD, RELAX = Purpose.SCF, Purpose.AIMD, Purpose.RELAX
ALLOY = frozenset({"Ag", "Au"})


def task_input(
    folder: Path,
    text: str,
    purpose: Purpose = SCF,
    atoms: Optional[Atoms] = None,
    kspacing: Optional[float] = None,
) -> str:
    task = folder / "task"
    task.mkdir()
    labeler(folder, text, kspacing).write_input(task, atoms or alloy(), purpose, 11)
    return (task / "dftb_in.hsd").read_text()


def tree(folder: Path) -> Node:
    return read_hsd(folder / "task" / "dftb_in.hsd")[0]


# what is refused


@pytest.mark.parametrize(
    ("purpose", "old", "new", "key", "message"),
    [
        (SCF, "Driver = {}", "Driver = LBFGS {}", "Driver", "found LBFGS; expected no driver"),
        (AIMD, "VelocityVerlet", "Socket", "Driver", "found Socket; expected VelocityVerlet"),
        (RELAX, "Driver = Geo", "Dr = Geo", "Driver", "found none; expected GeometryOptimization"),
        (
            AIMD,
            "Thermostat = None {}",
            "Velocities { 1 2 3 }",
            "Driver/VelocityVerlet/Velocities",
            "velocities of other atoms",
        ),
        (AIMD, "Steps = 4", "", "Driver/VelocityVerlet/Steps", "expected a number of steps"),
        (
            SCF,
            "SCC = Yes;",
            "ReadInitialCharges = Yes;",
            "Hamiltonian/DFTB/ReadInitialCharges",
            "charges of another structure",
        ),
        (
            SCF,
            "KPointsAndWeights",
            "KPoints",
            "Hamiltonian/DFTB/KPointsAndWeights",
            "required, or kspacing",
        ),
        (SCF, "Au =", "Pt =", "Hamiltonian/DFTB/MaxAngularMomentum", "no entry for Au"),
        (SCF, "MaxAngularM", "MaxM", "Hamiltonian/DFTB/MaxAngularMomentum", "for Ag Au"),
        (
            SCF,
            '"-"',
            '"_"',
            "Hamiltonian/DFTB/SlaterKosterFiles",
            "there is no file ../my skf/Ag_Ag.skf for Ag and Ag in .*; names count from",
        ),
        (SCF, "../my", "/none", "Hamiltonian/DFTB/SlaterKosterFiles", "no file /none skf/Ag-Ag"),
        (SCF, "SlaterKosterFiles", "Slako", "Hamiltonian/DFTB/SlaterKosterFiles", "is required"),
        (SCF, "= DFTB", "= Model", "Hamiltonian", "found Model; expected DFTB or xTB"),
        (SCF, "Hamiltonian", "Hamilton", "Hamiltonian", "found none"),
    ],
)
def test_refused(
    tmp_path: Path, purpose: Purpose, old: str, new: str, key: str, message: str
) -> None:
    text = hsd(purpose)
    assert old in text
    with pytest.raises(InputError, match=message) as caught:
        labeler(tmp_path, text.replace(old, new, 1)).validate(purpose, ALLOY)
    assert caught.value.key == key
    assert caught.value.file == tmp_path / "in put" / "my.hsd"


@pytest.mark.parametrize(
    ("more", "key", "message"),
    [
        ("ParserOptions { ParserVersion = 1 }", "ParserOptions/ParserVersion", "another model"),
        ("ParserOptions { ParserVersion = x }", "ParserOptions/ParserVersion", "expected a number"),
        ("InputVersion = 9.9", "InputVersion", "found 9.9; expected one of 19.1, 20.1"),
        (
            "ParserOptions { ParserVersion = 13 }\nAnalysis { PrintForces = Yes }",
            "Analysis/PrintForces",
            "with ParserVersion 13 this is CalculateForces",
        ),
        (
            'InputVersion = "24.1"\nAnalysis { CalculateForces = Yes }',
            "Analysis/CalculateForces",
            "with InputVersion 14 this is PrintForces",
        ),
        ("ParserOptions { StopAfterParsing = Yes }", "ParserOptions/StopAfterParsing", "take it"),
        ("Options { WriteHS = Yes }", "Options/WriteHS", "before it has forces"),
    ],
)
def test_refused_options(tmp_path: Path, more: str, key: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        labeler(tmp_path, hsd(SCF, more)).validate(SCF, ALLOY)
    assert caught.value.key == key


def test_broken_inputs_name_the_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"my\.hsd: line \d+: this { is not closed"):
        labeler(tmp_path, hsd(SCF, "Options {")).validate(SCF, ALLOY)


@pytest.mark.parametrize(
    ("purpose", "driver"),
    [
        (RELAX, "ConjugateGradient { MaxSteps = 5 }"),
        (RELAX, "geometryoptimisation { Optimizer = FIRE {} }"),
        (AIMD, "velocityverlet { Steps = 3\n TimeStep [fs] = 1 }"),
        (SCF, "{}"),
        (SCF, "None {}"),
        (SCF, ""),
    ],
)
def test_accepted_drivers(tmp_path: Path, purpose: Purpose, driver: str) -> None:
    head = f"Driver = {driver}\n" if driver else ""
    labeler(tmp_path, head + HAMILTONIAN).validate(purpose, ALLOY)


def test_warnings_are_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = hsd(SCF, "ParserOptions { IgnoreUnprocessedNodes = Yes }")
    made = labeler(tmp_path, text.replace("SCC = Yes;", "ConvergentSCCOnly = No;"), 0.3)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            made.validate(SCF, ALLOY)
    said = [record.getMessage().partition(": ")[2] for record in caplog.records]
    assert [words.split()[0] for words in said] == [
        "KPointsAndWeights",
        "ConvergentSCCOnly",
        "IgnoreUnprocessedNodes",
    ]


def test_valid_input_has_no_warnings(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for purpose in Purpose:
        labeler(tmp_path, hsd(purpose)).validate(purpose, ALLOY)
    assert caplog.records == []


# what is put in


def test_the_users_text_stays(tmp_path: Path) -> None:
    text = f"# mine\n{HAMILTONIAN}Options {{ WriteBandOut = No }}  # ä"
    made = task_input(tmp_path, text)
    own, mark, ours = made.partition("\n# what pwact needs\n")
    assert mark
    expected = text.replace('"../my skf/"', '"link.my_skf/"').replace('Cu = "d"', "")
    assert own == expected
    assert (
        ours
        == """Geometry = GenFormat {
  <<< "geo.gen"
}
*Options = {
  !WriteResultsTag = Yes
  !WriteDetailedOut = Yes
}
*Analysis = {
  !CalculateForces = Yes
}
*ParserOptions = {
  !ParserVersion = 10
}
"""
    )


def test_what_an_aimd_gets(tmp_path: Path) -> None:
    more = "Options { RandomSeed = 0; TimingVerbosity = 0 }\nParserOptions { ParserVersion = 14 }"
    task_input(tmp_path, hsd(AIMD, more), AIMD)
    root = tree(tmp_path)
    options = {child.name: child.text for child in root.child("Options").children}  # type: ignore[union-attr]
    assert options.pop("MDOutput") == ""
    assert options == {
        **{"WriteResultsTag": "Yes", "WriteDetailedOut": "Yes", "TimingVerbosity": "1"},
        "RandomSeed": "11",
    }
    assert root.value("Options", "MDOutput", "Derivatives") == "yes"
    assert root.value("Analysis", "PrintForces") == "yes"
    driver = root.at("Driver", "VelocityVerlet")
    assert driver is not None
    assert (driver.value("MDRestartFrequency"), driver.value("OutputPrefix")) == ("1", "geo_end")
    old = (tmp_path / "task" / "without_mdoutput.hsd").read_text()
    new = (tmp_path / "task" / "dftb_in.hsd").read_text()
    assert new.replace("  *MDOutput = {\n    !Derivatives = Yes\n  }\n", "") == old


def test_a_seed_of_the_user_stays(tmp_path: Path) -> None:
    task_input(tmp_path, hsd(AIMD, "Options { RandomSeed = 5 }"), AIMD)
    assert tree(tmp_path).value("Options", "RandomSeed") == "5"


@pytest.mark.parametrize(
    ("more", "version", "word"),
    [
        ("", "10", "CalculateForces"),
        ("Analysis { PrintForces = No }", "14", "PrintForces"),
        ("ParserOptions { ParserVersion = 12 }", "12", "CalculateForces"),
        ("ParserOptions { ParserVersion = 15 }", "15", "PrintForces"),
        ('InputVersion = "23.1"', "", "CalculateForces"),
        ("InputVersion = 24.1", "", "PrintForces"),
    ],
)
def test_the_version_of_the_language(tmp_path: Path, more: str, version: str, word: str) -> None:
    task_input(tmp_path, hsd(SCF, more))
    root = tree(tmp_path)
    assert root.value("ParserOptions", "ParserVersion") == version
    analysis = root.child("Analysis")
    assert analysis is not None
    assert [(child.name, child.text) for child in analysis.children] == [(word, "Yes")]


def test_every_geometry_goes(tmp_path: Path) -> None:
    text = hsd(SCF, '!Geometry = VaspFormat { <<< "POSCAR"\n}\n')
    made = task_input(tmp_path, text)
    assert made.count("Geometry =") == 1
    assert made.startswith('Geometry = GenFormat {\n  <<< "geo.gen"\n}\n')


def test_entries_of_other_elements_go(tmp_path: Path) -> None:
    more = """+Hamiltonian = { +DFTB = {
  HubbardDerivs { Ag = -0.1; Au = -0.2
    Cu = -0.3 }
  Dispersion = DftD4 { ga = 3.0; gc = 2.0 }
  SpinConstants { ShellResolvedSpin = Yes; Au = { -0.1 }; }
} }
"""
    more = more.replace("}; }", "} }")
    gold = bulk("Au", "fcc", a=4.08)
    task_input(tmp_path, hsd(SCF, more), atoms=gold)
    dftb = tree(tmp_path).at("Hamiltonian", "DFTB")
    assert dftb is not None

    def names(name: str) -> list[str]:
        block = dftb.child(name)
        assert block is not None
        return [child.name for child in block.children]

    assert names("MaxAngularMomentum") == ["Au"]
    assert names("HubbardDerivs") == ["Au"]
    assert names("SpinConstants") == ["ShellResolvedSpin", "Au"]
    assert [child.name for child in dftb.at("Dispersion", "DftD4").children] == ["ga", "gc"]  # type: ignore[union-attr]


def test_pairs_of_other_elements_go(tmp_path: Path) -> None:
    listed = " ".join(
        f'{one}-{two} = "../my skf/{one}-{two}.skf";'
        for one in ("Au", "Cu")
        for two in ("Au", "Cu")
    )
    text = re.sub(r"SlaterKosterFiles = .*", f"SlaterKosterFiles {{ {listed}\n}}", hsd(SCF))
    made = labeler(tmp_path, text)
    made.validate(SCF, frozenset({"Au", "Cu"}))
    with pytest.raises(InputError, match="no entry for Ag-Ag"):
        made.validate(SCF, ALLOY)
    task_input(tmp_path, text, atoms=bulk("Au", "fcc", a=4.08))
    pairs = tree(tmp_path).at("Hamiltonian", "DFTB", "SlaterKosterFiles")
    assert pairs is not None
    assert [(child.name, child.text) for child in pairs.children] == [("Au-Au", "link.Au-Au.skf")]
    assert (tmp_path / "task" / "link.Au-Au.skf").read_text() == "Au Au\n"
    (tmp_path / "my skf" / "Au-Cu.skf").unlink()
    with pytest.raises(InputError, match="Au-Cu.skf' is not there"):
        made.validate(SCF, frozenset({"Au", "Cu"}))


@pytest.mark.parametrize(
    ("kspacing", "rows"),
    [
        (0.5, [[3, 0, 0], [0, 3, 0], [0, 0, 3], [0, 0, 0]]),
        (0.4, [[4, 0, 0], [0, 4, 0], [0, 0, 4], [0.5, 0.5, 0.5]]),
    ],
)
def test_a_mesh_where_there_is_none(
    tmp_path: Path, kspacing: float, rows: list[list[float]]
) -> None:
    text = hsd(SCF).replace("KPointsAndWeights", "!Charge = 0\n#").replace("0 0 2\n", "\n")
    text = text.replace("    0.5 0.5 0.5 }\n", "")
    labeler(tmp_path, text, kspacing).validate(SCF, ALLOY)
    task_input(tmp_path, text, atoms=bulk("Au", "fcc", a=4.08, cubic=True), kspacing=kspacing)
    mesh = tree(tmp_path).at("Hamiltonian", "DFTB", "KPointsAndWeights", "SupercellFolding")
    assert mesh is not None
    np.testing.assert_array_equal(np.array(mesh.text.split(), dtype=float).reshape(4, 3), rows)


# files


def test_files_are_found_from_a_moved_directory(tmp_path: Path) -> None:
    here = tmp_path / "here"
    _, task = prepared(here, SCF)
    here.rename(tmp_path / "there")
    moved = tmp_path / "there" / task.name
    assert (moved / "link.my_skf" / "Ag-Au.skf").read_text() == "Ag Au\n"


def test_absolute_names_stay(tmp_path: Path) -> None:
    sets = write_skf(tmp_path / "elsewhere")
    text = hsd(SCF).replace("../my skf/", f"{sets}/")
    made = labeler(tmp_path, text)
    made.validate(SCF, ALLOY)
    assert f'"{sets}/"' in task_input(tmp_path, text)
    assert [path.name for path in (tmp_path / "task").iterdir() if path.is_symlink()] == []
    before = made.fingerprint(SCF)
    (sets / "Ag-Au.skf").write_text("other")
    assert made.fingerprint(SCF) != before


@pytest.mark.parametrize("prefix", ["", "set-", "./"])
def test_files_right_beside_the_input(tmp_path: Path, prefix: str) -> None:
    start = "" if prefix == "./" else prefix
    for path in write_skf(tmp_path / "in put").iterdir():
        path.rename(path.with_name(start + path.name))
    text = hsd(SCF).replace("../my skf/", prefix)
    labeler(tmp_path, text).validate(SCF, ALLOY)
    task_input(tmp_path, text)
    assert (tmp_path / "task" / "link.in_put" / f"{start}Ag-Au.skf").is_file()
    found = tree(tmp_path).value(
        "Hamiltonian", "DFTB", "SlaterKosterFiles", "Type2FileNames", "Prefix"
    )
    assert found == f"link.in_put/{start}"


def test_two_directories_of_one_name(tmp_path: Path) -> None:
    folder = tmp_path / "in put"
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        (folder / name / "points").write_text(
            f"1 0 0 0 1 0 0 0 1 0.5 0.5 {0.5 if name == 'a' else 0}"
        )
    text = hsd(SCF)
    start = text.index("{ 2 0 0")
    text = text[:start] + '{ <<< "a/points"\n}\nOther { <<< b/points\n}\n}'
    made = task_input(tmp_path, text)
    assert '<<< "link.points"\n' in made
    assert '<<< "link.points.2"\n' in made
    assert (tmp_path / "task" / "link.points.2").read_text().endswith("0.5 0")


def test_a_missing_included_file(tmp_path: Path) -> None:
    text = hsd(SCF).replace("{ 2 0 0 0 2 0\n", '{ <<< "mesh.txt"\n')
    with pytest.raises(InputError, match=r"line \d+: the file mesh.txt is not there"):
        labeler(tmp_path, text).validate(SCF, ALLOY)


def test_parts_in_other_files(tmp_path: Path) -> None:
    (tmp_path / "in put").mkdir()
    (tmp_path / "in put" / "part.hsd").write_text(HAMILTONIAN)
    text = 'Driver = {}\n<<+ "part.hsd"\n'
    made = labeler(tmp_path, text)
    made.validate(SCF, ALLOY)
    before = made.fingerprint(SCF)
    assert 'Prefix = "link.my_skf/"' in task_input(tmp_path, text)
    (tmp_path / "in put" / "part.hsd").write_text(HAMILTONIAN.replace("1e-8", "1e-7"))
    assert made.fingerprint(SCF) != before


def test_what_looks_like_a_name_and_is_none(tmp_path: Path) -> None:
    """A file `d` beside the input is not an angular momentum."""
    (tmp_path / "in put").mkdir()
    (tmp_path / "in put" / "d").write_text("")
    assert 'Ag = "d"; Au = "d"' in task_input(tmp_path, hsd(SCF))


def test_xtb_needs_no_files(tmp_path: Path) -> None:
    text = (
        'Hamiltonian = xTB { Method = "GFN1-xTB"; KPointsAndWeights = SupercellFolding {\n'
        "1 0 0 0 1 0 0 0 1 0 0 0 } }"
    )
    labeler(tmp_path, text).validate(SCF, ALLOY)
    assert 'Method = "GFN1-xTB"' in task_input(tmp_path, text)


def test_what_the_result_depends_on(tmp_path: Path) -> None:
    made = labeler(tmp_path, hsd(SCF))
    before = made.fingerprint(SCF)
    assert made.fingerprint(SCF) == before
    assert labeler(tmp_path, hsd(SCF), 0.3).fingerprint(SCF) != before
    assert labeler(tmp_path, hsd(SCF, "# a")).fingerprint(SCF) != before
    made = labeler(tmp_path, hsd(SCF))
    (tmp_path / "my skf" / "Au-Ag.skf").write_text("other")
    assert made.fingerprint(SCF) != before
    write_skf(tmp_path / "my skf")
    (tmp_path / "my skf" / "LICENSE").write_text("not read")
    assert made.fingerprint(SCF) == before


def test_the_stand_in_is_strict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else the other tests would prove little. It is called here; once it runs as in a job."""
    for number, (old, new, message) in enumerate(
        (
            ("SCCTolerance", "SCCTollerance", "Path: dftbplusinput/hamiltonian/dftb/scctollerance"),
            ('Au = "d"', "", "Missing child: Au"),
            ("link.my_skf", "none", "SK file with generated name 'none/Au-Au.skf' not found"),
            (
                "ParserVersion = 10",
                "ParserVersion = 14",
                "Path: dftbplusinput/analysis/calculateforces",
            ),
            ("ParserVersion = 10", "ParserVersion = 15", "Invalid parser version (15)"),
            ("Filling", "Filling { X {", "Unexpected end of input"),
            ("KPointsAndWeights", "Charge = 1; Mixer", "Missing child: KPointsAndWeights"),
            ('<<< "geo.gen"', "1 S Au 1 1 0 0 0", "Error in reading of the gen format"),
            ("Ag = ", 'Cu = "d"; Ag = ', "MaxAngularMomentum/cu"),
        )
    ):
        made, task = prepared(tmp_path / str(number), SCF)
        text = (task / "dftb_in.hsd").read_text()
        assert old in text
        (task / "dftb_in.hsd").write_text(text.replace(old, new))
        monkeypatch.chdir(task)
        with pytest.raises(SystemExit, match="1"):
            dftbplus.main()
        assert message in capsys.readouterr().out
    assert run(made, task, SCF) == 1
    assert message in (task / "dft.log").read_text()
    assert not made.check(task, SCF).done
