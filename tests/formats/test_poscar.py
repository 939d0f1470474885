from __future__ import annotations

from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms

from pwact.errors import InputError
from pwact.fixed_atoms import any_fixed, fixed_of
from pwact.formats.frames import ordered
from pwact.formats.poscar import read_poscar, write_poscar
from tests.formats.conftest import assert_same

HEAD = "title\n{scale}\n4 0 0\n0 5 0\n1 0 6\n"
DIRECT = "Si C\n1 2\nDirect\n0 0 0\n0.5 0.5 0.5\n0.25 0 0\n"


def read_text(tmp_path: Path, text: str) -> Atoms:
    path = tmp_path / "POSCAR"
    path.write_text(text)
    return read_poscar(path)


def test_round_trip_and_ase(tmp_path: Path, frames: list[Atoms]) -> None:
    for atoms in map(ordered, frames):
        atoms.calc = None
        write_poscar(tmp_path / "POSCAR", atoms)
        assert_same(read_poscar(tmp_path / "POSCAR"), atoms, 1e-12)
        assert_same(ase.io.read(tmp_path / "POSCAR", format="vasp"), atoms, 1e-12)
        assert (tmp_path / "POSCAR").read_text().splitlines()[5] == "Ag Au"


def test_atoms_that_are_not_grouped_keep_their_order(tmp_path: Path, frames: list[Atoms]) -> None:
    atoms = frames[0].copy()
    write_poscar(tmp_path / "POSCAR", atoms)
    assert_same(read_poscar(tmp_path / "POSCAR"), atoms, 1e-12)


@pytest.mark.parametrize(
    ("scale", "factor"),
    [
        ("1.0", (1, 1, 1)),
        ("2.0 ! a comment", (2, 2, 2)),
        ("-960", (2, 2, 2)),
        ("-120", (1, 1, 1)),
        ("1 2 3", (1, 2, 3)),
    ],
)
@pytest.mark.parametrize(
    "mode", ["Direct", "direct", "D", "d", "", "Cartesian", "C", "c", "K", "k"]
)
def test_scale_factor_and_mode(
    tmp_path: Path, scale: str, factor: tuple[float, ...], mode: str
) -> None:
    atoms = read_text(tmp_path, HEAD.format(scale=scale) + DIRECT.replace("Direct", mode))
    np.testing.assert_allclose(
        atoms.cell.array, [[4, 0, 0], [0, 5, 0], [1, 0, 6]] * np.array(factor)
    )
    place = [0.5, 0.5, 0.5] if mode[:1] in {*"CcKk"} - {""} else [2.5, 2.5, 3]
    np.testing.assert_allclose(atoms.positions[1], np.array(place) * factor)
    assert atoms.get_chemical_symbols() == ["Si", "C", "C"]
    assert atoms.pbc.all()


SELECTIVE = """Si C
1 2
Selective dynamics
Direct
0 0 0 .FALSE. F false Si1
0.5 0.5 0.5 T F T C1
0.1 0.2 0.3 .TRUE., t, T ! free
"""


def test_selective_dynamics_and_velocities(tmp_path: Path) -> None:
    atoms = read_text(tmp_path, HEAD.format(scale="1") + SELECTIVE + "\n0.1 0.1 0.1\n" * 3)
    assert len(atoms) == 3
    assert not atoms.constraints
    np.testing.assert_allclose(atoms.positions[1], [2.5, 2.5, 3])
    assert fixed_of(atoms).tolist() == [[1, 1, 1], [0, 1, 0], [0, 0, 0]]
    write_poscar(tmp_path / "POSCAR", atoms)
    again = read_poscar(tmp_path / "POSCAR")
    np.testing.assert_array_equal(fixed_of(again), fixed_of(atoms))
    by_ase = ase.io.read(tmp_path / "POSCAR", format="vasp")
    found = {int(one.index[0]): type(one).__name__ for one in by_ase.constraints}
    assert found == {0: "FixAtoms", 1: "FixScaled"}


@pytest.mark.parametrize("flags", ["", "T F", "T F 1", "X F T"])
def test_flags_that_are_none(tmp_path: Path, flags: str) -> None:
    text = SELECTIVE.replace("T F T C1", flags)
    with pytest.raises(InputError, match="line 11 must end with three of T and F"):
        read_text(tmp_path, HEAD.format(scale="1") + text)


def test_without_selective_dynamics_letters_are_comments(tmp_path: Path) -> None:
    text = SELECTIVE.replace("Selective dynamics\n", "")
    assert not any_fixed(read_text(tmp_path, HEAD.format(scale="1") + text))


