"""Units that the line of keys names are obeyed, or refused; none is passed over."""

from __future__ import annotations

from pathlib import Path

import pytest
from ase import units

from pwact.errors import InputError
from pwact.formats.extxyz import read_extxyz

LATTICE = 'Lattice="4 0 0 0 4 0 0 0 4" '
HEAD = "Properties=species:S:1:pos:R:3:force:R:3 energy=-1.5 "
ROWS = "Ag 0 0 0 1 2 3\nAu 1 1 1 4 5 6\n"


def side_of(tmp_path: Path, head: str) -> float:
    """The x of the second atom, which is 1 in the file."""
    (tmp_path / "a.xyz").write_text(f"2\n{head}\n{ROWS}")
    return float(read_extxyz(tmp_path / "a.xyz")[0].positions[1, 0])


@pytest.mark.parametrize(
    "words",
    ["length_unit=bohr", "pos_unit=bohr lattice-unit=bohr", "length-unit=Bohr positions_unit=bohr"],
)
def test_both_or_one_for_both(words: str, tmp_path: Path) -> None:
    assert side_of(tmp_path, LATTICE + HEAD + words) == pytest.approx(units.Bohr)


def test_positions_alone_without_a_lattice(tmp_path: Path) -> None:
    assert side_of(tmp_path, HEAD + "positions_unit=bohr") == pytest.approx(units.Bohr)


@pytest.mark.parametrize(
    "words",
    [
        "positions_unit=bohr",
        "lattice_unit=bohr",
        "positions_unit=bohr cell_unit=angstrom",
        "length_unit=angstrom pos_unit=bohr",
    ],
)
def test_of_one_alone_is_refused(words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="frame 0 cannot be read: positions and lattice have"):
        side_of(tmp_path, LATTICE + HEAD + words)


@pytest.mark.parametrize(
    "words",
    [
        "units=bohr",
        "units=atomic",
        "unit_energy=hartree",
        'units="eV, eV/bohr"',
        "unit=Ry",
        "dipole_units=a.u.",
    ],
)
def test_what_nobody_reads_is_refused(words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"units?\S*=.* is not read; name the unit of each"):
        side_of(tmp_path, LATTICE + HEAD + words)


@pytest.mark.parametrize(
    "words",
    ["units=metal", "unit_energy=eV", "unit_cell=conventional", "formula_units=4", "community=au"],
)
def test_what_changes_nothing(words: str, tmp_path: Path) -> None:
    assert side_of(tmp_path, LATTICE + HEAD + words) == 1.0


def test_two_units_for_one_quantity(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="two units for one quantity: energy-unit=eV, energy_unit"):
        side_of(tmp_path, LATTICE + HEAD + "energy-unit=eV energy_unit=meV force_unit=eV/Ang")
