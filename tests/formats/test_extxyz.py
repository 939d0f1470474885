from __future__ import annotations

import re
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms, units
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pwact.errors import InputError
from pwact.formats.extxyz import (
    frame_text,
    iterate_extxyz,
    read_extxyz,
    why_unlabelled,
    write_extxyz,
)
from pwact.formats.extxyz_labels import LabelNames
from pwact.formats.labels import labels_of, set_labels
from tests.formats.conftest import assert_same

NUMBERS = st.floats(-1e6, 1e6)
HEAD = 'Lattice="4 0 0 0 4 0 0 0 4" Properties=species:S:1:pos:R:3:force:R:3 energy=-1.5'
ROWS = "Ag 0 0 0 1 2 3\nAu 1 1 1 4 5 6\n"


def read_text(tmp_path: Path, text: str) -> list[Atoms]:
    path = tmp_path / "some.xyz"
    path.write_text(text)
    return read_extxyz(path)


def test_round_trip_is_exact(tmp_path: Path, frames: list[Atoms]) -> None:
    write_extxyz(tmp_path / "train.xyz", frames)
    found = read_extxyz(tmp_path / "train.xyz")
    assert len(found) == len(frames)
    for one, other in zip(found, frames):
        assert_same(one, other)
        assert one.pbc.all()


@settings(max_examples=25, deadline=None)
@given(
    arrays(float, (2, 3), elements=NUMBERS),
    arrays(float, (2, 3), elements=NUMBERS),
    arrays(float, (3, 3), elements=NUMBERS),
    NUMBERS,
    st.lists(st.booleans(), min_size=3, max_size=3),
)
def test_any_numbers_come_back(
    tmp_path_factory: pytest.TempPathFactory,
    positions: np.ndarray,
    forces: np.ndarray,
    virial: np.ndarray,
    energy: float,
    pbc: list[bool],
) -> None:
    atoms = Atoms("SiC", positions, cell=np.diag([3.0, 4.0, 5.0]), pbc=pbc)
    set_labels(atoms, energy, forces, virial)
    path = tmp_path_factory.getbasetemp() / "any.xyz"
    write_extxyz(path, [atoms])
    found = read_extxyz(path)[0]
    assert_same(found, atoms)
    assert found.pbc.tolist() == pbc


def test_the_header_has_the_names_that_matpl_reads(frames: list[Atoms]) -> None:
    count, head, row = frame_text(frames[0]).splitlines()[:3]
    assert count == "8"
    assert re.fullmatch(
        r'Lattice="(\S+ ){8}\S+" Properties=species:S:1:pos:R:3:force:R:3 pbc="T T T" '
        r'energy=\S+ virial="(\S+ ){8}\S+"',
        head,
    )
    assert len(row.split()) == 7


def test_ase_reads_the_same(tmp_path: Path, frames: list[Atoms]) -> None:
    write_extxyz(tmp_path / "train.xyz", frames)
    for theirs, ours in zip(ase.io.read(tmp_path / "train.xyz", ":"), frames):
        labels = labels_of(ours)
        np.testing.assert_array_equal(theirs.positions, ours.positions)
        np.testing.assert_array_equal(theirs.cell.array, ours.cell.array)
        np.testing.assert_array_equal(theirs.arrays["force"], labels.forces)
        np.testing.assert_array_equal(theirs.info["virial"], labels.virial)
        assert theirs.get_potential_energy() == labels.energy


def test_we_read_what_ase_writes(tmp_path: Path, frames: list[Atoms]) -> None:
    ase.io.write(tmp_path / "ase.xyz", frames, format="extxyz")
    for found, expected in zip(read_extxyz(tmp_path / "ase.xyz"), frames):
        assert_same(found, expected, 1e-6)  # ASE writes 8 decimals; stress becomes virial


def test_pwdata_reads_the_same(tmp_path: Path, frames: list[Atoms]) -> None:
    from pwdata import Config

    write_extxyz(tmp_path / "train.xyz", frames)
    images = Config(format="extxyz", data_path=str(tmp_path / "train.xyz")).images
    assert len(images) == len(frames)
    for image, atoms in zip(images, frames):
        labels = labels_of(atoms)
        np.testing.assert_array_equal(image.position, atoms.positions)
        np.testing.assert_array_equal(image.force, labels.forces)
        np.testing.assert_array_equal(image.virial, labels.virial)
        assert image.Ep == labels.energy


