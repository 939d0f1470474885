"""Which atom is of which kind, and which moment it begins with, reaches CP2K."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Optional

import numpy as np
import pytest
from ase import Atoms

from pwact.atom_properties import CHARGES, KINDS, MOMENTS, in_words
from pwact.config.labeling import GaussianConfig
from pwact.engines.cp2k.labeler import Cp2kLabeler, read_task
from pwact.engines.labelers import Purpose
from pwact.errors import InputError
from pwact.formats.cp2k_input import Section, read_input
from pwact.formats.frames import ordered
from pwact.formats.labels import labels_of
from pwact.geometry import super_cell
from tests.engines.cp2k_inputs import MD, cp2k_input, gaussian_param, labeler
from tests.requirements import need_program

KIND = "    &KIND {0}\n      ELEMENT {1}\n{2}    &END KIND\n"
PLUS_U = "      &DFT_PLUS_U\n        L 2\n        U_MINUS_J [eV] {0}\n      &END DFT_PLUS_U\n"
UP_DOWN = (
    KIND.format("Fe1", "Fe", "      MAGNETIZATION 4\n" + PLUS_U.format(4))
    + KIND.format("Fe2", "Fe", "      MAGNETIZATION -4\n" + PLUS_U.format(2))
    + KIND.format("O", "O", "")
)
UKS = "    UKS\n"


def oxide(tags: Optional[list[int]] = None) -> Atoms:
    """Iron first, as users have it; two kinds of it."""
    atoms = Atoms(
        "FeOFeO",
        cell=[3.0, 3.1, 4.2],
        pbc=True,
        scaled_positions=[[0, 0, 0], [0.5, 0, 0], [0.5, 0.5, 0.5], [0, 0.5, 0.5]],
    )
    if tags is not None:
        atoms.set_array(KINDS, np.array(tags))
    return atoms


def made_with(folder: Path, subsys: str, dft: str = UKS) -> Cp2kLabeler:
    gaussian = gaussian_param(folder, "O", "Fe")
    return labeler(folder, cp2k_input("ENERGY_FORCE", dft, subsys), gaussian)


def written(made: Cp2kLabeler, atoms: Atoms, folder: Path) -> tuple[list[str], dict[str, Section]]:
    """Kind of each atom and kinds by name, as CP2K gets them."""
    folder.mkdir()
    made.write_input(folder, ordered(atoms), Purpose.SCF, 1)
    rows = [line.split()[0] for line in (folder / "coord.xyz").read_text().splitlines()]
    subsys = read_input(folder / "cp2k.inp").section("FORCE_EVAL", "SUBSYS")
    assert subsys is not None
    task = read_task(folder)
    assert task.get_chemical_symbols() == ordered(atoms).get_chemical_symbols()
    return rows, {one.parameter: one for one in subsys.sections("KIND")}


def test_tags_are_kinds(tmp_path: Path) -> None:
    made = made_with(tmp_path, UP_DOWN)
    atoms = super_cell(made.assign(oxide([1, 0, 2, 0])), (2, 1, 1))
    rows, kinds = written(made, atoms, tmp_path / "task")
    assert rows == ["O", "O", "O", "O", "Fe1", "Fe2", "Fe1", "Fe2"]
    assert [kinds[name].value("MAGNETIZATION") for name in ("Fe1", "Fe2", "O")] == ["4", "-4", ""]
    assert [kinds[name].value("BASIS_SET") for name in ("Fe1", "O")] == ["DZVP-FE", "DZVP-O"]
    found = kinds["Fe2"].section("DFT_PLUS_U")
    assert found is not None
    assert found.value("U_MINUS_J") == "[EV] 2"


def test_the_coordinates_of_the_input_say_the_kinds(tmp_path: Path) -> None:
    coord = "    &COORD\n      Fe2 0 0 0\n      O 0 0 1\n      FE1 1 0 0\n      O 0 1 0\n    &END\n"
    made = made_with(tmp_path, coord + UP_DOWN)
    rows, _ = written(made, made.assign(oxide()), tmp_path / "task")
    assert rows == ["O", "O", "Fe2", "Fe1"]
    assert in_words(made.assign(oxide())) == (
        "Fe (1 atom): KIND Fe2; O (2 atoms): KIND O; Fe (1 atom): KIND Fe1"
    )


def test_the_only_kind_of_an_element_is_that_of_all_its_atoms(tmp_path: Path) -> None:
    made = made_with(tmp_path, KIND.format("Fe1", "Fe", "      MAGNETIZATION 4\n"))
    rows, kinds = written(made, made.assign(oxide()), tmp_path / "task")
    assert rows == ["O", "O", "Fe1", "Fe1"]
    assert kinds["Fe1"].value("MAGNETIZATION") == "4"


def test_tags_without_kinds_say_nothing(tmp_path: Path) -> None:
    """ASE's surfaces have the number of the layer as tag."""
    made = made_with(tmp_path, KIND.format("Fe", "Fe", ""))
    assert written(made, made.assign(oxide([1, 2, 3, 4])), tmp_path / "task")[0] == [
        *("O", "O", "Fe", "Fe")
    ]


