"""`pwact build`: the physics of what it makes, what it refuses, and the way into a data set."""

from __future__ import annotations

import itertools
import json
import math
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from pwact.atom_properties import KINDS, MOMENTS
from pwact.cli.main import main
from pwact.errors import UsageError
from pwact.fixed_atoms import any_fixed, fix
from pwact.formats.extxyz import read_extxyz
from pwact.formats.labels import labels_of
from pwact.formats.structures import read_structure, write_structure
from pwact.geometry import shortest_distance
from pwact.tools.structures.built import Built, write
from pwact.tools.structures.surface import Slab, basis, slabs
from tests.commands import pwact

COPPER = 3.61
PYTHON = shlex.quote(sys.executable)
SHOWN = (
    "surface Cu.cif --miller 1 1 1 --miller 1 0 0 --layers 4 --vacuum 15",
    "vacancy Cu.cif --super_cell 2 2 2 --missing 2 --structures 3",
    "atom Cu.cif",
    "dimer Cu.cif --distance 2.0 2.2 2.6 3.2",
    "amorphous Cu32 --density 8 --min_distance 2.2 --structures 2",
)


@pytest.fixture(autouse=True)
def crystals(here: Path) -> None:
    """Files of crystals in the working directory."""
    bulk("Cu", "fcc", COPPER, cubic=True).write(here / "Cu.cif")
    bulk("NaCl", "rocksalt", 5.64, cubic=True).write(here / "NaCl.cif")


def built(words: str, folder: str = "starts") -> dict[str, Atoms]:
    """What a command makes, by the name of the file."""
    assert main(["build", *words.split(), "-o", folder]) == 0
    return {path.name: read_structure(path, "extxyz") for path in sorted(Path(folder).iterdir())}


def refused(capsys: pytest.CaptureFixture[str], words: str) -> str:
    """The one line by which a command is refused, which writes nothing."""
    before = sorted(Path.cwd().rglob("*"))
    assert main(["build", *words.split()]) == 2
    assert sorted(Path.cwd().rglob("*")) == before
    return capsys.readouterr().err.strip()


def heights(slab: Atoms) -> np.ndarray:
    """Heights of the planes of atoms, in Å."""
    return np.unique(slab.positions[:, 2].round(6))


@pytest.mark.parametrize(
    ("miller", "planes", "spacing"),
    [
        ("1 1 1", 3, COPPER / np.sqrt(3)),
        ("1 0 0", 6, COPPER / 2),
        ("1 -1 0", 6, COPPER / np.sqrt(8)),
    ],
)
def test_a_slab_has_the_planes_of_its_crystal(miller: str, planes: int, spacing: float) -> None:
    made = built(f"surface Cu.cif --miller {miller} --layers 3 --vacuum 13 --repeat 1 2")
    (slab,) = made.values()
    assert list(made) == [f"Cu-surface-{miller.replace(' ', '_')}-cut0.xyz"]
    assert len(slab) == 3 * 4 * 2
    np.testing.assert_allclose(np.diff(heights(slab)), [spacing] * (planes - 1), atol=1e-5)
    assert slab.cell[2, 2] - np.ptp(slab.positions[:, 2]) == pytest.approx(13)
    assert slab.positions[:, 2].min() == pytest.approx(13 / 2)
    assert slab.pbc.all()
    assert shortest_distance(slab) == pytest.approx(COPPER / np.sqrt(2))


def gaps_at_the_faces(slab: Atoms) -> tuple[float, float]:
    found = np.diff(heights(slab))
    return float(found[0]), float(found[-1])


def test_silicon_is_cut_between_bilayers_and_through_one() -> None:
    silicon = bulk("Si", "diamond", 5.43, cubic=True)
    wide, narrow = slabs(silicon, Slab((2, 2, 2), layers=3))
    inner, outer = 5.43 * np.sqrt(3) / 12, 5.43 * np.sqrt(3) / 4
    assert gaps_at_the_faces(wide.atoms) == pytest.approx((inner, inner))
    assert gaps_at_the_faces(narrow.atoms) == pytest.approx((outer, outer))
    assert f"{outer:.2f}" in wide.note
    assert len(wide.atoms) == len(narrow.atoms) == 3 * 8
    assert [one.name for one in slabs(silicon, Slab((1, 1, 1), cuts=1))] == [wide.name]


