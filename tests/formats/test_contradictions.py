"""What two places of a file say differently is refused, not chosen from."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from pwact.errors import InputError, TaskError
from pwact.formats.deepmd_npy import read_deepmd
from pwact.formats.frames import read_frames, write_frames
from pwact.formats.movement import iterate_movement
from pwact.formats.outcar import Outcar
from pwact.formats.structure_guess import guess
from pwact.formats.structures import read_structure

CELL = "title\n1.0\n4 0 0\n0 5 0\n1 0 6\nSi C\n1 2\n"
ROWS = "Direct\n0 0 0\n0.5 0.5 0.5\n0.25 0 0\n"
POSCAR = CELL + ROWS
NAMED = CELL + "Direct\n0 0 0 Si\n0.5 0.5 0.5 C\n0.25 0 0 C\n"
HELD = CELL + "Selective\nDirect\n0 0 0 F F F Si\n0.5 0.5 0.5 T T T C\n0.25 0 0 T T T C\n"
FRAME = "Direct configuration=     {}\n 0 0 0\n 0.5 0.5 0.5\n {} 0 0\n"
XDATCAR = CELL + FRAME.format(1, 0.25) + FRAME.format(2, 0.26)
DATA = (
    "written by hand\n\n2 atoms\n2 atom types\n0 4 xlo xhi\n0 5 ylo yhi\n0 6 zlo zhi\n\n"
    "Masses\n\n1 63.546\n2 15.999\n\nAtoms # atomic\n\n1 1 0 0 0\n2 2 1 1 1\n"
)
DUMP = (
    "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n2\nITEM: BOX BOUNDS pp pp pp\n0 4\n0 5\n0 6\n"
    "ITEM: ATOMS id element x y z\n2 O 1 1 1\n1 Cu 0 0 0\n"
)
CONFIG = (
    "2 atoms\n Lattice vector (Angstrom)\n 4 0 0\n 0 5 0\n 0 0 6\n Position (normalized)\n"
    " 14 0 0 0 1 1 1\n 6 0.5 0.5 0.5 1 1 1\n"
)
CIF = (
    "data_{0}\n_cell_length_a {1}\n_cell_length_b {1}\n_cell_length_c {1}\n_cell_angle_alpha 90\n"
    "_cell_angle_beta 90\n_cell_angle_gamma 90\n_symmetry_space_group_name_H-M 'P 1'\nloop_\n"
    "_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\n{0} 0 0 0\n"
)
WRONG = {
    "a position too many": ("vasp/poscar", POSCAR + "0.7 0.7 0.7\n", "line 12 is one more"),
    "a count too many": (
        "vasp/poscar",
        POSCAR.replace("\n1 2\n", "\n1 2 3\n"),
        "line 7 must hold 2 counts",
    ),
    "another element behind": (
        "vasp/poscar",
        NAMED.replace("0 0 0 Si", "0 0 0 Ge"),
        "line 9 ends with Ge, but by the symbols and counts above it is Si",
    ),
    "another element behind flags": (
        "vasp/poscar",
        HELD.replace("T T T C\n0.25", "T T T Si\n0.25"),
        "line 11 ends with Si, .* it is C",
    ),
    "a flat poscar": ("vasp/poscar", POSCAR.replace("1 0 6", "1 5 0"), "span no volume"),
    "an xdatcar": ("vasp/poscar", XDATCAR, "an XDATCAR of several structures; vasp-xdatcar is"),
    "a flat config": ("pwmat/config", CONFIG.replace("0 0 6", "4 5 0"), "span no volume"),
    "an atom too many": ("pwmat/config", CONFIG + " 6 0 0 .5 1 1 1\n", "line 9 is one more"),
    "a lattice in bohr": (
        "pwmat/config",
        CONFIG.replace("(Angstrom)", "(Bohr)"),
        r"lattice block says \(Bohr\); Å is read",
    ),
    "positions in Å": (
        "pwmat/config",
        CONFIG.replace("(normalized)", "(Angstrom)"),
        r"position block says \(Angstrom\); fractions are read",
    ),
    "a number twice": ("lammps/lmp", DATA.replace("2 2 1 1", "1 2 1 1"), "have the number 1"),
    "bounds the other way": ("lammps/lmp", DATA.replace("0 4 xlo", "4 0 xlo"), "upper bound of"),
    "a type without mass": ("lammps/lmp", DATA.replace("2 2 1 1", "2 3 1 1"), "has type 3, which"),
    "masses of lj": (
        "lammps/lmp",
        DATA.replace("63.546", "1.0").replace("15.999", "1"),
        "all masses are 1, as in units lj",
    ),
    "a frame cut off": (
        "lammps-dump-text",
        DUMP * 2 + DUMP[: DUMP.index("1 Cu")],
        "last frame is cut off: 2 atoms are announced, 1 lines",
    ),
    "a line cut off": ("lammps-dump-text", DUMP[:-1], "last frame is cut off"),
    "a head alone": ("lammps-dump-text", DUMP + DUMP[: DUMP.index("ITEM: BOX")], "is cut off"),
    "a general box": (
        "lammps-dump-text",
        DUMP.replace("BOUNDS pp", "BOUNDS abc origin pp"),
        "general triclinic box",
    ),
    "a dump in lj": ("lammps-dump-text", "ITEM: UNITS\nlj\n" + DUMP, "is in units lj"),
    "two crystals": ("cif", CIF.format("Cu", 4) + CIF.format("Fe", 5), "holds 2 structures; keep"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_structures(kind: str, tmp_path: Path) -> None:
    name, text, words = WRONG[kind]
    (tmp_path / "start").write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        read_structure(tmp_path / "start", name)
    assert caught.value.file == tmp_path / "start"


@pytest.mark.parametrize(
    ("name", "text", "formula"),
    [
        ("vasp/poscar", NAMED, "SiC2"),
        ("vasp/poscar", HELD, "SiC2"),
        ("vasp/poscar", POSCAR.replace("\n1 2\n", "\n1 2 atoms of each\n"), "SiC2"),
        ("vasp/poscar", POSCAR + "\n0.1 0.1 0.1\n" * 3, "SiC2"),
        ("vasp/poscar", CELL + FRAME.format(1, 0.25), "SiC2"),
        ("vasp-xdatcar", XDATCAR, "SiC2"),
        ("pwmat/config", CONFIG, "SiC"),
        ("pwmat/config", CONFIG + "Force\n 14 1 1 1\n 6 1 1 1\n", "SiC"),
        ("lammps/lmp", DATA, "CuO"),
        ("lammps-dump-text", "ITEM: UNITS\nmetal\n" + DUMP, "CuO"),
        ("cif", CIF.format("Cu", 4), "Cu"),
    ],
)
def test_the_same_without_contradiction(name: str, text: str, formula: str, tmp_path: Path) -> None:
    (tmp_path / "start").write_text(text)
    assert read_structure(tmp_path / "start", name).get_chemical_formula("reduce") == formula


def test_moments_below_a_heading_with_a_unit(tmp_path: Path) -> None:
    (tmp_path / "atom.config").write_text(CONFIG + " MAGNETIC (muB)\n 14 1.5\n 6 -0.5\n")
    atoms = read_structure(tmp_path / "atom.config", "pwmat/config")
    assert atoms.get_initial_magnetic_moments().tolist() == [1.5, -0.5]


@pytest.mark.parametrize("name", ["XDATCAR", "XDATCAR.2", "Si.xdatcar", "start"])
def test_of_an_xdatcar_the_last_and_it_is_said(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(XDATCAR)
    found = guess(tmp_path / name)
    assert found.format == "vasp-xdatcar"
    assert found.warning == "it holds several structures, and the last is taken"
    atoms = read_structure(tmp_path / name, found.format)
    np.testing.assert_allclose(atoms.cell.scaled_positions(atoms.positions)[2], [0.26, 0, 0])


def test_the_reciprocal_vectors_of_an_outcar(samples: Path, tmp_path: Path) -> None:
    lines = (samples / "vasp" / "OUTCAR.md").read_text().splitlines()
    places = [place for place, line in enumerate(lines) if "direct lattice vectors" in line]
    one, two = lines[places[-1] + 1], lines[places[-1] + 2]
    lines[places[-1] + 1], lines[places[-1] + 2] = two[:45] + one[45:], one[:45] + two[45:]
    (tmp_path / "OUTCAR").write_text("\n".join(lines) + "\n")
    words = f"line {places[-1] + 4}: the lattice vectors and the reciprocal ones beside them do not"
    with pytest.raises(TaskError, match=words):
        list(Outcar(tmp_path / "OUTCAR"))


def test_the_same_ionic_steps_again(samples: Path, tmp_path: Path) -> None:
    text = (samples / "vasp" / "OUTCAR.md").read_text()
    first = text.index("\n", text.index("Iteration") - 60) + 1
    end = text.index(" General timing")
    (tmp_path / "OUTCAR").write_text(text[:end] + text[first:])
    with pytest.raises(TaskError, match="ionic step 1 comes behind 3: a second run begins here"):
        list(Outcar(tmp_path / "OUTCAR"))


@pytest.mark.parametrize("unit", ["kB", "GPa", "Hartree"])
def test_a_stress_of_movement_in_another_unit(unit: str, samples: Path, tmp_path: Path) -> None:
    text = (samples / "pwmat" / "MOVEMENT").read_text()
    (tmp_path / "MOVEMENT").write_text(text.replace("stress (eV)", f"stress ({unit})"))
    with pytest.raises(TaskError, match=re.escape(f"line 3: the stress is in ({unit.lower()})")):
        list(iterate_movement(tmp_path / "MOVEMENT"))


@pytest.fixture(params=["pwmlff/npy", "deepmd/npy"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, frames: list[Atoms]) -> Path:
    """Four frames of eight atoms, in either format."""
    write_frames(tmp_path / "data", frames, request.param)
    return tmp_path / "data" / "Ag5Au3"


def forces_of(folder: Path) -> Path:
    return next(path for path in folder.rglob("force*.npy"))


def again(folder: Path) -> list[Atoms]:
    if (folder / "type.raw").exists():
        return read_deepmd(folder)
    return read_frames(folder, "pwmlff/npy")


@pytest.mark.parametrize("how", ["turned", "by axis"])
def test_rows_that_are_no_frames(how: str, folder: Path) -> None:
    array = np.load(forces_of(folder))
    turned = array.T if how == "turned" else array.reshape(4, 8, 3).transpose(0, 2, 1)
    np.save(forces_of(folder), np.ascontiguousarray(turned))
    with pytest.raises(InputError, match=r"has the shape \(\d+, .*\), not \(4, 8, 3\) or rows"):
        again(folder)


def test_three_numbers_of_each_atom(folder: Path) -> None:
    before = again(folder)
    array = np.load(forces_of(folder))
    np.save(forces_of(folder), np.asfortranarray(array.reshape(4, 8, 3)))
    for one, other in zip(again(folder), before):
        np.testing.assert_array_equal(one.get_forces(), other.get_forces())


def test_elements_that_are_not_listed(tmp_path: Path, frames: list[Atoms]) -> None:
    write_frames(tmp_path / "data", frames, "pwmlff/npy")
    listed = tmp_path / "data" / "Ag5Au3" / "atom_type.npy"
    np.save(listed, np.array([[47, 78]]))
    with pytest.raises(InputError, match=r"atom_type\.npy: does not list an element of image_type"):
        read_frames(tmp_path / "data", "pwmlff/npy")


def test_raw_files_alone(tmp_path: Path, frames: list[Atoms]) -> None:
    write_frames(tmp_path / "data", frames[:1], "deepmd/npy")
    (folder,) = (tmp_path / "data").iterdir()
    (folder / "set.000").rename(tmp_path / "elsewhere")
    (folder / "coord.raw").write_text("0 0 0\n")
    with pytest.raises(InputError, match="holds coord.raw, but no set.000; make it by dpdata or"):
        read_deepmd(folder)
