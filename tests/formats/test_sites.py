"""What ASE passes over or decides in files of crystal structures: refused."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import ase.io
import pytest
from ase import Atoms
from ase.build import bulk

from pwact.errors import InputError
from pwact.formats.structures import read_structure

CIF = """data_made
_cell_length_a {a}
_cell_length_b {a}
_cell_length_c {c}
_cell_angle_alpha {angles[0]}
_cell_angle_beta {angles[1]}
_cell_angle_gamma {angles[2]}
{symmetry}
loop_
_atom_site_label
{column}
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
{sites}
"""
RIGHT, HEXAGONAL, OBLIQUE = (90, 90, 90), (90, 90, 120), (90, 105, 90)
GROUP = "_symmetry_Int_Tables_number {}"
NAMED = "_symmetry_space_group_name_H-M '{}'"
SECOND = "_symmetry_space_group_setting 2"
LISTED = f"{GROUP}\nloop_\n_symmetry_equiv_pos_as_xyz\n'x,y,z'"
PDB = """CRYST1   12.000   12.000   12.000  90.00  90.00  90.00 P 1           1
ATOM      1  N   ALA A   1      11.104   6.134  -6.504  1.00  0.00           N
HETATM    2  O   HOH A   1      11.639   6.071  -5.147  1.00  0.00           O
END
"""
RES = """TITL made
CELL 0.71 4 4 4 90 90 90
LATT -1
SFAC Cu Zn
Cu 1 0 0 0 1.0
Zn 2 0.5 0.5 0.5 11.0
END
"""


def cif(symmetry: str, sites: str, angles: tuple[int, ...] = RIGHT, c: float = 4.0) -> str:
    column = "_atom_site_type_symbol" if len(sites.splitlines()[0].split()) == 5 else ""
    return CIF.format(a=4.0, c=c, angles=angles, symmetry=symmetry, column=column, sites=sites)


@pytest.mark.parametrize(
    ("text", "formula"),
    [
        (cif("", "Fe1 0 0 0\nO1 0.5 0.5 0.5"), "FeO"),
        (cif("", "CA1 C 0 0 0\nFE1 Fe3+ 0.5 0.5 0.5"), "CFe"),
        (cif("", "OW1 0 0 0\nH1A 0.2 0 0\nH1B 0 0.2 0"), "OH2"),  # W alone is an element
        (cif(GROUP.format(225), "Cu1 0 0 0"), "Cu4"),
        (cif(GROUP.format(166), "Bi1 0 0 0.2", HEXAGONAL, 11.0), "Bi6"),
        (cif(LISTED.format(227), "Si1 0.125 0.125 0.125"), "Si"),
        (cif(f"{GROUP.format(227)}\n{SECOND}", "Si1 0.125 0.125 0.125"), "Si8"),
        (cif(GROUP.format(62), "Fe1 0.1 0.25 0.3"), "Fe4"),
    ],
)
def test_structures_that_are_certain(tmp_path: Path, text: str, formula: str) -> None:
    path = tmp_path / "a.cif"
    path.write_text(text)
    assert read_structure(path, "cif").get_chemical_formula("reduce") == formula


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (cif("", "FE1 0 0 0\nO1 0.5 0.5 0.5"), "FE1 may be Fe or F;"),
        (cif("", "A1 CO 0 0 0"), "CO may be Co or C;"),
        (cif(GROUP.format(166), "Bi1 0.2 0.2 0.2", (60, 60, 60)), r"166 \(R -3 m, setting 1\)"),
        (cif(GROUP.format(221), "Po1 0 0 0", c=5.0), "the cell has not the symmetry"),
        (cif(GROUP.format(227), "Si1 0.125 0.125 0.125"), "two choices of its origin or axes"),
        (cif(GROUP.format(227), "Si1 0 0 0"), "two choices of its origin or axes"),
    ],
)
def test_structures_that_are_not(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "a.cif"
    path.write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        read_structure(path, "cif")
    assert caught.value.file == path


# Symbol, number, angles; the images of (0.1, 0.2, 0.3) by hand from International Tables, or none.
SYMBOLS: list[tuple[str, Optional[int], tuple[int, ...], str]] = [
    ("P 21/c", None, OBLIQUE, "x,y,z -x,-y,-z -x,1/2+y,1/2-z x,1/2-y,1/2+z"),
    ("P 21/c", 14, OBLIQUE, "x,y,z -x,-y,-z -x,1/2+y,1/2-z x,1/2-y,1/2+z"),
    ("P_1_21/c_1", 14, RIGHT, "x,y,z -x,-y,-z -x,1/2+y,1/2-z x,1/2-y,1/2+z"),
    ("C 2", None, OBLIQUE, "x,y,z -x,y,-z 1/2+x,1/2+y,z 1/2-x,1/2+y,-z"),
    ("P 2/m", 10, OBLIQUE, "x,y,z -x,-y,-z -x,y,-z x,-y,z"),
    ("P 1 2/m 1", 10, RIGHT, "x,y,z -x,-y,-z -x,y,-z x,-y,z"),
    ("A b m 2", 39, RIGHT, "x,y,z -x,-y,z x,1/2-y,z -x,1/2+y,z "
     "x,1/2+y,1/2+z -x,1/2-y,1/2+z x,-y,1/2+z -x,y,1/2+z"),
    ("P 21/n", 14, OBLIQUE, ""),
    ("P 1 21/n 1", 14, OBLIQUE, ""),
    ("P 21/n", None, OBLIQUE, ""),
    ("P 21/a", 14, OBLIQUE, ""),
    ("I 2/m", 12, OBLIQUE, ""),
    ("C 2/m", 14, OBLIQUE, ""),
    ("P 2/m", 10, RIGHT, ""),
    ("P b n m", 62, RIGHT, ""),
    ("P n m a :2", 62, RIGHT, ""),
    ("F d -3 m :2", 227, RIGHT, ""),
    ("F d 3 m", 227, RIGHT, ""),
]  # fmt: skip


def image(operation: str) -> tuple[float, ...]:
    """One of the images of (0.1, 0.2, 0.3), within the cell."""
    rows = []
    for row in operation.split(","):
        value = {"x": 0.1, "y": 0.2, "z": 0.3}[row.strip("+-/12")]
        rows.append(("1/2" in row) * 0.5 + (-value if "-" in row else value))
    return tuple(round(row % 1.0, 6) for row in rows)


@pytest.mark.parametrize(("symbol", "number", "angles", "operations"), SYMBOLS)
def test_a_symbol_says_which_operations_are_meant(
    tmp_path: Path, symbol: str, number: Optional[int], angles: tuple[int, ...], operations: str
) -> None:
    numbered = "" if number is None else GROUP.format(number)
    path = tmp_path / "a.cif"
    path.write_text(cif(f"{NAMED.format(symbol)}\n{numbered}", "Si1 0.1 0.2 0.3", angles))
    if operations:
        found = read_structure(path, "cif").get_scaled_positions().round(6) % 1.0
        assert set(map(tuple, found.tolist())) == set(map(image, operations.split()))
        return
    with pytest.raises(InputError, match="list the operations in a loop of _space_group_symop"):
        read_structure(path, "cif")


@pytest.mark.parametrize("symbol", ["F d -3 m :1", "Fd-3m:1", "F d 3 m:1", "?"])
def test_a_symbol_with_the_choice_of_its_origin(tmp_path: Path, symbol: str) -> None:
    path = tmp_path / "a.cif"
    text = cif(f"{NAMED.format(symbol)}\n{GROUP.format(227)}", "Si1 0 0 0")
    path.write_text(text)
    if symbol == "?":
        with pytest.raises(InputError, match="two choices of its origin or axes"):
            read_structure(path, "cif")
        return
    assert len(read_structure(path, "cif")) == 8


@pytest.mark.parametrize(
    ("name", "text", "old", "new", "words"),
    [
        ("proteindatabank", PDB, "-5.147  1.00", "-5.147  0.50", r"occupancy \(0.50\)"),
        ("proteindatabank", PDB, "12.000   12.000   12.000", " 1.000    1.000    1.000", "no cell"),
        ("res", RES, "11.0\n", "10.5\n", r"site Zn has a partial occupancy \(10.5\)"),
        ("res", RES, "LATT -1", "LATT 1", "LATT 1 makes more atoms"),
        ("res", RES, "SFAC", "SYMM -x, y, -z\nSFAC", "SYMM -x, y, -z makes more atoms"),
    ],
)
def test_other_files_that_ase_reads_in_part(
    tmp_path: Path, name: str, text: str, old: str, new: str, words: str
) -> None:
    path = tmp_path / "made"
    path.write_text(text)
    assert len(read_structure(path, name)) == 2
    path.write_text(text.replace(old, new))
    assert path.read_text() != text
    with pytest.raises(InputError, match=words):
        read_structure(path, name)


@pytest.mark.parametrize("made", [bulk("Si"), bulk("Ti"), bulk("Cu", cubic=True)], ids=str)
def test_what_ase_writes_is_certain(tmp_path: Path, made: Atoms) -> None:
    path = tmp_path / "a.cif"
    ase.io.write(path, made)
    assert read_structure(path, "cif").get_chemical_formula() == made.get_chemical_formula()