def test_numbers_as_fortran_reads_them(tmp_path: Path) -> None:
    text = (HEAD.format(scale="0.2D1") + DIRECT).replace("4 0 0", "4.0d0, 0, 0")
    atoms = read_text(tmp_path, text.replace("0.5 0.5 0.5", "0.5D0,5.d-1,0.05D+1"))
    np.testing.assert_allclose(atoms.cell.array[0], [8, 0, 0])
    np.testing.assert_allclose(atoms.positions[1], [5, 5, 6])


def test_comments_in_the_header(tmp_path: Path) -> None:
    text = DIRECT.replace("Si C", "Si C ! the elements").replace("1 2", "1 2 # their numbers")
    atoms = read_text(tmp_path, HEAD.format(scale="1") + text)
    assert atoms.get_chemical_symbols() == ["Si", "C", "C"]


def test_pseudopotential_names_in_the_header(tmp_path: Path) -> None:
    atoms = read_text(tmp_path, HEAD.format(scale="1") + DIRECT.replace("Si C", "Si_sv C/ab12"))
    assert atoms.get_chemical_symbols() == ["Si", "C", "C"]


def test_a_contcar_of_md(samples: Path) -> None:
    """Velocities and what the predictor needs stand behind the positions."""
    path = samples / "vasp" / "CONTCAR.md"
    ours = read_poscar(path)
    assert_same(ours, ase.io.read(path, format="vasp"), 1e-12)
    lines = path.read_text().splitlines()
    symbols = [name for name, count in zip(*map(str.split, lines[5:7])) for _ in range(int(count))]
    assert ours.get_chemical_symbols() == symbols
    assert len(lines) > 8 + 2 * len(ours)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "too short"),
        (HEAD.format(scale="1") + DIRECT[:20], "too short|positions are announced"),
        (HEAD.format(scale="1") + "1 2\nDirect\n0 0 0\n1 1 1\n", "VASP 4"),
        (HEAD.format(scale="1") + DIRECT.replace("Si C", "Si Qq"), "must name elements"),
        (HEAD.format(scale="1") + DIRECT.replace("1 2", "1"), "must hold 2 counts"),
        (HEAD.format(scale="1") + DIRECT.replace("1 2", "-1 2"), "line 7: '-1' is not a number"),
        (HEAD.format(scale="1") + DIRECT.replace("1 2", "1 x"), "line 7: 'x' is not a number"),
        (HEAD.format(scale="1") + DIRECT.replace("1 2", "1 3"), "4 positions .* 3 are there"),
        (HEAD.format(scale="1") + DIRECT.replace("0.5 0.5 0.5", "0.5 0.5"), "line 10 must hold"),
        (HEAD.format(scale="1") + DIRECT.replace("0.5 0.5 0.5", "0.5 o.5 1"), "line 10: 'o.5' is"),
        (HEAD.format(scale="1").replace("0 5 0", "0 5,o 0"), "line 4: 'o' is not a number"),
        (HEAD.format(scale="1") + DIRECT.replace("0.25", "nan"), "finite"),
        (HEAD.format(scale="1") + DIRECT.replace("0.25", "1e300"), "below"),
        (HEAD.format(scale="0") + DIRECT, "scale factor"),
        (HEAD.format(scale="one") + DIRECT, "scale factor"),
        (HEAD.format(scale="1 -2 3") + DIRECT, "three scale factors must be positive"),
        (HEAD.format(scale="1 2 inf") + DIRECT, "three scale factors must be positive"),
    ],
)
def test_bad_files_are_refused_by_name(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_text(tmp_path, text)
    assert "POSCAR" in str(caught.value)


def test_unreadable(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_poscar(tmp_path)


def test_lists_that_vasp_wraps(tmp_path: Path) -> None:
    symbols = ["Fe", "Cr"] * 11 + ["Ni"]
    counts = [1 + place % 3 for place in range(23)]
    atoms = Atoms([one for one, many in zip(symbols, counts) for _ in range(many)], pbc=True)
    atoms.set_cell([9, 9, 9])
    atoms.positions[:] = np.random.default_rng(2).random((len(atoms), 3)) * 9
    path = tmp_path / "POSCAR"
    write_poscar(path, atoms)
    lines = path.read_text().splitlines()
    assert lines[5].split() == symbols
    for place in (6, 5):  # the later one first
        words = lines[place].split()
        lines[place : place + 1] = ["   " + "   ".join(words[:20]), "   " + "   ".join(words[20:])]
    path.write_text("\n".join(lines) + "\n")
    assert_same(read_poscar(path), atoms, 1e-12)
    assert read_poscar(path).get_chemical_symbols() == atoms.get_chemical_symbols()