NINE = "1 2 3 4 5 6 7 8 9"
STRESS = " ".join(str(-number / 64) for number in range(1, 10))
HA, BOHR = units.Hartree, units.Bohr


@pytest.mark.parametrize(
    ("head", "energy", "force", "virial"),
    [
        (HEAD, -1.5, 2.0, None),
        (HEAD.replace("force", "forces"), -1.5, 2.0, None),
        (HEAD.upper().replace(":S:", ":s:"), -1.5, 2.0, None),
        (HEAD.replace("energy=", "Energy = "), -1.5, 2.0, None),
        (HEAD + ' virial="1 2 3 4 5 6 7 8 9"', -1.5, 2.0, 2.0),
        (HEAD + " VIRIAL='1 2 3 4 5 6 7 8 9'", -1.5, 2.0, 2.0),
        (HEAD + ' stress="1 2 3 4 5 6 7 8 9"', -1.5, 2.0, -128.0),
        (HEAD + f' virials="{NINE}"', -1.5, 2.0, 2.0),
        (HEAD + f' virial="{NINE}" stress="{STRESS}"', -1.5, 2.0, 2.0),
        (HEAD + ' stress="1 5 9 6 3 2"', -1.5, 2.0, -128.0),  # xx yy zz yz xz xy
        (HEAD + " virial=[[1,2,3],[4,5,6],[7,8,9]]", -1.5, 2.0, 2.0),
        (HEAD.replace("energy", "REF_energy").replace("force", "REF_forces"), -1.5, 2.0, None),
        (HEAD.replace("energy", "dft_energy").replace("force", "dft_forces"), -1.5, 2.0, None),
        (HEAD + f' REF_virial="{NINE}"', -1.5, 2.0, 2.0),
        (HEAD + f' REF_stress="{NINE}"', -1.5, 2.0, -128.0),
        (HEAD + " REF_energy=-1.5 energy=-1.5", -1.5, 2.0, None),
        (HEAD + " free_energy=-1.7", -1.7, 2.0, None),
        (HEAD + r' comment="say \"energy=5\" here" more', -1.5, 2.0, None),
        (HEAD + " note={energy=3} list=[1, 2]", -1.5, 2.0, None),
        (HEAD + " energy-unit=eV force-unit=eV/Å", -1.5, 2.0, None),
        (HEAD + " energy_unit=Hartree force_unit=Hartree/Bohr", -1.5 * HA, 2 * HA / BOHR, None),
        (HEAD + f' energy-unit=Ry forces-unit=meV/Ang virial="{NINE}"', -HA * 0.75, 2e-3, HA),
        (HEAD + f' stress="{NINE}" stress-unit=GPa', -1.5, 2.0, -128 * units.GPa),
        (HEAD + f' stress="{NINE}" stress-unit=eV/Å^3', -1.5, 2.0, -128.0),
        (HEAD + " note='energy=3' other={a b}", -1.5, 2.0, None),
    ],
)
def test_spellings(
    tmp_path: Path, head: str, energy: float, force: float, virial: float | None
) -> None:
    labels = labels_of(read_text(tmp_path, f"2\n{head}\n{ROWS}\n\n")[0])
    assert labels.energy == pytest.approx(energy, rel=1e-12)
    assert labels.forces[0, 1] == pytest.approx(force, rel=1e-12)
    assert (None if labels.virial is None else labels.virial[0, 1]) == pytest.approx(virial)


@pytest.mark.parametrize("head", [HEAD.replace("-1.5", "None"), HEAD.replace(" energy=-1.5", "")])
def test_forces_without_energy_are_no_labels(tmp_path: Path, head: str) -> None:
    atoms = read_text(tmp_path, f"2\n{head}\n{ROWS}")[0]
    assert atoms.calc is None
    np.testing.assert_array_equal(atoms.arrays["forces"], [[1, 2, 3], [4, 5, 6]])
    text = frame_text(atoms)
    assert "energy" not in text
    np.testing.assert_array_equal(read_text(tmp_path, text)[0].arrays["forces"][1], [4, 5, 6])