def test_a_polar_slab_has_both_faces() -> None:
    (slab,) = built("surface NaCl.cif --miller 1 1 1").values()
    order = np.argsort(slab.positions[:, 2])
    symbols = np.array(slab.get_chemical_symbols())[order]
    assert {symbols[0], symbols[-1]} == {"Na", "Cl"}
    assert len(set(symbols[:4])) == len(set(symbols[-4:])) == 1


def handed(atoms: Atoms) -> float:
    """Triple product of the vectors from Cu to the nearest Ag, Pt and Au, in Å³."""
    copper = int(np.flatnonzero(atoms.numbers == 29)[len(atoms) // 8])
    vectors = atoms.get_distances(copper, range(len(atoms)), mic=True, vector=True)
    nearest = [min(vectors[atoms.numbers == number], key=np.linalg.norm) for number in (47, 78, 79)]
    return float(np.linalg.det(nearest))


def test_a_crystal_is_turned_and_not_mirrored() -> None:
    cell = [[9, 0, 0], [0.7, 9.3, 0], [0.5, 0.9, 10.1]]
    places = [[4, 4, 4], [4.6, 4.1, 4], [4, 4.7, 4.05], [4.1, 4.05, 4.9]]
    chiral = Atoms("CuAgPtAu", places, cell=cell, pbc=True)
    for miller in itertools.product(range(-2, 3), repeat=3):
        if any(miller):
            vectors = basis(np.array(miller) // math.gcd(*miller), chiral.cell.array)
            assert round(np.linalg.det(vectors)) == 1
            slab = slabs(chiral, Slab(miller, layers=2, cuts=1))[0].atoms
            assert handed(slab) == pytest.approx(handed(chiral))
            spacing = 1 / np.linalg.norm(np.linalg.inv(cell) @ miller) * math.gcd(*miller)
            area = np.linalg.norm(np.cross(slab.cell[0], slab.cell[1]))
            assert area * spacing == pytest.approx(chiral.cell.volume)
            along, across = slab.cell[0], slab.cell[1]
            assert abs(along @ across) <= (along @ along) / 2 + 1e-9  # none is shorter
            fractions = slab.cell.scaled_positions(slab.positions)
            assert ((fractions >= 0) & (fractions < 1)).all()


def test_moments_turn_with_the_crystal() -> None:
    iron = bulk("Fe", "bcc", 2.87, cubic=True)
    del iron.arrays[MOMENTS]
    iron.set_array(MOMENTS, np.array([[2.2, 0, 0], [0, 2.2, 0]]))
    (slab,) = slabs(iron, Slab((1, 0, 0), layers=2))
    np.testing.assert_allclose(sorted(slab.atoms.arrays[MOMENTS][:, 2]), [0, 0, 2.2, 2.2])


def test_what_belongs_to_an_atom_goes_into_the_slab_but_not_that_it_is_held() -> None:
    iron = bulk("Fe", "bcc", 2.87, cubic=True)
    iron.set_array(MOMENTS, np.array([2.2, -2.2]))
    iron.set_array(KINDS, np.array([1, 2]))
    fix(iron, np.array([True, False]))
    (slab,) = slabs(iron, Slab((1, 1, 0), layers=2))
    assert sorted(slab.atoms.arrays[MOMENTS]) == [-2.2, -2.2, 2.2, 2.2]
    np.testing.assert_array_equal(slab.atoms.arrays[KINDS] == 1, slab.atoms.arrays[MOMENTS] > 0)
    assert not any_fixed(slab.atoms)


def test_vacancies_differ_and_repeat_with_their_seed() -> None:
    words = "vacancy Cu.cif --super_cell 2 2 2 --missing 2"
    made = list(built(f"{words} --structures 4").values())
    assert [len(atoms) for atoms in made] == [30] * 4
    whole = bulk("Cu", "fcc", COPPER, cubic=True) * (2, 2, 2)

    def apart(atoms: Atoms) -> float:
        """How far the two missing atoms lie from each other."""
        together = Atoms("Cu30", atoms.positions, cell=atoms.cell, pbc=True)
        missing = [site for site in whole.positions if not _there(together, site)]
        pair = Atoms("Cu2", missing, cell=atoms.cell, pbc=True)
        return float(pair.get_distance(0, 1, mic=True))

    assert len({round(apart(atoms), 3) for atoms in made}) == 4
    again = built(f"{words} --structures 4", "again").values()
    assert all(np.array_equal(a.positions, b.positions) for a, b in zip(made, again))
    other = built(f"{words} --structures 4 --seed 1", "other").values()
    assert any(not np.array_equal(a.positions, b.positions) for a, b in zip(made, other))


def _there(atoms: Atoms, site: np.ndarray) -> bool:
    moved = (atoms.positions - site) @ np.linalg.inv(atoms.cell.array)
    moved -= np.round(moved)
    return bool((np.linalg.norm(moved @ atoms.cell.array, axis=1) < 1e-3).any())


def test_vacancies_of_a_compound_are_of_the_element_that_is_asked_for() -> None:
    either = built("vacancy NaCl.cif --super_cell 2 1 1 --structures 2", "either").values()
    assert {atoms.get_chemical_formula() for atoms in either} == {"Cl7Na8", "Cl8Na7"}
    (one,) = built("vacancy NaCl.cif --super_cell 2 1 1 --element Cl").values()
    assert one.get_chemical_formula() == "Cl7Na8"


def test_atoms_and_dimers_are_alone_in_their_boxes() -> None:
    atoms = built("atom NaCl.cif Cu.cif --cutoff 5", "atoms")
    assert list(atoms) == ["atom-Cl.xyz", "atom-Cu.xyz", "atom-Na.xyz"]
    assert all(len(one) == 1 and shortest_distance(one) == 10 for one in atoms.values())
    made = built("dimer NaCl.cif --distance 2 2.75 --cutoff 5 --box 13")
    pairs = ("Cl-Cl", "Na-Cl", "Na-Na")
    assert sorted(made) == sorted(f"dimer-{p}-{d}.xyz" for p in pairs for d in ("2", "2.75"))
    for name, pair in made.items():
        assert pair.get_distance(0, 1) == pytest.approx(float(name[12:-4]))
        assert shortest_distance(pair) == pytest.approx(float(name[12:-4]))
        np.testing.assert_array_equal(pair.cell.lengths(), [13] * 3)
        assert pair.pbc.all()


def test_random_places_keep_distance_and_density() -> None:
    words = "amorphous Zr32Cu32 --density 7.2 --min_distance 2.55"
    first, second = built(f"{words} --structures 2").values()
    for atoms in (first, second):
        assert atoms.get_chemical_formula() == "Cu32Zr32"
        assert shortest_distance(atoms) >= 2.55
        grams = atoms.get_masses().sum() * 1.66053906660e-24
        assert grams / (atoms.cell.volume * 1e-24) == pytest.approx(7.2, rel=1e-6)
        fractions = atoms.cell.scaled_positions(atoms.positions)
        assert ((fractions >= 0) & (fractions < 1)).all()
    assert not np.allclose(first.positions, second.positions)
    again, _ = built(f"{words} --structures 2", "again").values()
    np.testing.assert_array_equal(first.positions, again.positions)
    (dense,) = built("amorphous Cu8 --volume 100 --min_distance 1.5", "dense").values()
    assert dense.cell.volume == pytest.approx(100)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("surface Cu.cif --miller 0 0 0", "--miller 0 0 0 is no plane"),
        ("surface Cu.cif --miller 1 1 1 --vacuum 11.9", "expected at least 12 Å, twice --cutoff"),
        ("surface Cu.cif --miller 1 1 x", "found 'x'; expected an integer"),
        ("surface no.cif --miller 1 1 1", "no.cif: does not exist"),
        ("surface open.xyz --miller 1 1 1", "open.xyz: is open along an axis; expected a crystal"),
        ("surface left.vasp --miller 1 1 1", "left.vasp: the cell is left-handed"),
        ("vacancy Cu.cif --missing 4", "there are 4 such atoms of 4, and one must be left"),
        ("vacancy Cu.cif --element Fe", "there is none; expected one of Cu"),
        ("vacancy Cu.cif --super_cell 2 2 2 --structures 2", "found only 1 that differ"),
        ("atom Cu.cif --box 11.9", "--box 11.9 is too small: expected at least 12 Å"),
        (
            "dimer Cu.cif --distance 2 3 --box 14.9",
            "at least 15 Å, twice --cutoff and the distance",
        ),
        ("dimer Cu.cif --distance 0.4", "--distance 0.4 cannot be meant"),
        ("amorphous Cu32 --volume 300 --min_distance 2.3", "at random are at most 2.20 Å apart"),
        ("amorphous Cu32 --volume 300 --min_distance 0.4", "--min_distance 0.4 cannot be meant"),
        ("amorphous Cu --volume 8 --min_distance 2.01", "at random are at most 2.00 Å apart"),
        ("amorphous Xx3 --volume 300 --min_distance 2", "found 'Xx3'; expected the formula"),
        ("amorphous Cu32 --min_distance 2", "--density --volume is required"),
        ("slab Cu.cif", "invalid choice: 'slab'"),
    ],
)
def test_what_cannot_be_built_is_one_line(
    words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    open_slab = bulk("Cu", cubic=True)
    open_slab.pbc = (True, True, False)
    write_structure(Path("open.xyz"), open_slab, "extxyz")
    left = "left\n1\n0 3 0\n3 0 0\n0 0 3\nCu\n1\nDirect\n0 0 0\n"
    Path("left.vasp").write_text(left, encoding="utf-8")
    message = refused(capsys, words)
    assert said in message
    assert len(message.split("\nusage: ")[0].splitlines()) == 1


def test_each_kind_has_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "surface", "help"]) == 0
    assert "--miller H K L" in capsys.readouterr().out
    assert main(["build", "dimer"]) == 0
    assert "--distance" in capsys.readouterr().out
    assert main(["build", "-h"]) == 0
    assert "atoms at random places" in capsys.readouterr().out


