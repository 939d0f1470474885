from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from pwact.errors import InputError
from pwact.fixed_atoms import any_fixed, fix, fixed_of
from pwact.formats.atom_config import read_atom_config, write_atom_config
from tests.formats.conftest import assert_same

TEXT = """  2 atoms
 Lattice vector (Angstrom)
  4.0 0.0 0.0  stress (eV): 1 2 3
  0.0 5.0 0.0
  1.0 0.0 6.0
 Position (normalized), move_x, move_y, move_z
  14 0.0 0.0 0.0 1 1 1
  6 0.5 0.5 0.5 0 1 0
 Force
  14 9 9 9
  6 9 9 9
"""


def read_text(tmp_path: Path, text: str) -> Atoms:
    path = tmp_path / "atom.config"
    path.write_text(text)
    return read_atom_config(path)


def test_round_trip_and_pwdata(tmp_path: Path, frames: list[Atoms]) -> None:
    from pwdata import Config

    path = tmp_path / "atom.config"
    for atoms in (frame.copy() for frame in frames):
        write_atom_config(path, atoms)
        assert_same(read_atom_config(path), atoms, 1e-12)
        image = Config(format="pwmat/config", data_path=str(path)).images[0]
        np.testing.assert_array_equal(np.ravel(image.atom_types_image), atoms.numbers)
        np.testing.assert_allclose(image.position @ image.lattice, atoms.positions, atol=1e-12)


def test_the_form_of_the_file(tmp_path: Path) -> None:
    write_atom_config(tmp_path / "atom.config", read_text(tmp_path, TEXT))
    lines = (tmp_path / "atom.config").read_text().splitlines()
    assert lines[0].split()[0] == "2"
    assert lines[1] == "Lattice vector"
    assert lines[5] == " Position, move_x, mov_y, move_z"
    assert lines[7].split() == ["6", *["0.5000000000000000"] * 3, "0", "1", "0"]


def test_move_flags(tmp_path: Path) -> None:
    """A flag of 0 holds an atom along x, y or z; of a direction that is no lattice vector not."""
    assert fixed_of(read_text(tmp_path, TEXT)).tolist() == [[0, 0, 0], [1, 0, 1]]
    assert not any_fixed(read_text(tmp_path, TEXT.replace(" 0 1 0\n", "\n")))
    held = TEXT.replace("0 1 0\n", "0 0 0\n")
    assert fixed_of(read_text(tmp_path, held)).tolist() == [[0, 0, 0], [1, 1, 1]]
    with pytest.raises(InputError, match="held along x and y alone can only be held in a cell"):
        read_text(tmp_path, TEXT.replace("0 1 0\n", "0 0 1\n"))
    with pytest.raises(InputError, match="line 8: '2' is no move flag"):
        read_text(tmp_path, TEXT.replace("0 1 0\n", "1 2 1\n"))


def test_flags_that_cannot_be_said(tmp_path: Path) -> None:
    atoms = read_text(tmp_path, TEXT)
    fix(atoms, np.array([[0, 0, 0], [1, 1, 0]]))  # along a and b, of which c is not free
    with pytest.raises(InputError, match="cannot say it: atoms that are held along x and y"):
        write_atom_config(tmp_path / "atom.config", atoms)


@pytest.mark.parametrize(
    "text", [TEXT, TEXT.upper(), TEXT.lower(), TEXT.replace(" Lattice", " MD_INFO 1\n Lattice")]
)
def test_reads_what_counts(tmp_path: Path, text: str) -> None:
    atoms = read_text(tmp_path, text)
    assert atoms.get_chemical_symbols() == ["Si", "C"]
    np.testing.assert_allclose(atoms.positions, [[0, 0, 0], [2.5, 2.5, 3]])
    np.testing.assert_allclose(atoms.cell.array, [[4, 0, 0], [0, 5, 0], [1, 0, 6]])


def test_a_file_with_headings_in_capitals(samples: Path) -> None:
    atoms = read_atom_config(samples / "pwmat" / "atom.config")
    assert atoms.get_chemical_symbols() == ["Ag"] * 3 + ["Au"]
    cell = [[4.1239022, -0.0337694, 0.0353301], [0.00252709, 4.00574597, 0.06009928]]
    np.testing.assert_array_equal(atoms.cell.array[:2], cell)
    fractions = [0.51078674, 0.48474088, 0.99099732]
    np.testing.assert_allclose(atoms.positions[3], fractions @ atoms.cell.array)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "too short"),
        (TEXT.replace("  2 atoms", "two"), "number of atoms"),
        (TEXT.replace("Lattice", "Cell"), "no lattice block"),
        (TEXT.replace("Position", "Place"), "no position block"),
        (TEXT.replace("  2 atoms", "9 atoms"), "fewer than 9 lines"),
        (TEXT.replace("  6 0.5 0.5 0.5 0 1 0", "  6 0.5"), "fewer than 2 lines of 4"),
        (TEXT.replace("  0.0 5.0 0.0", "  0.0 5.0"), "fewer than 3 lines of 3"),
        (TEXT.replace("  6 0.5", "  0 0.5"), "no atomic number"),
        (TEXT.replace("  6 0.5", "  C 0.5"), "could not convert"),
        (TEXT.replace("  6 0.5", "  6 inf"), "no atomic number"),
    ],
)
def test_bad_files_are_refused_by_name(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_text(tmp_path, text)
    assert "atom.config" in str(caught.value)
