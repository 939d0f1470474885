from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from pwact.errors import InputError, TaskError
from pwact.formats.deepmd_npy import read_deepmd, write_deepmd
from pwact.formats.labels import labels_of, set_labels
from tests.formats.conftest import assert_same

TYPES = ["Au", "Cu", "Ag"]


def by_type(atoms: Atoms) -> Atoms:
    """Gold first, each element in its order."""
    order = [i for symbol in TYPES for i, own in enumerate(atoms.symbols) if own == symbol]
    labels = labels_of(atoms)
    sorted_atoms = atoms[order]
    set_labels(sorted_atoms, labels.energy, labels.forces[order], labels.virial)
    return sorted_atoms


def test_round_trip(tmp_path: Path, frames: list[Atoms]) -> None:
    folders = write_deepmd(tmp_path / "data", frames, TYPES)
    assert [folder.name for folder in folders] == ["Ag5Au3", "Ag6Au2"]
    expected = [by_type(frames[k]) for k in (0, 2, 3, 5, 1, 4)]
    found = read_deepmd(tmp_path / "data")
    assert len(found) == len(expected)
    for one, other in zip(found, expected):
        assert_same(one, other, 1e-12)


def test_a_left_handed_cell_is_written_as_a_right_handed_one(
    tmp_path: Path, frames: list[Atoms]
) -> None:
    left = frames[0].copy()
    left.set_cell(left.cell.array[[1, 0, 2]])
    labels = labels_of(frames[0])
    set_labels(left, labels.energy, labels.forces, labels.virial)
    (found,) = read_deepmd(write_deepmd(tmp_path, [left], TYPES)[0])
    expected = frames[0].copy()
    expected.set_cell(-left.cell.array)
    set_labels(expected, labels.energy, labels.forces, labels.virial)
    assert np.linalg.det(found.cell.array) > 0
    assert_same(found, by_type(expected), 1e-12)


def test_files(tmp_path: Path, frames: list[Atoms]) -> None:
    folder = write_deepmd(tmp_path, frames, TYPES)[0]
    assert (folder / "type_map.raw").read_text().split() == TYPES
    assert (folder / "type.raw").read_text().split() == ["0"] * 3 + ["2"] * 5
    found = {path.stem: np.load(path) for path in (folder / "set.000").glob("*.npy")}
    assert {name: array.shape for name, array in found.items()} == {
        "box": (4, 9),
        "coord": (4, 24),
        "energy": (4,),
        "force": (4, 24),
        "virial": (4, 9),
    }
    assert all(array.dtype == np.float64 for array in found.values())


def test_pwdata_reads_the_same(tmp_path: Path, frames: list[Atoms]) -> None:
    from pwdata import Config

    folder = write_deepmd(tmp_path, frames, TYPES)[0]
    images = Config(format="deepmd/npy", data_path=str(folder)).images
    expected = [by_type(frames[k]) for k in (0, 2, 3, 5)]
    assert len(images) == 4
    for image, atoms in zip(images, expected):
        labels = labels_of(atoms)
        np.testing.assert_array_equal(np.ravel(image.atom_types_image), atoms.numbers)
        positions = image.position if image.cartesian else image.position @ image.lattice
        np.testing.assert_allclose(positions, atoms.positions, atol=1e-10)
        np.testing.assert_array_equal(image.force, labels.forces)
        np.testing.assert_array_equal(np.reshape(image.virial, (3, 3)), labels.virial)
        assert float(np.ravel(image.Ep)[0]) == labels.energy


def test_virial_only_if_all_have_it(tmp_path: Path, frames: list[Atoms]) -> None:
    bare = frames[0].copy()
    set_labels(bare, 0.0, np.zeros((8, 3)))
    folder = write_deepmd(tmp_path, [bare, frames[2]], TYPES)[0]
    assert not (folder / "set.000" / "virial.npy").exists()
    assert labels_of(read_deepmd(folder)[1]).virial is None


def test_an_older_folder_is_replaced(tmp_path: Path, frames: list[Atoms]) -> None:
    write_deepmd(tmp_path, frames, TYPES)
    folder = write_deepmd(tmp_path, frames[:1], TYPES)[0]
    assert len(read_deepmd(folder)) == 1


