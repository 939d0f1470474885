from __future__ import annotations

from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from pwact.errors import InputError, TaskError
from pwact.formats.lammps_data import STYLES, atom_count, read_lammps_data, write_lammps_data

TYPES = ["Cu", "Au", "Ag"]


def assert_same_up_to_rotation(found: Atoms, expected: Atoms) -> None:
    assert found.get_chemical_symbols() == expected.get_chemical_symbols()
    np.testing.assert_allclose(found.cell.cellpar(), expected.cell.cellpar(), atol=1e-10)
    np.testing.assert_allclose(
        found.get_all_distances(), expected.get_all_distances(), rtol=0, atol=1e-11
    )
    np.testing.assert_allclose(
        found.cell.scaled_positions(found.positions),
        expected.cell.scaled_positions(expected.positions),
        atol=1e-11,
    )


def test_round_trip_and_ase(tmp_path: Path, frames: list[Atoms]) -> None:
    path = tmp_path / "lmp.config"
    for atoms in frames:
        write_lammps_data(path, atoms, TYPES)
        assert_same_up_to_rotation(read_lammps_data(path), atoms)
        theirs = ase.io.read(path, format="lammps-data", atom_style="atomic")
        assert_same_up_to_rotation(theirs, atoms)


def test_the_form_of_the_file(tmp_path: Path) -> None:
    atoms = Atoms("AgAuAg", [[0, 0, 0], [1, 2, 3], [-1, 0, 9]], cell=[4, 5, 6], pbc=True)
    write_lammps_data(tmp_path / "lmp.config", atoms, TYPES)
    lines = [" ".join(s.split()) for s in (tmp_path / "lmp.config").read_text().splitlines()]
    zeros = " ".join(["0.000000000000"] * 3)
    assert lines[2:12] == [
        "3 atoms",
        "3 atom types",
        "",
        "0.000000000000 4.000000000000 xlo xhi",
        "0.000000000000 5.000000000000 ylo yhi",
        "0.000000000000 6.000000000000 zlo zhi",
        f"{zeros} xy xz yz",
        "",
        "Masses",
        "",
    ]
    assert lines[12:15] == ["1 63.546 # 29", "2 196.967 # 79", "3 107.868 # 47"]
    assert lines[16] == "Atoms # atomic"
    assert lines[18:] == [
        f"1 3 {zeros}",
        "2 2 1.000000000000 2.000000000000 3.000000000000",
        "3 3 -1.000000000000 0.000000000000 9.000000000000",  # not wrapped
    ]


def test_cells_that_lammps_cannot_have(tmp_path: Path) -> None:
    path = tmp_path / "lmp.config"
    left = Atoms("Ag", cell=[[0, 4, 0], [4, 0, 0], [0, 0, 4]], pbc=True)
    with pytest.raises(InputError, match="left-handed"):
        write_lammps_data(path, left, TYPES)
    with pytest.raises(InputError, match="no volume"):
        write_lammps_data(path, Atoms("Ag"), TYPES)
    with pytest.raises(InputError, match="Pt of the structure not in the model"):
        write_lammps_data(path, Atoms("Pt", cell=[4, 4, 4]), TYPES)
    assert not path.exists()


HAND = """# by hand
2 atoms
2 atom types
-1.0 3.0 xlo xhi
0.0 5.0 ylo yhi
2.0 8.0 zlo zhi

Masses

1 28.0855
2 12.011 # C

Atoms{style}

2 2 {charge} 0.0 2.5 5.0 0 0 1
1 1 {charge} -1.0 0.0 2.0

Velocities

1 0 0 0
2 0 0 0
"""


@pytest.mark.parametrize(
    ("style", "charge"),
    [("", ""), (" # atomic", ""), (" # charge", "0.5"), ("", "-0.5"), (" # sphere", "1 2.5")],
)
def test_files_by_hand(tmp_path: Path, style: str, charge: str) -> None:
    path = tmp_path / "data"
    path.write_text(HAND.format(style=style, charge=charge))
    atoms = read_lammps_data(path)
    assert atoms.get_chemical_symbols() == ["Si", "C"]
    np.testing.assert_allclose(atoms.positions, [[0, 0, 0], [1, 2.5, 3]])
    np.testing.assert_allclose(atoms.cell.array, np.diag([4, 5, 6]))
    assert read_lammps_data(path, ["Ag", "Au"]).get_chemical_symbols() == ["Ag", "Au"]