def test_moments_of_the_structure_make_kinds(tmp_path: Path) -> None:
    made = made_with(tmp_path, KIND.format("Fe", "Fe", PLUS_U.format(4)))
    atoms = oxide()
    atoms.set_array(MOMENTS, np.array([4.0, 0.0, -4.0, 0.0]))
    rows, kinds = written(made, made.assign(atoms), tmp_path / "task")
    assert rows == ["O", "O", "Fe_m1", "Fe_m2"]
    for name, moment in (("Fe_m1", "4.0"), ("Fe_m2", "-4.0")):
        assert kinds[name].value("MAGNETIZATION") == moment
        assert kinds[name].value("ELEMENT") == "FE"
        assert kinds[name].value("POTENTIAL") == "GTH-FE"
        assert kinds[name].sections("DFT_PLUS_U")
    assert kinds["O"].value("MAGNETIZATION") == ""


def test_kinds_of_the_input_are_copied_where_moments_split_them(tmp_path: Path) -> None:
    """Without lists of basis sets the whole kind is the user's."""
    text = "      BASIS_SET DZVP\n      POTENTIAL GTH\n"
    names = "    BASIS_SET_FILE_NAME B\n    POTENTIAL_FILE_NAME P\n"
    subsys = KIND.format("Fe", "Fe", text) + KIND.format("O", "O", text)
    made = labeler(tmp_path, cp2k_input("ENERGY_FORCE", UKS + names, subsys))
    atoms = oxide()
    atoms.set_array(MOMENTS, np.array([4.0, 0.0, -4.0, 0.0]))
    rows, kinds = written(made, made.assign(atoms), tmp_path / "task")
    assert rows[2:] == ["Fe_m1", "Fe_m2"]
    assert kinds["Fe_m2"].value("BASIS_SET") == "DZVP"
    assert kinds["Fe_m2"].value("MAGNETIZATION") == "-4.0"


def test_all_kinds_of_an_element_must_be_full(tmp_path: Path) -> None:
    full = "      BASIS_SET DZVP\n      POTENTIAL GTH\n"
    names = "    BASIS_SET_FILE_NAME B\n    POTENTIAL_FILE_NAME P\n"
    subsys = KIND.format("Fe1", "Fe", full) + KIND.format("Fe2", "Fe", "{0}")
    for text, whole in ((full, True), ("", False)):
        made = labeler(tmp_path, cp2k_input("ENERGY_FORCE", names, subsys.format(text)))
        if whole:
            made.validate(Purpose.SCF, frozenset({"Fe"}))
            continue
        with pytest.raises(InputError, match="no full &KIND for Fe"):
            made.validate(Purpose.SCF, frozenset({"Fe"}))