def test_nothing_is_overwritten(capsys: pytest.CaptureFixture[str]) -> None:
    built("dimer Cu.cif --distance 2.5")
    before = Path("starts/dimer-Cu-Cu-2.5.xyz").read_bytes()
    assert 'note="Cu2: dimer, 2.5 A apart, in a box of 14.5 A"' in before.decode()
    said = refused(capsys, "dimer Cu.cif --distance 2.0 2.5")
    assert "dimer-Cu-Cu-2.5.xyz is there already, and is not overwritten" in said
    assert Path("starts/dimer-Cu-Cu-2.5.xyz").read_bytes() == before
    assert "Cu.cif is not a directory" in refused(capsys, "dimer Cu.cif --distance 2 -o Cu.cif")


def test_a_name_that_is_taken_meanwhile_stays_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, other = (Built(name, "", bulk("Cu")) for name in ("a.xyz", "b.xyz"))

    class Late(Built):
        """Somebody else writes the second file while this one is written."""

        @property
        def text(self) -> str:
            Path("starts/b.xyz").write_text("mine", encoding="utf-8")
            return super().text

    with pytest.raises(UsageError, match=r"b\.xyz is there already"):
        write([Late(one.name, "", one.atoms), other], Path("starts"))
    assert [path.name for path in Path("starts").iterdir()] == ["b.xyz"]
    assert Path("starts/b.xyz").read_text(encoding="utf-8") == "mine"