# of style spin, which looks like charge with image flags where the spins are along one axis
SPINS = HAND.replace("{style}", "")
SPINS = SPINS.replace("{charge} 0.0 2.5 5.0 0 0 1", "0.5 2.5 3.0 1 0 0 2")
SPINS = SPINS.replace("{charge} -1.0 0.0 2.0", "-1.0 0.0 2.0 -1 0 0 2")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no 'Masses'"),
        (HAND.replace("xlo xhi", "box"), "no 'xlo xhi'"),
        (HAND.replace("2 atoms", "3 atoms"), "3 atoms are announced, 2 are there"),
        (HAND.replace("2.5", "x"), "'x' is not a number"),
        (HAND.replace("2.5", "inf"), "inf is not finite"),
        (HAND.replace("\n2 12.011 # C", ""), "has type 2, which has no mass"),
        (HAND.replace("12.011 # C", "12.011 # O"), "type 2: it is called O, but its mass"),
        (HAND.replace("12.011 # C", "50.0"), "type 2: the mass 50 is that of no element"),
        (HAND.replace("# by hand", "# LAMMPS data file, units = lj"), "in units lj"),
        (HAND.replace("{style}", " # tdpd"), "atom style tdpd is not read"),
        (HAND.replace("{style}", " # full"), "atom style full has 7 columns, the rows have 5"),
        (SPINS, "9 columns, which several atom styles have"),
        (HAND.replace("{charge}", "1"), "6 columns, which several atom styles have"),
        (HAND.replace("{charge}", "1 0.5"), "7 columns, which several atom styles have"),
        (HAND.replace("-1.0 0.0 2.0", "-1.0 0.0 2.0 7"), "different numbers of columns"),
        (HAND.replace("1 1 {charge}", "1 Si {charge}"), "'Si' is not a type"),
    ],
)
def test_bad_files_are_refused_by_name(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.data"
    text = text.replace("{style}", "").replace("{charge}", "").replace(" 0 0 1\n", "\n")
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_lammps_data(path)
    assert "bad.data" in str(caught.value)


ROWS = {
    "atomic": "{i} {t} {x}",
    "charge": "{i} {t} 0.5 {x}",
    "dipole": "{i} {t} 0.5 {x} 1 0 0",
    "sphere": "{i} {t} 1.5 2.5 {x}",
    "spin": "{i} {t} {x} 0 0 1 2.2",
    "angle": "{i} 7 {t} {x}",
    "bond": "{i} 7 {t} {x}",
    "molecular": "{i} 7 {t} {x}",
    "full": "{i} 7 {t} 0.5 {x}",
    "hybrid": "{i} {t} {x} 0.5 7",
}


@pytest.mark.parametrize("labels", [False, True])
@pytest.mark.parametrize("images", ["", " 0 -1 2"])
@pytest.mark.parametrize("style", ROWS)
def test_every_style(tmp_path: Path, style: str, images: str, labels: bool) -> None:
    assert set(ROWS) == set(STYLES)
    text = HAND[: HAND.index("2 2 {charge}")].replace("{style}", f" # {style}")
    kinds = ["1", "2"]
    if labels:
        kinds = ["Si", "C"]
        text = text.replace("Masses\n", "Atom Type Labels\n\n1 Si\n2 C\n\nMasses\n")
        text = text.replace("1 28.0855\n2 12.011", "Si 28.0855\nC 12.011")
        text = text.replace("Atoms", "Pair Coeffs # zero\n\nSi\nC\n\nAtoms")
    rows = [
        ROWS[style].format(i=2, t=kinds[1], x="0.0 2.5 5.0"),
        ROWS[style].format(i=1, t=kinds[0], x="-1.0 0.0 2.0"),
    ]
    path = tmp_path / "data"
    path.write_text(text + "\n".join(f"{row}{images} # a comment" for row in rows) + "\n")
    atoms = read_lammps_data(path)
    assert atoms.get_chemical_symbols() == ["Si", "C"]
    np.testing.assert_allclose(atoms.positions, [[0, 0, 0], [1, 2.5, 3]])


def test_a_general_triclinic_box(tmp_path: Path) -> None:
    box = "0 4 0 avec\n5 0 0 bvec\n1 1 -6 cvec\n-1 0 2 abc origin\n"
    start, end = HAND.index("-1.0 3.0 xlo"), HAND.index("\nMasses")
    text = HAND[:start] + box + HAND[end:]
    path = tmp_path / "data"
    path.write_text(text.format(style=" # atomic", charge=""))
    atoms = read_lammps_data(path)
    np.testing.assert_array_equal(atoms.cell.array, [[0, 4, 0], [5, 0, 0], [1, 1, -6]])
    np.testing.assert_array_equal(atoms.positions, [[0, 0, 0], [1, 2.5, 3]])


def test_the_number_of_atoms_alone(tmp_path: Path) -> None:
    path = tmp_path / "data"
    write_lammps_data(path, bulk("Cu", cubic=True).repeat(2), ("Ag", "Cu"))
    assert atom_count(path) == 32
    path.write_text("no atoms at all\n2 atom types\n")
    with pytest.raises(TaskError, match="does not say how many"):
        atom_count(path)
    with pytest.raises(TaskError, match="cannot be read"):
        atom_count(tmp_path / "missing")