@pytest.mark.parametrize(
    ("subsys", "tags", "words"),
    [
        (
            UP_DOWN,
            None,
            "the structure does not say which Fe is of which kind; give its atoms tags",
        ),
        (
            UP_DOWN,
            [1, 0, 3, 0],
            "there is no &KIND Fe3 for an atom of the structure; found Fe1 Fe2",
        ),
        (KIND.format("Fe1", "Fe", "") + KIND.format("Fe", "Fe", ""), None, "which Fe is of which"),
    ],
)
def test_kinds_that_nobody_knows_are_refused(
    tmp_path: Path, subsys: str, tags: Optional[list[int]], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        made_with(tmp_path, subsys).assign(oxide(tags))


@pytest.mark.parametrize(
    ("name", "values", "dft", "words"),
    [
        (MOMENTS, [4.0, 0, -4.0, 0], "", "UKS is off"),
        (MOMENTS, [4.0, 0, -4.0, 0], "    UKS F\n", "UKS is off"),
        (MOMENTS, [[4.0, 0, 0]] * 4, UKS, "moments up and down"),
        (MOMENTS, [4.0, 0, 3.0, 0], UKS, "found 4, and 3 in the structure; give the moments once"),
        (CHARGES, [1.0, 0, -1.0, 0], UKS, "it has charges, which the input of CP2K cannot say"),
    ],
)
def test_what_cp2k_would_not_use_is_refused(
    tmp_path: Path, name: str, values: list[object], dft: str, words: str
) -> None:
    atoms = oxide()
    atoms.set_array(name, np.array(values, dtype=float))
    kind = KIND.format("Fe", "Fe", "      MAGNETIZATION 4\n")
    with pytest.raises(InputError, match=words):
        made_with(tmp_path, kind, dft).assign(atoms)


def test_totals_count_for_the_super_cell(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = made_with(tmp_path, "", UKS + "    CHARGE 1\n    MULTIPLICITY 2\n")
    made.assign(oxide())
    assert not caplog.text
    made.assign(oxide(), 2)
    for words in ("CHARGE = 1", "MULTIPLICITY = 2"):
        assert f"{words} counts for the whole super cell of 8 atoms" in caplog.text


LDA = """\
    UKS
    &MGRID
      CUTOFF 200
      REL_CUTOFF 40
    &END MGRID
    &SCF
      SCF_GUESS ATOMIC
      EPS_SCF 1.0E-7
      MAX_SCF 60
      &OT
        MINIMIZER DIIS
        PRECONDITIONER FULL_ALL
      &END OT
    &END SCF
    &XC
      &XC_FUNCTIONAL PADE
      &END XC_FUNCTIONAL
    &END XC
"""


def computed(
    folder: Path, moments: Optional[list[float]], shift: float = 0.0, md: bool = False
) -> Atoms:
    """Two far hydrogen atoms, computed by the real CP2K."""
    need_program("cp2k.psmp")
    data = Path("/usr/share/cp2k")
    names = (("H",), ("SZV-GTH-PADE",), ("GTH-PADE-q1",))
    gaussian = GaussianConfig(data / "BASIS_SET", data / "GTH_POTENTIALS", *names)
    kind, motion, purpose = "ENERGY_FORCE", "", Purpose.SCF
    if md:
        kind, motion, purpose = "MD", MD.replace("STEPS 3", "STEPS 1"), Purpose.AIMD
    made = labeler(folder, cp2k_input(kind, LDA, motion=motion), gaussian)
    atoms = Atoms("H2", [[0.5] * 3, [0.5, 0.5, 2.9 + shift]], cell=[5.0, 5.0, 6.0], pbc=True)
    if moments is not None:
        atoms.set_initial_magnetic_moments(moments)
    task = folder / "task"
    task.mkdir()
    made.write_input(task, made.assign(atoms), purpose, 1)
    words = ["bash", "-c", made.command(purpose)]
    subprocess.run(words, cwd=task, check=False, capture_output=True)
    verdict = made.check(task, purpose)
    assert verdict.done, verdict.reason
    return made.read_result(task, purpose)[-1]


@pytest.mark.slow
def test_a_broken_symmetry_is_found_and_its_forces_are_right(tmp_path: Path) -> None:
    """H2 that is pulled apart: up and down is far below the state without moments."""
    labels = labels_of(computed(tmp_path / "afm", [1.0, -1.0]))
    assert labels.energy < labels_of(computed(tmp_path / "none", None)).energy - 0.3
    step = 0.02
    up, down = (
        labels_of(computed(tmp_path / f"{sign}", [1.0, -1.0], sign * step)).energy
        for sign in (1, -1)
    )
    assert labels.forces[1, 2] == pytest.approx(-(up - down) / (2 * step), abs=0.02)
    assert abs(labels.forces[1, 2]) > 0.1


@pytest.mark.slow
def test_the_trajectory_of_kinds_is_read(tmp_path: Path) -> None:
    last = computed(tmp_path / "md", [1.0, -1.0], md=True)
    assert last.get_chemical_symbols() == ["H", "H"]