def test_the_page_makes_a_data_set(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert [main(["build", *words.split()]) for words in SHOWN] == [0] * len(SHOWN)
    said = capsys.readouterr().out
    listed = [line.strip('",') for line in said.splitlines() if line.startswith('"starts/')]
    assert sorted(listed) == sorted(f"starts/{path.name}" for path in (here / "starts").iterdir())
    entries = [
        {"config": "starts/Cu-surface-1_1_1-cut0.xyz", "perturb": 1, "scf": True},
        {"config": "starts/Cu-vacancy-0.xyz", "scale": [0.98], "perturb": 1, "scf": True},
        {"config": "starts/dimer-Cu-Cu-2.2.xyz", "scf": True},
    ]
    param = {"dft_style": "ase", "scf_input": "emt.json", "seed": 1, "sys_configs": entries}
    resource = {"scheduler": "local", "DFT": {"command": PYTHON, "group_size": 5}}
    files = {"emt.json": {"calculator": "emt"}, "param.json": param, "resource.json": resource}
    for name, content in files.items():
        (here / name).write_text(json.dumps(content), encoding="utf-8")
    pwact(here, "init_bulk", "param.json", "resource.json", "--strict")
    listed = (here / "collection" / "datapath.txt").read_text(encoding="utf-8").splitlines()
    (data,) = (Path(line.strip('", ')) for line in listed)
    frames = read_extxyz(data)
    assert [len(frame) for frame in frames] == [16, 30, 2]
    for frame in frames:
        labels = labels_of(frame)
        frame.calc = EMT()
        assert labels.energy == pytest.approx(frame.get_potential_energy(), abs=1e-6)
        np.testing.assert_allclose(labels.forces, frame.get_forces(), atol=1e-6)
    assert np.abs(labels_of(read_extxyz(data)[-1]).forces[:, 0]).min() > 0.1
