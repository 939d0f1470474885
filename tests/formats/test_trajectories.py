"""All structures of a file, in every kind of format."""

from __future__ import annotations

import logging
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from pwact.errors import InputError
from pwact.fixed_atoms import any_fixed
from pwact.formats.extxyz import write_extxyz
from pwact.formats.frames import write_frames
from pwact.formats.labels import set_labels
from pwact.formats.structures import read_structure, write_structure
from pwact.formats.trajectories import format_of, iterate_structures

DATA = Path(__file__).parents[1] / "data"


def frames(count: int = 3) -> list[Atoms]:
    made = []
    for number in range(count):
        atoms = bulk("Cu", cubic=True)
        atoms.positions += np.random.default_rng(number).uniform(-0.05, 0.05, (4, 3))
        made.append(atoms)
    return made


def read(path: Path, given: str = "") -> list[Atoms]:
    return list(iterate_structures(path, format_of(path, given)))


@pytest.mark.parametrize("name", ["a.xyz", "a.traj", "XDATCAR", "a.json"])
def test_every_frame_of_a_trajectory(tmp_path: Path, name: str) -> None:
    kind = {"XDATCAR": "vasp-xdatcar", "a.xyz": "extxyz"}.get(name)
    ase.io.write(tmp_path / name, frames(), format=kind)
    found = read(tmp_path / name)
    assert len(found) == 3
    for one, expected in zip(found, frames()):
        shift = one.get_scaled_positions() - expected.get_scaled_positions()
        np.testing.assert_allclose(shift - np.round(shift), 0, atol=1e-6)
        assert one.calc is None
        assert one.pbc.all()


@pytest.mark.parametrize("name", ["cif", "vasp/poscar", "pwmat/config", "lammps/lmp"])
def test_a_file_of_one_structure(tmp_path: Path, name: str) -> None:
    path = tmp_path / "one"
    write_structure(path, frames(1)[0], name)
    (found,) = read(path, name)
    expected = read_structure(path, name)
    np.testing.assert_array_equal(found.positions, expected.positions)
    np.testing.assert_array_equal(found.cell.array, expected.cell.array)


def test_a_cif_with_several_structures_gives_all(tmp_path: Path) -> None:
    ase.io.write(tmp_path / "a.cif", frames())
    assert len(read(tmp_path / "a.cif")) == 3


@pytest.mark.parametrize(
    ("place", "name", "count"),
    [
        ("pwmat/MOVEMENT", "pwmat/movement", 3),
        ("vasp/OUTCAR.md", "vasp/outcar", 3),
        ("cp2k/md/dft.log", "cp2k/md", 3),
        ("cp2k/scf/dft.log", "cp2k/scf", 1),
    ],
)
def test_outputs_of_programs(place: str, name: str, count: int) -> None:
    path = DATA / place
    found = read(path, name if name.startswith("cp2k") else "")
    last = read_structure(path, name)
    assert len(found) >= count
    np.testing.assert_array_equal(found[-1].positions, last.positions)
    assert all(one.calc is None for one in found)


def test_a_movement_that_was_cut_off(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = (DATA / "pwmat/MOVEMENT").read_text()
    (tmp_path / "MOVEMENT").write_text(text[: int(len(text) * 0.9)])
    whole = read(DATA / "pwmat/MOVEMENT")
    with caplog.at_level(logging.WARNING):
        assert 0 < len(read(tmp_path / "MOVEMENT")) < len(whole)
    assert "cut off" in caplog.text


def test_moments_and_held_atoms_come_along(tmp_path: Path) -> None:
    given = frames(2)
    for atoms in given:
        atoms.set_initial_magnetic_moments([2.0, -2.0, 2.0, -2.0])
        atoms.pbc = (True, True, False)
        atoms.set_constraint(ase.constraints.FixAtoms([0]))
    ase.io.write(tmp_path / "a.traj", given)
    for one in read(tmp_path / "a.traj"):
        assert one.get_initial_magnetic_moments().tolist() == [2.0, -2.0, 2.0, -2.0]
        assert one.pbc.tolist() == [True, True, False]
        assert any_fixed(one)


@pytest.mark.parametrize("name", ["pwmlff/npy", "deepmd/npy"])
def test_a_folder_of_data(tmp_path: Path, name: str) -> None:
    given = frames()
    for atoms in given:
        set_labels(atoms, -1.0, np.zeros((4, 3)))
    write_frames(tmp_path / "data", given, name)
    assert len(read(tmp_path / "data")) == 3
    assert len(read(tmp_path / "data", name)) == 3


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no.xyz: does not exist"):
        read(tmp_path / "no.xyz")
    with pytest.raises(InputError, match="is a folder that holds no data set"):
        read(tmp_path)
    (tmp_path / "what").write_text("nothing\n")
    with pytest.raises(InputError, match="give one by --format, as in --format vasp/poscar"):
        read(tmp_path / "what")
    write_extxyz(tmp_path / "a.cif", frames(1))
    with pytest.raises(InputError, match="begins like extxyz: give --format extxyz, or mend"):
        read(tmp_path / "a.cif")
    with pytest.raises(InputError, match="unknown structure format 'vaps/poscar'; did you mean"):
        read(tmp_path / "a.cif", "vaps/poscar")
    (tmp_path / "empty.xyz").write_text("")
    with pytest.raises(InputError, match="empty.xyz"):
        read(tmp_path / "empty.xyz")