def test_bare_structure_and_columns_in_another_order(tmp_path: Path) -> None:
    head = "Properties=id:I:1:force:R:3:pos:R:3:species:S:1 energy=2"
    atoms = read_text(tmp_path, f"1\n{head}\n7 1 2 3 4 5 6 Si\n")[0]
    assert atoms.positions.tolist() == [[4, 5, 6]]
    assert labels_of(atoms).forces.tolist() == [[1, 2, 3]]
    assert not atoms.pbc.any()
    plain = read_text(tmp_path, "1\na comment\nSi 1 2 3\n")[0]
    assert plain.positions.tolist() == [[1, 2, 3]]


TWO_FORCES = HEAD.replace("force:R:3", "force:R:3:REF_force:R:3")
WITH_NUMBERS = HEAD.replace("species:S:1:", "species:S:1:Z:I:1:")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no frame"),
        ("x\n", "frame 0"),
        ("hello\nworld\n", "found 'hello'; expected the number of its atoms"),
        ("0\n\n", "found '0'; expected"),
        ("-3\n\n", "found '-3'; expected"),
        (f"99999999999\n{HEAD}\n{ROWS}", "found '99999999999'; expected"),
        (f"999999999\n{HEAD}\n{ROWS}", "ends before the last of its 999999999 atoms"),
        (f"2\n{HEAD}\nX 0 0 0 1 2 3\nAu 1 1 1 4 5 6\n", "no element is called 'X'"),
        (f"2\n{HEAD}\nAg 0 0 0 1 2 3\n", "ends before the last of its 2 atoms"),
        (f"2\n{HEAD}\n{ROWS}2\n{HEAD}\nAg 0 0 0 1 2 3\nAu 1 1", "frame 1 .* 3 columns, not 7"),
        (f"2\n{HEAD}\n{ROWS}2\n{HEAD}\n", "frame 1 .*ends before"),
        (f"2\n{HEAD}\n{ROWS}2\n", "frame 1"),
        (f"2\n{HEAD}\nXx 0 0 0 1 2 3\nAu 1 1 1 4 5 6\n", "no element is called 'Xx'"),
        (f"2\n{HEAD}\nAg 0 0 0 1 2 3\nAu 1 1 1 4 5 ****\n", r"\*\*\*\*"),
        (f"2\n{HEAD}\nAg 0 0 0 1 2 3\nAu 1 1 1 4 5 nan\n", "forces must be finite"),
        (f"2\n{HEAD}\nAg 0 0 inf 1 2 3\nAu 1 1 1 4 5 6\n", "positions must be finite"),
        (f"2\n{HEAD.replace('-1.5', 'inf')}\n{ROWS}", "energy must be finite"),
        (f'2\n{HEAD} virial="1 2 3"\n{ROWS}', "virial holds 3 numbers, not 9"),
        (f'2\n{HEAD} virial="1 2 3 4 5 6"\n{ROWS}', "virial holds 6 numbers, not 9"),
        (f"2\n{HEAD} energy=-999.0\n{ROWS}", "energy is given several times"),
        (f"2\n{HEAD} Energy=-999.0\n{ROWS}", "energy is given several times"),
        (f"2\n{HEAD} REF_energy=-2\n{ROWS}", "energy=-1.5, REF_energy=-2; which is the label"),
        (f'2\n{HEAD} virial="{NINE}" stress="{NINE}"\n{ROWS}', "virial and stress do not belong"),
        (f'2\n{HEAD} virial="{NINE}" virials="9 {NINE[2:]}"\n{ROWS}', "virial and virials do not"),
        (f"2\n{HEAD} pbc=[T,T]\n{ROWS}", "pbc is 'T,T'; three of T and F"),
        (f'2\n{HEAD} pbc="T T maybe"\n{ROWS}', "pbc is 'T T maybe'"),
        (f"2\n{HEAD} energy-unit=furlong\n{ROWS}", "energy-unit=furlong is no unit"),
        (f"2\n{HEAD} energy-unit=hartree\n{ROWS}", "names none of forces"),
        (f"2\n{HEAD} force-unit=eV\n{ROWS}", "force-unit=eV is no unit"),
        (f'2\n{HEAD} comment="open\n{ROWS}', "cannot be read from .*comment="),
        (f"2\n{TWO_FORCES}\nAg 0 0 0 1 2 3 1 2 3\nAu 1 1 1 4 5 6 4 5 7\n", "force and ref_force"),
        (f"2\n{HEAD.replace('force:R:3', 'force:R:2')}\nAg 0 0 0 1 2\nAu 0 0 1 1 2\n", "2 columns"),
        (f"2\n{WITH_NUMBERS}\nAg 47 0 0 0 1 2 3\nAu 47 1 1 1 4 5 6\n", "different elements"),
        (f"2\n{WITH_NUMBERS}\nAg 47.5 0 0 0 1 2 3\nAu 79 1 1 1 4 5 6\n", "no atomic number"),
        (f"2\n{HEAD.replace('species', 'type')}\n{ROWS}", "names no species"),
        (f"2\n{HEAD.replace('pos:', 'nowhere:')}\n{ROWS}", "names no pos"),
        (f"2\n{HEAD.replace(':R:3:', ':R:')}\n{ROWS}", "name:type:columns"),
    ],
)
def test_bad_files_are_refused_by_name(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_text(tmp_path, text)
    assert "some.xyz" in str(caught.value)


@pytest.mark.parametrize("name", ["absent.xyz", "."])
def test_unreadable(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_extxyz(tmp_path / name)


def test_every_cut_is_noticed(tmp_path: Path, frames: list[Atoms]) -> None:
    text = "".join(map(frame_text, frames[:2]))
    first = len(frame_text(frames[0]))
    for length in range(first + 1, len(text) - 30, 13):
        with pytest.raises(InputError, match="frame 1"):
            read_text(tmp_path, text[:length])


def test_frames_come_one_by_one(tmp_path: Path, frames: list[Atoms]) -> None:
    path = tmp_path / "long.xyz"
    path.write_text(frame_text(frames[0]) + "torn")
    stream = iterate_extxyz(path)
    assert_same(next(stream), frames[0])
    with pytest.raises(InputError):
        next(stream)


@pytest.mark.parametrize(
    ("words", "periodic"),
    [
        ("pbc=[T,T,F]", [True, True, False]),
        ("pbc=[T, F, T]", [True, False, True]),
        ('pbc="true False 1"', [True, False, True]),
        ("pbc={F F F}", [False] * 3),
        ("", [True] * 3),
    ],
)
def test_boundaries(tmp_path: Path, words: str, periodic: list[bool]) -> None:
    atoms = read_text(tmp_path, f"2\n{HEAD} {words}\n{ROWS}")[0]
    assert atoms.pbc.tolist() == periodic


def test_elements_by_number(tmp_path: Path) -> None:
    head = HEAD.replace("species:S:1", "numbers:I:1")
    atoms = read_text(tmp_path, f"2\n{head}\n47 0 0 0 1 2 3\n79 1 1 1 4 5 6\n")[0]
    assert atoms.get_chemical_symbols() == ["Ag", "Au"]


def test_lengths_in_bohr(tmp_path: Path) -> None:
    atoms = read_text(tmp_path, f"2\n{HEAD} length-unit=bohr\n{ROWS}")[0]
    np.testing.assert_allclose(atoms.positions[1], [BOHR] * 3, rtol=1e-12)
    np.testing.assert_allclose(atoms.cell.lengths(), [4 * BOHR] * 3, rtol=1e-12)


def test_what_is_left_out_or_chosen_is_said_once_a_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frame = f'2\n{HEAD} free_energy=-1.7 xtb_virial="{NINE}"\n{ROWS}'
    read_text(tmp_path, frame * 3)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert "some.xyz: free_energy is taken, of which the forces are the derivatives" in said[0]
    assert said[1].endswith("xtb_virial is not read")


def test_a_frame_without_labels_says_what_sounds_like_some(tmp_path: Path) -> None:
    head = HEAD.replace("energy", "MACE_energy").replace("force", "MACE_forces")
    atoms = read_text(tmp_path, f"2\n{head}\n{ROWS}")[0]
    assert atoms.calc is None
    assert why_unlabelled(atoms).startswith(
        "has no energy and forces; there are MACE_energy, mace_forces "
    )
    bare = read_text(tmp_path, "1\na comment\nSi 1 2 3\n")[0]
    assert why_unlabelled(bare) == "has no energy and forces"


def test_the_user_names_the_labels(tmp_path: Path) -> None:
    path = tmp_path / "some.xyz"
    head = TWO_FORCES + f' REF_energy=-2 virial="{NINE}" stress="{NINE}"'
    path.write_text(f"2\n{head}\nAg 0 0 0 1 2 3 1 9 3\nAu 1 1 1 4 5 6 4 5 7\n")
    names = LabelNames("ref_energy", "REF_force", "stress")
    labels = labels_of(next(iterate_extxyz(path, names=names)))
    assert labels.energy == -2.0
    assert labels.forces[0, 1] == 9.0
    assert labels.virial is not None
    assert labels.virial[0, 1] == pytest.approx(-128.0)
    with pytest.raises(InputError, match="there is no key my_energy"):
        next(iterate_extxyz(path, names=LabelNames("my_energy", "force", "virial")))


def test_names_for_ase(tmp_path: Path, frames: list[Atoms]) -> None:
    write_extxyz(tmp_path / "ase.xyz", frames, "ase")
    for theirs, ours in zip(ase.io.read(tmp_path / "ase.xyz", ":"), frames):
        labels = labels_of(ours)
        np.testing.assert_array_equal(theirs.get_forces(), labels.forces)
        assert theirs.get_potential_energy() == labels.energy
        if labels.virial is not None:
            stress = theirs.get_stress(voigt=False)
            np.testing.assert_allclose(-stress * ours.get_volume(), labels.virial, rtol=1e-9)
    for found, ours in zip(read_extxyz(tmp_path / "ase.xyz"), frames):
        assert_same(found, ours, 1e-9)


def test_names_for_mace(tmp_path: Path, frames: list[Atoms]) -> None:
    write_extxyz(tmp_path / "mace.xyz", frames, "mace")
    for theirs, ours in zip(ase.io.read(tmp_path / "mace.xyz", ":"), frames):
        labels = labels_of(ours)
        assert theirs.calc is None
        np.testing.assert_array_equal(theirs.arrays["REF_forces"], labels.forces)
        assert theirs.info["REF_energy"] == labels.energy
        assert ("REF_stress" in theirs.info) == (labels.virial is not None)
        if labels.virial is not None:
            stress = np.reshape(theirs.info["REF_stress"], (3, 3))
            np.testing.assert_allclose(-stress * ours.get_volume(), labels.virial, rtol=1e-9)
    for found, ours in zip(read_extxyz(tmp_path / "mace.xyz"), frames):
        assert_same(found, ours, 1e-9)


@pytest.mark.parametrize("names", ["ase", "mace"])
def test_a_virial_without_a_cell_is_no_stress(names: str) -> None:
    atoms = Atoms("OH", [[0, 0, 0], [0, 0, 1]])
    set_labels(atoms, -1.0, np.zeros((2, 3)), np.eye(3))
    assert 'virial="1.0 0.0' in frame_text(atoms)
    with pytest.raises(InputError, match="a frame without a cell has a virial, which is no stress"):
        frame_text(atoms, names)
    set_labels(atoms, -1.0, np.zeros((2, 3)))
    assert "stress" not in frame_text(atoms, names)


@pytest.mark.parametrize(
    ("head", "pbc"),
    [
        ('Lattice="0 0 0 0 0 0 0 0 0"', [False] * 3),
        ('Lattice="4 0 0 0 4 0 0 0 0"', [True, True, False]),
        ('Lattice="4 0 0 0 4 0 0 0 0" pbc="T T F"', [True, True, False]),
    ],
)
def test_an_axis_without_a_vector_is_open(head: str, pbc: list[bool], tmp_path: Path) -> None:
    text = f"2\n{head} Properties=species:S:1:pos:R:3:force:R:3 energy=-1.5\n{ROWS}"
    assert read_text(tmp_path, text)[0].pbc.tolist() == pbc


@pytest.mark.parametrize("lattice", ["", 'Lattice="4 0 0 0 4 0 0 0 0"'])
def test_periodic_without_a_lattice_is_refused(lattice: str, tmp_path: Path) -> None:
    text = f'2\n{lattice} Properties=species:S:1:pos:R:3 pbc="T T T"\nAg 0 0 0\nAu 1 1 1\n'
    with pytest.raises(
        InputError, match="frame 0 .* there is no lattice vector along such an axis"
    ):
        read_text(tmp_path, text)


MAGMOMS = f"2\n{HEAD.replace('force:R:3', 'force:R:3:dft_magmom:R:1')}\n{ROWS}"
MAGMOMS = MAGMOMS.replace("1 2 3", "1 2 3 2.0").replace("4 5 6", "4 5 6 -2.0")
REF = 'Lattice="4 0 0 0 4 0 0 0 4" Properties=species:S:1:pos:R:3:REF_forces:R:3 REF_energy=-2'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"2\n{HEAD}\n{ROWS}2\n{REF}\n{ROWS}", "under energy in some frames and under REF_energy"),
        (f"2\n{HEAD}\n{ROWS[:-1]}", "the last line has no end: was the file cut off there?"),
        (f"2\n{HEAD}\n{ROWS.replace('Ag', 'AG')}", "AG is read as the element Ag"),
        (f'2\n{HEAD} virial="1 9 0 0 1 0 0 0 1"\n{ROWS}', "virial is not symmetric"),
        (f"2\n{HEAD} REF_free_energy=-3\n{ROWS}", "REF_free_energy is taken, of which the forces"),
        (f"2\n{HEAD} charge=-1\n{ROWS}", "charge is not read: data of several charges or spins"),
        (f"2\n{HEAD} Spin=3\n{ROWS}", "Spin is not read: data of several charges or spins"),
        (f"2\n{HEAD} config_forces_weight=0.0\n{ROWS}", "config_forces_weight=0 is not read: the"),
        (MAGMOMS, "the column dft_magmom is not read"),
    ],
)
def test_what_may_be_meant_otherwise_is_said(
    text: str, words: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    read_text(tmp_path, text)
    assert words in caplog.text


@pytest.mark.parametrize("words", ["charge=0 spin=1", "config_weight=2.0", "multiplicity=1"])
def test_nothing_is_said_of_what_is_usual(
    words: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    read_text(tmp_path, f"2\n{HEAD} {words}\n{ROWS}")
    assert caplog.text == ""


@pytest.mark.parametrize(
    "lattice", ["[[4,0,0],[1,4,0],[0,0,4]]", '"[[4, 0, 0], [1, 4, 0], [0, 0, 4]]"']
)
def test_vectors_that_may_be_rows_or_columns_are_refused(lattice: str, tmp_path: Path) -> None:
    head = HEAD.replace('"4 0 0 0 4 0 0 0 4"', lattice)
    with pytest.raises(InputError, match="some write the vectors as rows and others as columns"):
        read_text(tmp_path, f"2\n{head}\n{ROWS}")
    (same,) = read_text(tmp_path, f"2\n{head.replace('1', '0', 1)}\n{ROWS}")
    assert same.cell.array.tolist() == np.diag([4.0] * 3).tolist()
    (flat,) = read_text(tmp_path, f"2\n{HEAD.replace('0 4 0', '1 4 0')}\n{ROWS}")
    assert flat.cell.array.tolist() == [[4, 0, 0], [1, 4, 0], [0, 0, 4]]


def test_nothing_is_said_of_a_plain_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, frames: list[Atoms]
) -> None:
    write_extxyz(tmp_path / "a.xyz", frames)
    read_extxyz(tmp_path / "a.xyz")
    assert caplog.text == ""


def test_free_energies_that_differ_are_refused(tmp_path: Path) -> None:
    text = f"2\n{HEAD} free_energy=-3 REF_free_energy=-4\n{ROWS}"
    with pytest.raises(InputError, match="several energies that differ: free_energy=-3, REF_free"):
        read_text(tmp_path, text)
