"""CP2K without CP2K: what is written, what is refused beforehand, how outputs are judged."""

from __future__ import annotations

import logging
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.data import chemical_symbols
from hypothesis import given, settings
from hypothesis import strategies as st

from pwact.config.labeling import GaussianConfig
from pwact.engines.cp2k.labeler import Cp2kLabeler, read_task
from pwact.engines.cp2k.task import symmetry_fits
from pwact.engines.labelers import Purpose
from pwact.errors import CutOffError, InputError, NotConvergedError, TaskError
from pwact.fixed_atoms import fix
from pwact.formats.cp2k_input import parse
from pwact.formats.frames import ordered
from pwact.formats.labels import labels_of
from pwact.verdict import Outcome
from tests import damage
from tests.engines.cp2k_inputs import DFTB, GPW, MD, MESH, cp2k_input, gaussian_param, labeler

RECORDED = Path(__file__).parents[1] / "formats" / "cp2k_md"
PRINTS = "    &FORCES ON\n    &END FORCES\n"
SI = frozenset({"Si"})


def written(
    folder: Path, made: Cp2kLabeler, atoms: Atoms, purpose: Purpose = Purpose.SCF, **more: Any
) -> str:
    """The cp2k.inp of a task in ``folder/task``."""
    made.validate(purpose, frozenset(atoms.get_chemical_symbols()))
    task = folder / "task"
    shutil.rmtree(task, ignore_errors=True)
    task.mkdir(parents=True)
    made.write_input(task, atoms, purpose, seed=7, **more)
    return (task / "cp2k.inp").read_text()


def silicon() -> Atoms:
    return bulk("Si", cubic=True, a=5.43)