def test_refusals(tmp_path: Path, frames: list[Atoms]) -> None:
    with pytest.raises(TaskError, match=r"Ag not in the type map \(Au\)"):
        write_deepmd(tmp_path, frames, ["Au"])
    with pytest.raises(TaskError, match="no labels"):
        write_deepmd(tmp_path, [bulk("Ag")], TYPES)
    with pytest.raises(InputError, match="no deepmd/npy data"):
        read_deepmd(tmp_path / "absent")
    folder = write_deepmd(tmp_path, frames, TYPES)[0]
    (folder / "set.000" / "force.npy").unlink()
    with pytest.raises(InputError, match="force"):
        read_deepmd(folder)


def test_open_boundaries(tmp_path: Path, frames: list[Atoms]) -> None:
    free = frames[0].copy()
    free.pbc = False
    set_labels(free, -1.5, labels_of(frames[0]).forces, None)
    (folder,) = write_deepmd(tmp_path / "data", [free], TYPES)
    assert (folder / "nopbc").exists()
    (found,) = read_deepmd(tmp_path / "data")
    assert_same(found, by_type(free), 1e-12)
    assert not found.pbc.any()
    (folder / "set.000" / "box.npy").unlink()
    (found,) = read_deepmd(tmp_path / "data")
    assert not found.pbc.any()
    assert not found.cell.any()
    assert labels_of(found).energy == -1.5
    (folder / "nopbc").unlink()
    with pytest.raises(InputError, match=r"box\.npy: cannot be read"):
        read_deepmd(tmp_path / "data")


def test_a_slab_is_not_written(tmp_path: Path, frames: list[Atoms]) -> None:
    slab = frames[0].copy()
    slab.pbc = [True, True, False]
    set_labels(slab, -1.5, labels_of(frames[0]).forces, None)
    with pytest.raises(TaskError, match="periodic along some axes only"):
        write_deepmd(tmp_path / "data", [slab], TYPES)


def test_frames_with_elements_of_their_own(tmp_path: Path, frames: list[Atoms]) -> None:
    folder = write_deepmd(tmp_path / "data", [frames[0], frames[2]], TYPES)[0]
    types = np.array([[0, 1, 2, 0, 1, 2, 0, 1], [2] * 8])
    np.save(folder / "set.000" / "real_atom_types.npy", types)
    first, second = read_deepmd(folder)
    assert first.get_chemical_symbols() == [TYPES[kind] for kind in types[0]]
    assert second.get_chemical_symbols() == [TYPES[2]] * 8
    assert labels_of(second).energy == labels_of(frames[2]).energy


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda d: (d / "type_map.raw").write_text("Au Fe1 Ag\n"), "'Fe1', which is no element"),
        (lambda d: (d / "type_map.raw").write_text("X Cu Ag\n"), "'X', which is no element"),
        (lambda d: (d / "type.raw").write_text("0 0 0 2 2 2 2 3\n"), "types that are not 0 to 2"),
        (lambda d: (d / "type.raw").write_text("0 0 0 2 2 2 2 -1\n"), "types that are not 0 to 2"),
        (lambda d: (d / "type.raw").write_text(""), "holds no atom"),
        (lambda d: np.save(d / "set.000/box.npy", np.zeros((4, 9))), "frame 0 has no volume"),
        (lambda d: np.save(d / "set.000/force.npy", np.full((4, 24), np.inf)), "not finite"),
        (lambda d: np.save(d / "set.000/real_atom_types.npy", np.full((4, 8), 0.5)), "no type"),
        (lambda d: np.save(d / "set.000/real_atom_types.npy", np.full((4, 8), -1)), "not 0 to 2"),
        (lambda d: (d / "set.000").rename(d / "other"), r"holds no set\.000"),
    ],
)
def test_damaged_folders_are_refused_by_name(
    tmp_path: Path, frames: list[Atoms], damage: Any, message: str
) -> None:
    folder = write_deepmd(tmp_path / "data", frames, TYPES)[0]
    damage(folder)
    with pytest.raises(InputError, match=message):
        read_deepmd(folder)
