from __future__ import annotations

import os
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.constraints import FixAtoms, FixCartesian

from pwact.errors import InputError
from pwact.fixed_atoms import FIXED, held
from pwact.formats.frames import ordered
from pwact.formats.structures import (
    check_format_name,
    read_structure,
    structure_formats,
    write_structure,
)

WRITABLE = ["pwmat/config", "vasp/poscar", "lammps/lmp", "extxyz", "cif", "gen", "xsf"]


@pytest.mark.parametrize("name", WRITABLE)
def test_round_trip(tmp_path: Path, frames: list[Atoms], name: str) -> None:
    atoms = ordered(frames[0])
    write_structure(tmp_path / "some file", atoms, name)
    found = read_structure(tmp_path / "some file", name.upper() if "/" in name else name)
    assert found.get_chemical_symbols() == atoms.get_chemical_symbols()
    assert found.calc is None
    assert found.pbc.all()
    np.testing.assert_allclose(
        found.get_all_distances(mic=True), atoms.get_all_distances(mic=True), atol=1e-5
    )


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("PWmat/Config", "pwmat/config"),
        ("pwmat", "pwmat/config"),
        ("POSCAR", "vasp/poscar"),
        ("vasp/contcar", "vasp/poscar"),
        ("lammps/data", "lammps/lmp"),
        ("cif", "cif"),
    ],
)
def test_names(name: str, canonical: str) -> None:
    assert check_format_name(name) == canonical


def test_unknown_name() -> None:
    with pytest.raises(InputError, match=r"'vasp/posca'; did you mean vasp/poscar\?"):
        check_format_name("vasp/posca")
    assert {"pwmat/config", "vasp/poscar", "lammps/lmp", "cp2k/scf"} <= set(structure_formats())


def test_of_several_frames_the_last(tmp_path: Path, frames: list[Atoms]) -> None:
    ase.io.write(tmp_path / "many.traj", frames)
    ase.io.write(tmp_path / "many.xyz", frames, format="extxyz")
    for name, structure_format in (("many.traj", "traj"), ("many.xyz", "extxyz")):
        found = read_structure(tmp_path / name, structure_format)
        np.testing.assert_allclose(found.positions, frames[-1].positions, atol=1e-7)


def test_velocities_are_left_out_held_atoms_are_not(tmp_path: Path, frames: list[Atoms]) -> None:
    atoms = frames[0].copy()
    atoms.set_constraint(FixAtoms([0]))
    atoms.set_velocities(np.ones((8, 3)))
    ase.io.write(tmp_path / "a.traj", atoms)
    found = read_structure(tmp_path / "a.traj", "traj")
    assert not found.constraints
    assert set(found.arrays) == {"numbers", "positions", FIXED}
    assert held(found) == [0]
    atoms.set_constraint(FixCartesian(0, [True, False, False]))
    atoms.set_cell([[4, 0, 0], [1, 4, 0], [0, 0, 4]])
    ase.io.write(tmp_path / "a.traj", atoms)
    with pytest.raises(InputError, match="a.traj: atoms that are held along x alone"):
        read_structure(tmp_path / "a.traj", "traj")


FILES = [
    ("pwmat/atom.config", "pwmat/config", "Ag3Au"),
    ("pwmat/MOVEMENT", "pwmat/movement", "Au8Cu24"),
    ("vasp/CONTCAR.md", "vasp/poscar", "Al2Ni6"),
    ("vasp/OUTCAR.md", "vasp/outcar", "Al2Ni6"),
]


@pytest.mark.parametrize(("name", "structure_format", "formula"), FILES)
def test_files_of_every_program(
    samples: Path, name: str, structure_format: str, formula: str
) -> None:
    atoms = read_structure(samples / name, structure_format)
    assert atoms.get_chemical_formula() == formula
    assert atoms.cell.rank == 3


@pytest.mark.parametrize("name", ["pwmat/config", "vasp/poscar", "extxyz", "cif", "pwmat/movement"])
@pytest.mark.parametrize("content", ["", "nonsense\n" * 9, "\x00\xff"])
def test_nonsense_is_refused_by_name(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / "bad file").write_bytes(content.encode("latin1"))
    with pytest.raises(InputError) as caught:
        read_structure(tmp_path / "bad file", name)
    assert caught.value.file == tmp_path / "bad file"