class TestWriting:
    def test_golden_scf(self, tmp_path: Path) -> None:
        gaussian = gaussian_param(tmp_path / "basis", "C", "Si")
        dft = "    basis_set_file_name OLD ! old\n    Potential_File_Name OLD2\n    CHARGE 0 # é\n"
        subsys = (
            "    &CELL\n      ABC [angstrom] 9 9 9\n      PERIODIC XYZ  ! as it is\n    &END CELL\n"
            "    &KIND Si\n      BASIS_SET ORB OLD\n      BASIS_SET AUX_FIT cFIT3\n      MASS 29\n"
            "      POTENTIAL OLD\n    &END KIND\n    &KIND Ge\n    &END KIND\n"
            "    &TOPOLOGY\n      COORD_FILE_NAME mine.xyz\n      CONN_FILE_FORMAT OFF\n"
            "    &END TOPOLOGY\n    &COORD\n      Si 0 0 0\n    &END COORD\n"
        )
        made = labeler(tmp_path, cp2k_input("Energy_Force", dft, subsys), gaussian)
        atoms = Atoms("CSi", [(0, 0, 0), (0.1, 1 / 3, 2)], cell=[3.0, 4.0, 5.0], pbc=True)
        assert written(tmp_path, made, atoms, step=820) == (
            "&GLOBAL\n  PROJECT Si_Test\n  RUN_TYPE Energy_Force\n  PRINT_LEVEL MEDIUM\n"
            "&END GLOBAL\n&FORCE_EVAL\n  METHOD Quickstep\n  STRESS_TENSOR ANALYTICAL\n  &DFT\n"
            "    BASIS_SET_FILE_NAME MY_BASIS\n    POTENTIAL_FILE_NAME MY_POTENTIAL\n"
            "    CHARGE 0 # é\n"
            "    &KPOINTS\n      SCHEME MONKHORST-PACK 4 3 3\n    &END KPOINTS\n  &END DFT\n"
            "  &SUBSYS\n    &CELL\n      A 3.0 0.0 0.0\n      B 0.0 4.0 0.0\n      C 0.0 0.0 5.0\n"
            "      PERIODIC XYZ  ! as it is\n    &END CELL\n"
            "    &COORD\n      @INCLUDE 820coord.xyz\n    &END COORD\n"
            "    &KIND C\n      ELEMENT C\n      BASIS_SET DZVP-C\n      POTENTIAL GTH-C\n"
            "    &END KIND\n"
            "    &KIND Si\n      ELEMENT Si\n      BASIS_SET DZVP-Si\n      POTENTIAL GTH-Si\n"
            "      BASIS_SET AUX_FIT cFIT3\n      MASS 29\n    &END KIND\n"
            "    &TOPOLOGY\n      CONN_FILE_FORMAT OFF\n    &END TOPOLOGY\n"
            "  &END SUBSYS\n  &PRINT\n    &FORCES ON\n    &END FORCES\n    &STRESS_TENSOR ON\n"
            "    &END STRESS_TENSOR\n  &END PRINT\n&END FORCE_EVAL\n"
        )
        task = tmp_path / "task"
        assert sorted(path.name for path in task.iterdir()) == [
            "820coord.xyz",
            "MY_BASIS",
            "MY_POTENTIAL",
            "cp2k.inp",
        ]
        assert (task / "820coord.xyz").read_text() == (f"C 0.0 0.0 0.0\nSi 0.1 {1 / 3!r} 2.0\n")
        assert (task / "MY_BASIS").samefile(gaussian.basis_set_file)

    def test_without_changes_the_rest_is_the_users(self, tmp_path: Path) -> None:
        """Of a DFTB input everything but cell, coordinates and prints stays byte by byte."""
        text = cp2k_input("ENERGY_FORCE").replace("LOW", "high").replace("\n", "\r\n")
        made = labeler(tmp_path, "")
        made.input.path.write_bytes(text.encode())
        made.validate(Purpose.SCF, SI)
        task = tmp_path / "task"
        task.mkdir()
        made.write_input(task, silicon(), Purpose.SCF, 7)
        lines = (task / "cp2k.inp").read_bytes().decode().splitlines(keepends=True)
        kept = [line for line in lines if line.endswith("\r\n")]
        assert "".join(kept) == text
        assert "KPOINTS" not in "".join(lines)

    def test_aimd(self, tmp_path: Path) -> None:
        made = labeler(tmp_path, cp2k_input("MD", motion=MD))
        text = written(tmp_path, made, silicon(), Purpose.AIMD)
        root = parse(text)
        control = root.section("GLOBAL")
        assert control is not None
        assert control.value("SEED") == "7"
        printed = root.section("MOTION", "PRINT")
        assert printed is not None
        assert [
            printed.sections(name)[0].parameter for name in ("TRAJECTORY", "FORCES", "CELL")
        ] == [*("ON", "ON", "ON")]
        assert root.section("FORCE_EVAL", "PRINT", "FORCES") is None
        assert root.section("FORCE_EVAL", "PRINT", "STRESS_TENSOR") is not None
        made = labeler(tmp_path, cp2k_input("MD", motion=MD).replace("&END GL", "SEED 5\n&END GL"))
        assert "SEED 7" not in written(tmp_path, made, silicon(), Purpose.AIMD)

    @pytest.mark.parametrize(("purpose", "run"), [(Purpose.AIMD, "MD"), (Purpose.RELAX, "GEO_OPT")])
    def test_held_atoms(self, tmp_path: Path, purpose: Purpose, run: str) -> None:
        atoms = silicon()
        fixed = np.zeros((8, 3))
        fixed[[0, 1, 2, 5]] = 1
        fixed[[3, 7], 2] = 1
        fix(atoms, fixed)
        made = labeler(tmp_path, cp2k_input(run, motion=MD if run == "MD" else ""))
        text = written(tmp_path, made, atoms, purpose)
        held = parse(text).section("MOTION", "CONSTRAINT")
        assert held is not None
        found = [
            [item.render().split() for item in section.items]
            for section in held.sections("FIXED_ATOMS")
        ]
        assert found == [
            [["COMPONENTS_TO_FIX", "Z"], ["LIST", "4"], ["LIST", "8"]],
            [["COMPONENTS_TO_FIX", "XYZ"], ["LIST", "1..3"], ["LIST", "6"]],
        ]
        fix(atoms, np.zeros(8))
        assert "FIXED_ATOMS" not in written(tmp_path, made, atoms, purpose)

    def test_labels_hold_no_atoms(self, tmp_path: Path) -> None:
        atoms = silicon()
        fix(atoms, np.ones(8))
        made = labeler(tmp_path, cp2k_input("ENERGY_FORCE"))
        assert "FIXED_ATOMS" not in written(tmp_path, made, atoms)

    def test_prints_take_the_form_that_is_read(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        key = "&{}{}\n UNIT bohr\n FORMAT {}\n FILENAME mine\n &EACH\n  {} 5\n &END\n &END\n"
        motion = "&MOTION\n &PRINT\n {}{}&END\n&END\n"
        md = motion.format(
            key.format("TRAJECTORY", "", "PDB", "MD"), key.format("FORCES", " OFF", "XMOL", "MD")
        )
        text = written(
            tmp_path, labeler(tmp_path, cp2k_input("MD", motion=md)), silicon(), Purpose.AIMD
        )
        assert not re.search("bohr|PDB|mine", text)
        assert text.count("FORMAT XMOL") == 1
        assert text.count("MD 5") == 2
        assert "FORMAT PDB of &TRAJECTORY is left out" in caplog.text
        opt = motion.format(key.format("TRAJECTORY", " LOW", "XYZ", "CELL_OPT"), "")
        text = written(
            tmp_path,
            labeler(tmp_path, cp2k_input("CELL_OPT", motion=opt)),
            silicon(),
            Purpose.RELAX,
        )
        assert "CELL_OPT 5" not in text  # the last step must be there
        assert "&TRAJECTORY ON" in text
        assert "&FORCES ON" in text
        assert "SEED" not in text

    @pytest.mark.parametrize(
        ("kspacing", "numbers"), [(None, "1 1 1"), (0.3, "2 2 2"), (0.16, "4 4 4"), (0.1, "6 6 6")]
    )
    def test_kpoints(self, kspacing: Any, numbers: str, tmp_path: Path) -> None:
        gaussian = gaussian_param(tmp_path / "basis", "Si", kspacing=kspacing)
        made = labeler(tmp_path, cp2k_input("ENERGY_FORCE", GPW), gaussian)
        atoms = bulk("Si", cubic=True, a=10.687)
        assert f"SCHEME MONKHORST-PACK {numbers}\n" in written(tmp_path, made, atoms)

    def test_kpoints_that_are_not_ours(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        gaussian = gaussian_param(tmp_path / "basis", "Si", kspacing=0.2)
        own = cp2k_input("ENERGY_FORCE", GPW + MESH)
        text = written(tmp_path, labeler(tmp_path, own, gaussian), silicon())
        assert text.count("&KPOINTS\n") == 1
        assert "MONKHORST-PACK 2 2 2" in text
        assert "its &KPOINTS count, not gaussian_param.kspacing" in caplog.text
        for method in ("DFTB", "xTB"):
            dftb = cp2k_input("ENERGY_FORCE", DFTB.replace("METHOD DFTB", f"METHOD {method}"))
            text = written(tmp_path, labeler(tmp_path, dftb, gaussian), silicon())
            assert "KPOINTS" not in text
            assert "&KIND" not in text
            text = written(tmp_path, labeler(tmp_path, dftb), silicon())
            assert "BASIS" not in text

    def test_no_kpoints_where_there_can_be_none(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        gaussian = gaussian_param(tmp_path / "basis", "Si")
        transformed = GPW.replace("      MAX_SCF 50\n", "      &OT\n      &END OT\n")
        made = labeler(tmp_path, cp2k_input("ENERGY_FORCE", transformed), gaussian)
        assert "KPOINTS" not in written(tmp_path, made, silicon())
        assert "OT knows no k-points" in caplog.text
        made = labeler(
            tmp_path, cp2k_input("ENERGY_FORCE", transformed.replace("&OT", "&OT F", 1)), gaussian
        )
        assert "KPOINTS" in written(tmp_path, made, silicon())
        for periodic, expected in (("NONE", None), ("XY", "2 2 1"), ("XYZ", "2 2 2")):
            cell = f"    &CELL\n      PERIODIC {periodic}\n    &END CELL\n"
            made = labeler(tmp_path, cp2k_input("ENERGY_FORCE", GPW, cell), gaussian)
            text = written(tmp_path, made, silicon())
            found = re.search(r"MONKHORST-PACK (.*)\n", text)
            assert (found.group(1) if found else None) == expected
            assert f"PERIODIC {periodic}\n" in text

    def test_full_kinds_of_the_user(self, tmp_path: Path) -> None:
        """With the files alone, or with nothing, the kinds of the input count."""
        lists = gaussian_param(tmp_path / "basis", "Si")
        files = GaussianConfig(lists.basis_set_file, lists.potential_file)
        kind = "    &KIND Si\n      BASIS_SET DZVP\n      POTENTIAL GTH\n    &END KIND\n"
        default = kind.replace("KIND Si", "KIND DEFAULT")
        for text, gaussian in (
            (cp2k_input("ENERGY_FORCE", GPW, kind), files),
            (cp2k_input("ENERGY_FORCE", GPW, default), files),
            (cp2k_input("ENERGY_FORCE", NAMED + GPW, kind), None),
        ):
            found = written(tmp_path, labeler(tmp_path, text, gaussian), silicon())
            assert found.count("&KIND ") == 1
            assert "BASIS_SET DZVP\n" in found
            assert ("BASIS_SET_FILE_NAME MY_BASIS" in found) == (gaussian is not None)

    def test_files_beside_the_input_are_linked(self, tmp_path: Path) -> None:
        text = cp2k_input("ENERGY_FORCE", DFTB.replace("DFTB/nonscc", "sets/mine"))
        text += "@INCLUDE 'motion.inc'\n@INCLUDE /of/the/machine.inc\n"
        (tmp_path / "sets" / "mine").mkdir(parents=True)
        (tmp_path / "sets" / "mine" / "nonscc_parameter").write_text("x")
        (tmp_path / "motion.inc").write_text("# nothing of ours\n")
        made = labeler(tmp_path, text)
        before = made.fingerprint(Purpose.SCF)
        found = written(tmp_path, made, silicon())
        assert "@INCLUDE 'motion.inc'\n@INCLUDE /of/the/machine.inc\n" in found
        task = tmp_path / "task"
        assert (task / "sets").samefile(tmp_path / "sets")
        assert (task / "motion.inc").samefile(tmp_path / "motion.inc")
        (tmp_path / "sets" / "mine" / "nonscc_parameter").write_text("y")
        assert made.fingerprint(Purpose.SCF) != before

    def test_command_and_kept_files(self, tmp_path: Path) -> None:
        made = labeler(tmp_path, "")
        assert made.command(Purpose.SCF) == "cp2k.psmp cp2k.inp > dft.log"
        names = ["cp2k.inp", "dft.log", "820coord.xyz", "coord.xyz", "DFT.LOG", "si-RESTART.wfn"]
        assert [made.kept_files(name) for name in names] == [True] * 5 + [False]


NAMED = "    BASIS_SET_FILE_NAME BASIS_MOLOPT\n    POTENTIAL_FILE_NAME GTH_POTENTIALS\n"


@pytest.mark.parametrize(
    ("word", "lengths", "fits"),
    [
        ("CUBIC", (3, 3, 3), True),
        ("CUBIC", (3, 3, 4), False),
        ("TETRAGONAL", (3, 3, 4), True),
        ("ORTHORHOMBIC", (3, 4, 5), True),
        ("ORTHORHOMBIC", (3, -4, 5), False),
        ("HEXAGONAL", (3, 3, 4), False),
        ("NONE", (3, 4, 5), True),
    ],
)
def test_symmetry_of_a_cell(word: str, lengths: tuple[float, ...], fits: bool) -> None:
    cell = np.diag(np.array(lengths, dtype=float))
    assert symmetry_fits(word, cell) is fits
    assert symmetry_fits(word, cell + np.eye(3, k=1)) is (word == "NONE")


def test_a_symmetry_that_the_cell_lacks_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = labeler(tmp_path, cp2k_input("MD", subsys="&CELL\nSYMMETRY CUBIC\n&END\n"))
    assert "SYMMETRY" in written(tmp_path, made, silicon(), Purpose.AIMD)
    assert "SYMMETRY is left out of cells that do not have it" in caplog.text
    skewed = silicon()
    skewed.set_cell(skewed.cell.array + 0.1 * np.eye(3, k=-1))
    assert "SYMMETRY" not in written(tmp_path, made, skewed, Purpose.AIMD)


@st.composite
def structures(draw: st.DrawFn) -> Atoms:
    """Up to 6 elements in any order, cells of every shape and hand, atoms anywhere."""
    elements = draw(st.lists(st.integers(1, 103), min_size=1, max_size=6, unique=True))
    count = draw(st.sampled_from([1, 2, 3, 7, 40, 500]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    cell = rng.normal(0, 5, (3, 3))
    while abs(np.linalg.det(cell)) < 1:
        cell = rng.normal(0, 5, (3, 3))
    numbers = rng.choice(elements, count)
    spread = draw(st.sampled_from([1e-9, 1.0, 1e4]))
    return Atoms(numbers, rng.normal(0, spread, (count, 3)), cell=cell, pbc=True)


@settings(max_examples=60, deadline=None)
@given(structures())
def test_the_codes_own_rules_accept_what_is_written(atoms: Atoms) -> None:
    """Read back by the rules of CP2K's manual alone, nothing of our reader."""
    symbols = list(dict.fromkeys(atoms.get_chemical_symbols()))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        known = sorted(set(symbols) | {"Cm", "H"}, reverse=True)
        gaussian = gaussian_param(folder / "basis", *known)
        made = labeler(folder, cp2k_input("ENERGY_FORCE", GPW), gaussian)
        text = written(folder, made, ordered(atoms))
        lines = [line.split() for line in text.splitlines()]
        assert [words[0] for words in lines].count("&CELL") == 1
        begin = lines.index(["&CELL"])
        cell = np.array([words[1:] for words in lines[begin + 1 : begin + 4]], dtype=float)
        assert [words[0] for words in lines[begin + 1 : begin + 5]] == ["A", "B", "C", "&END"]
        rows = [line.split() for line in (folder / "task" / "coord.xyz").read_text().splitlines()]
        back = Atoms([row[0] for row in rows], [[float(x) for x in row[1:]] for row in rows])
        kinds = [words[1] for words in lines if words[0] == "&KIND"]
        start = [place for place, words in enumerate(lines) if words[0] == "&KIND"]
        blocks = [[" ".join(words) for words in lines[place + 1 : place + 5]] for place in start]
        assert read_task(folder / "task") == Atoms(
            back.numbers, back.positions, cell=cell, pbc=True
        )
    np.testing.assert_array_equal(cell, atoms.cell.array)
    assert kinds == [element for element in known if element in symbols]
    for element, block in zip(kinds, blocks):
        assert block == [
            f"ELEMENT {element}",
            f"BASIS_SET DZVP-{element}",
            f"POTENTIAL GTH-{element}",
            "&END KIND",
        ]
    order = np.argsort(atoms.numbers, kind="stable")
    np.testing.assert_array_equal(back.numbers, atoms.numbers[order])
    np.testing.assert_array_equal(back.positions, atoms.positions[order])
    assert set(back.get_chemical_symbols()) <= set(chemical_symbols)


class TestRefused:
    """What cannot work is said before anything is written."""

    @pytest.mark.parametrize(
        ("before", "after", "purpose", "message"),
        [
            (
                "ENERGY_FORCE",
                "MD",
                Purpose.SCF,
                "&GLOBAL RUN_TYPE: found MD; expected ENERGY_FORCE",
            ),
            ("ENERGY_FORCE", "ENERGY", Purpose.SCF, "found ENERGY; expected ENERGY_FORCE for scf"),
            (
                "",
                "",
                Purpose.AIMD,
                "found ENERGY_FORCE; expected MD or MOLECULAR_DYNAMICS for aimd",
            ),
            ("", "", Purpose.RELAX, "expected GEO_OPT or CELL_OPT for relax"),
            ("&GLOBAL", "&OTHER", Purpose.SCF, "line 5: &END GLOBAL where &END OTHER is due"),
            ("  &DFT\n", "  &DFT\n  &END\n  &DFT\n", Purpose.SCF, "&DFT stands a second time"),
            ("METHOD Quickstep", "METHOD FIST", Purpose.SCF, "found FIST; expected Quickstep"),
            ("ANALYTICAL", "DIAGONAL_ANALYTICAL", Purpose.SCF, "leaves out most of the virial"),
            (
                "&FORCE_EVAL\n",
                "&FORCE_EVAL\n&END\n&FORCE_EVAL\n",
                Purpose.SCF,
                "&FORCE_EVAL: found several",
            ),
            ("&GLOBAL\n", "&EXT_RESTART\n&END\n&GLOBAL\n", Purpose.SCF, "&EXT_RESTART: a restart"),
        ],
    )
    def test_sections(
        self, before: str, after: str, purpose: Purpose, message: str, tmp_path: Path
    ) -> None:
        text = cp2k_input("ENERGY_FORCE").replace(before, after, 1 if before else 0)
        with pytest.raises(InputError, match=f"my cp2k.inp: .*{re.escape(message)}") as raised:
            labeler(tmp_path, text).validate(purpose, SI)
        assert "\n" not in str(raised.value)

    @pytest.mark.parametrize("name", ["GLOBAL", "FORCE_EVAL", "DFT"])
    def test_required_sections(self, name: str, tmp_path: Path) -> None:
        texts = {"GLOBAL": "", "FORCE_EVAL": "&GLOBAL\n&END\n"}
        text = texts.get(name, "&GLOBAL\n&END\n&FORCE_EVAL\n&END\n")
        with pytest.raises(InputError, match=f"&{name}: this section is required"):
            labeler(tmp_path, text).validate(Purpose.SCF, SI)

    def test_what_a_false_condition_leaves_out_does_not_count(self, tmp_path: Path) -> None:
        text = "@SET TASK scf\n" + cp2k_input("ENERGY_FORCE").replace(
            "  RUN_TYPE ENERGY_FORCE\n",
            "@IF $TASK == md\n  RUN_TYPE MD\n@ENDIF\n"
            "@IF $TASK == scf\n  RUN_TYPE ENERGY_FORCE\n@ENDIF\n",
        )
        made = labeler(tmp_path, text)
        made.validate(Purpose.SCF, SI)
        with pytest.raises(InputError, match="found ENERGY_FORCE; expected MD"):
            made.validate(Purpose.AIMD, SI)

    def test_elements_without_basis(self, tmp_path: Path) -> None:
        gaussian = gaussian_param(tmp_path / "basis", "C", "Si")
        made = labeler(tmp_path, cp2k_input("ENERGY_FORCE", GPW), gaussian)
        made.validate(Purpose.SCF, frozenset({"C"}))
        message = r"param.json: DFT.gaussian_param.atom_list: Ge H is missing; found C Si"
        with pytest.raises(InputError, match=message):
            made.validate(Purpose.SCF, frozenset({"C", "H", "Ge"}))

    @pytest.mark.parametrize(
        ("file", "key"), [("MY_BASIS", "basis_set_list"), ("MY_POTENTIAL", "potential_list")]
    )
    def test_names_that_the_file_lacks(self, file: str, key: str, tmp_path: Path) -> None:
        gaussian = gaussian_param(tmp_path / "basis", "C", "Si")
        path = tmp_path / "basis" / file
        path.write_text(path.read_text().replace("-Si", "_Si"))
        made = labeler(tmp_path, cp2k_input("ENERGY_FORCE", GPW), gaussian)
        made.validate(Purpose.SCF, frozenset({"C"}))
        message = rf"DFT.gaussian_param.{key}: {file} has no \S+-Si for Si; did you mean \S+_Si\?"
        with pytest.raises(InputError, match=message):
            made.validate(Purpose.SCF, SI)

    def test_no_basis_at_all(self, tmp_path: Path) -> None:
        kind = "    &KIND Si\n      BASIS_SET DZVP\n      {}\n    &END KIND\n"
        text = cp2k_input("ENERGY_FORCE", NAMED + GPW, kind.format("POTENTIAL GTH"))
        labeler(tmp_path, text).validate(Purpose.SCF, SI)
        message = "param.json: gaussian_param: this key is required for cp2k: my cp2k.inp has "
        for other, why in (
            (cp2k_input("ENERGY_FORCE", NAMED + GPW, kind.format("")), "no full &KIND for Si"),
            (cp2k_input("ENERGY_FORCE", GPW, kind.format("POT GTH")), "no BASIS_SET_FILE_NAME"),
            (text.replace("KIND Si", "KIND O1"), "no full &KIND for Si"),
        ):
            with pytest.raises(InputError, match=message + why):
                labeler(tmp_path, other, key="").validate(Purpose.SCF, SI)
        lists = gaussian_param(tmp_path / "basis", "Si")
        files = GaussianConfig(lists.basis_set_file, lists.potential_file)
        with pytest.raises(InputError, match="&KIND: no BASIS_SET and POTENTIAL for Si"):
            labeler(tmp_path, cp2k_input("ENERGY_FORCE", GPW), files).validate(Purpose.SCF, SI)

    def test_kpoints_with_orbital_transformation(self, tmp_path: Path) -> None:
        gaussian = gaussian_param(tmp_path / "basis", "Si", kspacing=0.2)
        text = cp2k_input("ENERGY_FORCE", GPW.replace("      MAX_SCF 50\n", "&OT\n&END\n"))
        with pytest.raises(InputError, match="&OT: OT knows no k-points, but gaussian_param"):
            labeler(tmp_path, text, gaussian).validate(Purpose.SCF, SI)

    def test_files_that_cannot_come_along(self, tmp_path: Path) -> None:
        (tmp_path / "up.inc").write_text("")
        (tmp_path / "hidden.inc").write_text("! x\n  &Subsys\n  &END\n")
        home = tmp_path / "inputs"
        for line, message in (
            (
                "@INCLUDE ../up.inc\n",
                "line 1: ../up.inc cannot be kept in a task directory; use an abs",
            ),
            ("@INCLUDE hidden.inc\n", "line 1: hidden.inc holds &SUBSYS; put its text into"),
        ):
            made = labeler(home, line + cp2k_input("ENERGY_FORCE"))
            shutil.copy(tmp_path / "hidden.inc", home)
            with pytest.raises(InputError, match=f"@INCLUDE: {message}"):
                made.validate(Purpose.SCF, SI)
        gaussian = gaussian_param(tmp_path / "basis", "Si")
        odd = tmp_path / "basis" / "MY $BASIS"
        gaussian.basis_set_file.rename(odd)
        odd_param = GaussianConfig(odd, gaussian.potential_file, ("Si",), ("DZVP-Si",), ("GTH-Si",))
        with pytest.raises(InputError, match="the name 'MY [$]BASIS' cannot stand in an input"):
            labeler(home, cp2k_input("ENERGY_FORCE", GPW), odd_param).validate(Purpose.SCF, SI)

    def test_what_is_left_out_is_said(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        subsys = "&TOPOLOGY\nCOORD_FILE_NAME a.xyz\n&END\n&VELOCITY\n0 0 0\n&END\n"
        with caplog.at_level(logging.WARNING):
            text = written(
                tmp_path, labeler(tmp_path, cp2k_input("ENERGY_FORCE", subsys=subsys)), silicon()
            )
        assert "COORD_FILE_NAME is left out: atoms come from pwact" in caplog.text
        assert "&VELOCITY is left out" in caplog.text
        assert "a.xyz" not in text
        assert "VELOCITY" not in text


def test_the_fingerprint_is_of_all_that_counts(tmp_path: Path) -> None:
    gaussian = gaussian_param(tmp_path / "basis", "Si")
    text = cp2k_input("ENERGY_FORCE", GPW)
    seen = [labeler(tmp_path, text, gaussian).fingerprint(Purpose.SCF)]
    moved = labeler(tmp_path / "moved", text, gaussian_param(tmp_path / "other", "Si"))
    assert moved.fingerprint(Purpose.SCF) == seen[0]
    seen.append(labeler(tmp_path, text + "\n", gaussian).fingerprint(Purpose.SCF))
    spaced = gaussian_param(tmp_path / "basis", "Si", kspacing=0.3)
    seen.append(labeler(tmp_path, text, spaced).fingerprint(Purpose.SCF))
    named = GaussianConfig(
        gaussian.basis_set_file, gaussian.potential_file, ("Si",), ("DZVP-Si-q4",), ("GTH-Si",)
    )
    seen.append(labeler(tmp_path, text, named).fingerprint(Purpose.SCF))
    gaussian.potential_file.write_text("Si GTH-Si\n  3 3\n")
    seen.append(labeler(tmp_path, text, gaussian).fingerprint(Purpose.SCF))
    assert all(one not in seen[:place] for place, one in enumerate(seen))


@pytest.fixture
def aimd(tmp_path: Path) -> tuple[Cp2kLabeler, Path]:
    """The recorded AIMD as a finished task."""
    made = labeler(tmp_path, cp2k_input("MD", motion=MD))
    written(tmp_path, made, bulk("Si", a=5.43), Purpose.AIMD)
    for path in RECORDED.iterdir():
        shutil.copy(path, tmp_path / "task")
    return made, tmp_path / "task"


UNCONVERGED = " *** WARNING in qs_scf.F:601 :: SCF run NOT converged ***"
ABORT = " * [ABORT]   SCF run NOT converged. To continue the calculation regardless,    *\n"


class TestVerdicts:
    def test_aimd(self, aimd: tuple[Cp2kLabeler, Path]) -> None:
        made, task = aimd
        assert made.check(task, Purpose.AIMD).done
        assert len(made.read_result(task, Purpose.AIMD)) == 6

    def test_an_aimd_that_was_cut_off_keeps_its_steps(self, aimd: tuple[Cp2kLabeler, Path]) -> None:
        made, task = aimd
        content = (task / "dft.log").read_bytes()
        for step, end in enumerate(damage.ends_of(content, b"MD| Step number"), 1):
            damage.put(task / "dft.log", content[:end])
            verdict = made.check(task, Purpose.AIMD)
            assert verdict.outcome is Outcome.INCOMPLETE
            assert "did not come to its end" in verdict.reason
            assert len(made.read_result(task, Purpose.AIMD)) == step + 1
        damage.put(task / "dft.log", content[:2000])
        with pytest.raises(TaskError, match="no step is complete"):
            made.read_result(task, Purpose.AIMD)

    def test_an_aimd_that_gave_up_is_not_tried_again(self, aimd: tuple[Cp2kLabeler, Path]) -> None:
        made, task = aimd
        text = (task / "dft.log").read_text()
        end = text.index(
            "MD| Step number                                                               4"
        )
        (task / "dft.log").write_text(text[:end] + "\n" + ABORT)
        verdict = made.check(task, Purpose.AIMD)
        assert verdict.outcome is Outcome.UNUSABLE
        assert "SCF run NOT converged" in verdict.reason
        assert len(made.read_result(task, Purpose.AIMD)) == 4

    def test_steps_of_an_aimd_that_are_left_out_are_named(
        self, aimd: tuple[Cp2kLabeler, Path], caplog: pytest.LogCaptureFixture
    ) -> None:
        made, task = aimd
        made.read_result(task, Purpose.AIMD)
        assert "left out" not in caplog.text
        (forces,) = task.glob("*-frc-*.xyz")
        lines = forces.read_text().splitlines(keepends=True)
        size = int(lines[0]) + 2
        forces.write_text("".join(lines[: 2 * size] + lines[4 * size :]))  # two of six are gone
        assert len(made.read_result(task, Purpose.AIMD)) == 4
        assert f"{task}: 2 of 6 MD steps are left out, the first is step " in caplog.text

    def test_an_aimd_without_any_converged_step(self, aimd: tuple[Cp2kLabeler, Path]) -> None:
        made, task = aimd
        text = (task / "dft.log").read_text()
        text = text.replace("  *** SCF run converged in     2 steps ***", UNCONVERGED)
        (task / "dft.log").write_text(text)
        assert made.check(task, Purpose.AIMD).outcome is Outcome.UNUSABLE

    def test_nothing_there_yet(self, aimd: tuple[Cp2kLabeler, Path]) -> None:
        made, task = aimd
        (task / "dft.log").unlink()
        for purpose in Purpose:
            verdict = made.check(task, purpose)
            assert verdict.outcome is Outcome.INCOMPLETE
            assert "dft.log: cannot be read" in verdict.reason

    @pytest.mark.parametrize("name", ["cp2k.inp", "coord.xyz", "si-pos-1.xyz"])
    def test_lost_files(self, name: str, aimd: tuple[Cp2kLabeler, Path]) -> None:
        made, task = aimd
        (task / name).write_text("what?\n")
        assert made.check(task, Purpose.AIMD).outcome is Outcome.INCOMPLETE
        (task / name).unlink()
        assert made.check(task, Purpose.AIMD).outcome is Outcome.INCOMPLETE

    def test_relax(self, aimd: tuple[Cp2kLabeler, Path], caplog: pytest.LogCaptureFixture) -> None:
        made, task = aimd
        assert made.check(task, Purpose.RELAX).done
        made.read_result(task, Purpose.RELAX)
        assert caplog.text == ""
        text = (task / "dft.log").read_text()
        (task / "dft.log").write_text(
            text + " *** MAXIMUM NUMBER OF OPTIMIZATION STEPS REACHED ***\n"
        )
        assert made.check(task, Purpose.RELAX).done
        assert caplog.text == ""
        (found,) = made.read_result(task, Purpose.RELAX)
        assert "MAX_ITER ended the relaxation" in caplog.text
        assert len(found) == 2
        (task / "dft.log").write_text(text + " *** exceeded requested execution time:  9 ***\n")
        assert made.check(task, Purpose.RELAX).outcome is Outcome.INCOMPLETE
        (task / "dft.log").write_text(text[: text.index("PROGRAM ENDED")])
        assert made.check(task, Purpose.RELAX).outcome is Outcome.INCOMPLETE
        with pytest.raises(CutOffError):
            made.read_result(task, Purpose.RELAX)

    def test_scf(self, aimd: tuple[Cp2kLabeler, Path]) -> None:
        """One energy with forces, in the structure that was written, to the last digit."""
        made, task = aimd
        log = task / "dft.log"
        text = re.sub(r"(GLOBAL\| Run type +)MD", r"\1ENERGY_FORCE", log.read_text())
        begin = text.index("MD_INI|")
        table = (
            " ATOMIC FORCES in [a.u.]\n\n # Atom   Kind   Element  X  Y  Z\n"
            "   1  1  Si  0.1  0.2  0.3\n   2  1  Si  -0.1  -0.2  -0.3\n"
            " SUM OF ATOMIC FORCES 0 0 0 0\n"
        )
        single = (
            text[:begin] + "\n" + table + text[text.rindex("\n", 0, text.index("PROGRAM ENDED")) :]
        )
        log.write_text(single)
        assert made.check(task, Purpose.SCF).done
        (found,) = made.read_result(task, Purpose.SCF)
        labels = labels_of(found)
        assert labels.energy == pytest.approx(-2.5265621467 * 27.2113838565563, abs=1e-8)
        np.testing.assert_allclose(
            labels.forces[1], np.array([-0.1, -0.2, -0.3]) * 51.42206318571696
        )
        primitive = bulk("Si", a=5.43)
        np.testing.assert_array_equal(found.positions, primitive.positions)
        np.testing.assert_array_equal(found.cell.array, primitive.cell.array)
        assert labels.virial is not None
        printed = re.search(r"STRESS\|      x +(\S+)", single)
        assert printed is not None
        expected = float(printed.group(1)) * primitive.get_volume() / 160.21766208
        assert labels.virial[0, 0] == pytest.approx(expected, rel=1e-12)
        for bad in (
            single.replace("  *** SCF run converged in     2 steps ***", UNCONVERGED),
            ABORT,
        ):
            log.write_text(bad)
            assert made.check(task, Purpose.SCF).outcome is Outcome.UNUSABLE
            with pytest.raises(NotConvergedError):
                made.read_result(task, Purpose.SCF)


@pytest.mark.parametrize(
    ("periodic", "said"),
    [("NONE", True), ("xy", True), ("XYZ", False), ("ZYX", False), ("", False)],
)
def test_open_cells_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, periodic: str, said: bool
) -> None:
    line = f"      PERIODIC {periodic}\n" if periodic else ""
    made = labeler(tmp_path, cp2k_input("MD", subsys=f"    &CELL\n{line}    &END CELL\n"))
    with caplog.at_level(logging.WARNING):
        made.validate(Purpose.AIMD, SI)
    words = f"with PERIODIC {periodic.upper()} labels are those of an open cell"
    assert (words in caplog.text) == said
