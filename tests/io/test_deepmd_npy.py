from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from pwact.errors import InputError, TaskError
from pwact.io.deepmd_npy import read_deepmd, write_deepmd
from pwact.io.labels import labels_of, set_labels
from tests.io.conftest import assert_same

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