def test_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a directory"):
        read_structure(tmp_path, "vasp/poscar")
    with pytest.raises(InputError, match="absent: does not exist"):
        read_structure(tmp_path / "absent", "vasp/poscar")


def test_outputs_are_not_written(tmp_path: Path, frames: list[Atoms]) -> None:
    with pytest.raises(InputError, match="not written in format cp2k/scf"):
        write_structure(tmp_path / "dft.log", frames[0], "cp2k/scf")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="pipe: is a pipe, not a file"):
        read_structure(tmp_path / "pipe", "cif")
    with pytest.raises(InputError, match="null: is a device, not a file"):
        read_structure(Path("/dev/null"), "extxyz")


def test_an_at_sign_in_a_name(tmp_path: Path) -> None:
    path = tmp_path / "Au@Ag.cif"
    ase.io.write(tmp_path / "plain.cif", bulk("Au", cubic=True))
    (tmp_path / "plain.cif").rename(path)
    assert str(read_structure(path, "cif").symbols) == "Au4"


@pytest.mark.parametrize("number", ["-1", "0", "119", "29.7"])
def test_what_is_no_element_is_no_element(tmp_path: Path, number: str) -> None:
    path = tmp_path / "atom.config"
    write_structure(path, bulk("Cu"), "pwmat/config")
    text = path.read_text(encoding="utf-8")
    assert "\n  29 " in text
    path.write_text(text.replace("\n  29 ", f"\n{number} "), encoding="utf-8")
    with pytest.raises(InputError, match="holds no atomic number"):
        read_structure(path, "pwmat/config")


DUMP = """ITEM: TIMESTEP
0
ITEM: NUMBER OF ATOMS
2
ITEM: BOX BOUNDS pp pp pp
0 5
0 5
0 5
ITEM: ATOMS id type {column}x y z
1 1 {first}0 0 0
2 2 {second}1 1 1
"""


def test_types_of_a_dump_are_no_elements(tmp_path: Path) -> None:
    path = tmp_path / "conf.dump"
    path.write_text(DUMP.format(column="element ", first="Si ", second="C "))
    assert str(read_structure(path, "lammps-dump-text").symbols) == "SiC"
    path.write_text(DUMP.format(column="", first="", second=""))
    with pytest.raises(InputError, match="names no elements, only types"):
        read_structure(path, "lammps-dump-text")


CIF = """data_x
_cell_length_a 4
_cell_length_b 4
_cell_length_c 4
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P 1'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
Cu1 Cu 0 0 0 {first}
{more}Te1 Te 0.5 0.5 0.5 1.0
"""


@pytest.mark.parametrize(
    ("first", "more", "words"),
    [("0.7", "", "Cu 0.7"), ("0.5", "Au1 Au 0 0 0 0.5\n", "Cu 0.5, Au 0.5")],
)
def test_partial_occupancy_is_refused(tmp_path: Path, first: str, more: str, words: str) -> None:
    path = tmp_path / "a.cif"
    path.write_text(CIF.format(first=first, more=more))
    with pytest.raises(InputError, match=rf"has a partial occupancy \({words}\)"):
        read_structure(path, "cif")
    path.write_text(CIF.format(first="1.0", more=""))
    assert str(read_structure(path, "cif").symbols) == "CuTe"


@pytest.mark.parametrize("name", ["extxyz", "traj", "json"])
@pytest.mark.parametrize("pbc", [(True, True, False), (False, False, False), (True, True, True)])
def test_files_that_say_which_axes_are_periodic(
    tmp_path: Path, name: str, pbc: tuple[bool, bool, bool]
) -> None:
    atoms = bulk("Ag", cubic=True)
    atoms.pbc = pbc
    ase.io.write(tmp_path / "a", atoms, format=name)
    assert tuple(read_structure(tmp_path / "a", name).pbc) == pbc


def test_files_that_cannot_say_it_are_periodic(tmp_path: Path) -> None:
    atoms = bulk("Ag", cubic=True)
    atoms.pbc = False
    ase.io.write(tmp_path / "a.cube", atoms, data=np.zeros((2, 2, 2)))
    assert read_structure(tmp_path / "a.cube", "cube").pbc.all()
    (tmp_path / "a.xyz").write_text('1\nLattice="4 0 0 0 4 0 0 0 4"\nAg 0 0 0\n')
    assert read_structure(tmp_path / "a.xyz", "extxyz").pbc.all()
