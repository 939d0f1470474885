"""Lists of an INCAR follow the atoms, in whatever order these are written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from pwact.atom_properties import CHARGES, GROUPS, MOMENTS, in_words
from pwact.engines.labelers import Purpose
from pwact.engines.vasp.incar import read_incar, with_lists
from pwact.engines.vasp.labeler import VaspLabeler
from pwact.errors import InputError
from pwact.fingerprint import without_defaults
from pwact.formats.frames import ordered
from pwact.formats.poscar import read_poscar
from pwact.formats.structures import read_structure
from pwact.geometry import super_cell
from tests.engines.vasp_helpers import vasp

OXIDE = """FeO
1.0
3.0 0 0
0 3.1 0
0 0 4.2
{symbols}
{counts}
Direct
0 0 0
0.5 0.5 0.5
0.5 0 0
0 0.5 0.5
"""
U = "LDAU = .TRUE.\nLDAUL = 2 -1\nLDAUU = 5.3 0.0\nLDAUJ = 0 0\n"


def labeler(folder: Path, incar: str) -> VaspLabeler:
    return vasp(folder, f"EDIFF = 1E-6\nISPIN = 2\n{incar}", ("Fe_pv", "O"))


def oxide(folder: Path, symbols: str = "Fe O", counts: str = "2 2") -> Atoms:
    path = folder / "oxide.poscar"
    path.write_text(OXIDE.format(symbols=symbols, counts=counts))
    return read_structure(path, "vasp/poscar")


def written(made: VaspLabeler, atoms: Atoms, folder: Path) -> tuple[Atoms, dict[str, list[str]]]:
    """The structure and the lists that VASP gets, with the words of each list."""
    folder.mkdir(parents=True)
    made.write_input(folder, ordered(atoms), Purpose.SCF, seed=1)
    incar = read_incar(folder / "INCAR")
    lists = ("MAGMOM", "LDAUL", "LDAUU", "LDAUJ", "M_CONSTR", "ROPT")
    return read_poscar(folder / "POSCAR"), {
        key: incar.words(key) for key in lists if key in incar.values
    }


def test_values_stay_with_their_elements(tmp_path: Path) -> None:
    made = labeler(tmp_path, U + "MAGMOM = 4.0 -4.0 2*0.6\n")
    assigned = made.assign(oxide(tmp_path))
    atoms, lists = written(made, assigned, tmp_path / "task")
    assert atoms.get_chemical_symbols() == ["O", "O", "Fe", "Fe"]
    assert lists == {
        "MAGMOM": ["0.6", "0.6", "4", "-4"],
        "LDAUL": ["-1", "2"],
        "LDAUU": ["0.0", "5.3"],
        "LDAUJ": ["0", "0"],
    }
    assert in_words(assigned).startswith(
        "Fe (1 atom): magnetic moment 4, LDAUJ 0, LDAUL 2, LDAUU 5.3"
    )


def test_a_super_cell_repeats_the_moments_with_the_atoms(tmp_path: Path) -> None:
    made = labeler(tmp_path, "MAGMOM = 4.0 -4.0 0.6 0.5\n")
    large = super_cell(made.assign(oxide(tmp_path), 2), (1, 2, 1))
    atoms, lists = written(made, large, tmp_path / "task")
    moment = dict(zip([(0, 0), (1, 1), (1, 0), (0, 1)], ["4", "-4", "0.6", "0.5"]))
    for place, word in zip(atoms.get_scaled_positions(), lists["MAGMOM"]):
        corner = (round(2 * place[0]) % 2, round(4 * place[1]) % 2)
        assert word == moment[corner]


def test_moments_of_the_super_cell_by_blocks(tmp_path: Path) -> None:
    made = labeler(tmp_path, "MAGMOM = 4*4.0 4*0.6\n")
    large = super_cell(made.assign(oxide(tmp_path), 2), (2, 1, 1))
    assert written(made, large, tmp_path / "task")[1]["MAGMOM"] == ["0.6"] * 4 + ["4"] * 4


def test_a_long_list_of_one_value_fits_every_structure(tmp_path: Path) -> None:
    made = labeler(tmp_path, "MAGMOM = 300*1.5\n")
    large = super_cell(made.assign(oxide(tmp_path), 2), (2, 1, 1))
    assert written(made, large, tmp_path / "task")[1]["MAGMOM"] == ["1.5"] * 8
    with pytest.raises(InputError, match="has 3 values"):
        labeler(tmp_path, "MAGMOM = 3*1.5\n").assign(oxide(tmp_path))


def test_two_entries_of_one_element_are_two_species(tmp_path: Path) -> None:
    """As users write antiferromagnets, or U for one site only."""
    made = labeler(tmp_path, "LDAU = T\nLDAUL = 2 -1 2\nLDAUU = 5.3 0 3\nLDAUJ = 3*0\n")
    atoms = oxide(tmp_path, "Fe O Fe", "1 2 1")
    atoms, lists = written(made, made.assign(atoms), tmp_path / "task")
    assert (tmp_path / "task" / "POSCAR").read_text().splitlines()[5:7] == ["O Fe Fe", "2 1 1"]
    assert lists["LDAUU"] == ["0", "5.3", "3"]
    assert (tmp_path / "task" / "POTCAR").read_text().count("End of Dataset") == 3


def test_lists_of_a_structure_without_entries_go_by_first_appearance(tmp_path: Path) -> None:
    made = labeler(tmp_path, U)
    atoms = oxide(tmp_path)[[0, 2, 1, 3]]
    del atoms.arrays[GROUPS]
    assert written(made, made.assign(atoms), tmp_path / "task")[1]["LDAUU"] == ["0.0", "5.3"]


def test_vectors(tmp_path: Path) -> None:
    made = labeler(tmp_path, "LSORBIT = T\nMAGMOM = 4 0 0 0 4 0 6*0\nM_CONSTR = 1 0 0 0 1 0 6*0\n")
    _, lists = written(made, made.assign(oxide(tmp_path)), tmp_path / "task")
    assert lists["MAGMOM"] == ["0"] * 6 + ["4", "0", "0", "0", "4", "0"]
    assert lists["M_CONSTR"] == ["0"] * 6 + ["1", "0", "0", "0", "1", "0"]


def test_moments_of_the_structure_file(tmp_path: Path) -> None:
    atoms = oxide(tmp_path)
    atoms.set_array(MOMENTS, np.array([4.0, -4.0, 0.0, 0.0]))
    made = labeler(tmp_path, "")
    assert written(made, made.assign(atoms), tmp_path / "a")[1] == {"MAGMOM": ["0", "0", "4", "-4"]}
    tilted = labeler(tmp_path, "LNONCOLLINEAR = T\n")
    lists = written(tilted, tilted.assign(atoms), tmp_path / "b")[1]
    assert lists["MAGMOM"] == ["0"] * 8 + ["4", "0", "0", "-4"]


def test_moments_that_are_all_zero_keep_their_number(tmp_path: Path) -> None:
    made = labeler(tmp_path, "MAGMOM = 4*0\n")
    large = super_cell(made.assign(oxide(tmp_path), 2), (2, 1, 1))
    assert written(made, large, tmp_path / "task")[1]["MAGMOM"] == ["0"] * 8


def test_what_has_no_effect_stays_as_it_is(tmp_path: Path) -> None:
    text = "LDAUU = 1 2 3 4 # off\nMAGMOM = 7*1\n"
    made = vasp(tmp_path, text, ("Fe_pv", "O"), kspacing=None)
    (tmp_path / "task").mkdir()
    made.write_input(tmp_path / "task", made.assign(oxide(tmp_path)), Purpose.SCF, seed=1)
    assert (tmp_path / "task" / "INCAR").read_text() == text


@pytest.mark.parametrize(
    ("incar", "key", "words"),
    [
        (U.replace("2 -1", "2 -1 -1"), "LDAUL", "has 3 values; the structure Fe2O2 has 2 species"),
        ("ROPT = 1E-3\n", "ROPT", "has 1 values; the structure Fe2O2 has 2 species: Fe O"),
        ("MAGMOM = 3*4 0.6 1\n", "MAGMOM", "has 5 values; the structure Fe2O2 needs 4"),
        ("MAGMOM = 5*4 3*0.6\n", "MAGMOM", "give those of the structure file, they are repeated"),
        ("LSORBIT = T\nMAGMOM = 4*1\n", "MAGMOM", "has 4 values; the structure Fe2O2 needs 12"),
        ("MAGMOM = 4 four 0 0\n", "MAGMOM", "found 'four'; expected a number"),
        ("NSUBSYS = 2 4\n", "NSUBSYS", "counts in the order of a POSCAR"),
    ],
)
def test_lists_that_do_not_fit_are_refused(
    tmp_path: Path, incar: str, key: str, words: str
) -> None:
    with pytest.raises(InputError, match=words) as caught:
        labeler(tmp_path, incar).assign(oxide(tmp_path), 2)
    assert caught.value.key == key


@pytest.mark.parametrize(
    ("incar", "name", "values", "words"),
    [
        ("MAGMOM = 4 4 0 0\n", MOMENTS, [4.0, -4.0, 0.0, 0.0], "give the moments once"),
        ("", MOMENTS, [[4.0, 0.0, 0.0]] * 4, "need LNONCOLLINEAR"),
        ("", CHARGES, [1.0, 1.0, -1.0, -1.0], "it has charges, which the input of VASP cannot say"),
    ],
)
def test_what_vasp_cannot_be_given_is_refused(
    tmp_path: Path, incar: str, name: str, values: Any, words: str
) -> None:
    atoms = oxide(tmp_path)
    atoms.set_array(name, np.array(values))
    with pytest.raises(InputError, match=words):
        labeler(tmp_path, incar).assign(atoms)


def test_moments_without_spins_are_refused(tmp_path: Path) -> None:
    atoms = oxide(tmp_path)
    atoms.set_array(MOMENTS, np.array([4.0, -4.0, 0.0, 0.0]))
    with pytest.raises(InputError, match="ISPIN is not 2"):
        vasp(tmp_path, "", ("Fe_pv", "O")).assign(atoms)


def test_other_statements_of_a_line_stay() -> None:
    text = "A = 1 ; LDAUU = 1 2; B=2 # c\nMAGMOM = 1 \\\n 2 3\nSYSTEM = x\nmagmom = 9\n"
    assert with_lists(text, {"LDAUU": "2 1", "MAGMOM": "3*0", "ROPT": "1"}) == (
        "# A = 1 ; LDAUU = 1 2; B=2 # c\n A = 1\n B=2\n LDAUU = 2 1\n"
        "# MAGMOM = 1 \\\n#  2 3\n MAGMOM = 3*0\nSYSTEM = x\n# magmom = 9\n ROPT = 1\n"
    )


@pytest.mark.parametrize(
    ("electrons", "said", "refused"),
    [("4", "", False), ("3.5", "a charge of +0.5 e", False), ("5", "a charge of -1 e", False)]
    + [("8", "", True), ("1", "", True)],
)
def test_the_number_of_electrons(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, electrons: str, said: str, refused: bool
) -> None:
    """The POTCARs of these tests have one electron each."""
    made = labeler(tmp_path, f"NELECT = {electrons}\n")
    if refused:
        with pytest.raises(InputError, match="the 4 atoms have 4 valence electrons"):
            made.assign(oxide(tmp_path))
        return
    made.assign(oxide(tmp_path))
    assert said in caplog.text
    assert bool(caplog.text) == bool(said)


def test_the_number_of_electrons_of_a_super_cell(tmp_path: Path) -> None:
    labeler(tmp_path, "NELECT = 8\n").assign(oxide(tmp_path), 2)
    with pytest.raises(InputError, match="the 8 atoms have 8 valence electrons"):
        labeler(tmp_path, "NELECT = 4\n").assign(oxide(tmp_path), 2)


def test_a_total_moment_counts_for_the_super_cell(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = labeler(tmp_path, "NUPDOWN = 2\n")
    made.assign(oxide(tmp_path))
    assert not caplog.text
    for _ in range(2):
        made.assign(oxide(tmp_path), 3)
    assert caplog.text.count("NUPDOWN = 2 counts for the whole super cell of 12 atoms") == 1


def test_species_of_the_json_file_order_the_lists(tmp_path: Path) -> None:
    """As for many structures, of which some lack an element, or list it elsewhere."""
    made = labeler(tmp_path, "LDAU = T\nLDAUL = -1 2 2\nLDAUU = 0 4 5.3\nLDAUJ = 3*0\n")
    made.input = replace(made.input, species=("O", "Co", "Fe"))
    for number, symbols in enumerate(("Fe O", "O Fe")):
        atoms = oxide(tmp_path, symbols)
        lists = written(made, made.assign(atoms), tmp_path / f"task {number}")[1]
        assert lists["LDAUU"] == ["0", "5.3"]
        assert lists["LDAUL"] == ["-1", "2"]
    with pytest.raises(InputError, match="LDAUL: has no value for S; species has O Co Fe"):
        made.assign(oxide(tmp_path, "Fe S"))
    made.input = replace(made.input, species=("O", "Fe"))
    with pytest.raises(InputError, match="has 3 values; species has 2 elements: O Fe"):
        made.assign(oxide(tmp_path))


def test_species_are_no_change_where_there_are_none(tmp_path: Path) -> None:
    made = labeler(tmp_path, "")
    assert "species" not in without_defaults(made.fingerprint(Purpose.SCF))
    made.input = replace(made.input, species=("O", "Fe"))
    assert without_defaults(made.fingerprint(Purpose.SCF))["species"] == ["O", "Fe"]
