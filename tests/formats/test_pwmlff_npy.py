from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from pwact.errors import InputError
from pwact.formats.frames import composition_name, ordered, read_frames, write_frames
from pwact.formats.labels import labels_of, set_labels
from pwact.formats.movement import iterate_movement
from pwact.formats.pwmlff_npy import read_folder
from tests.formats.conftest import assert_same


@pytest.fixture
def folder(tmp_path: Path, frames: list[Atoms]) -> Path:
    write_frames(tmp_path / "PWdata", frames, "pwmlff/npy")
    return tmp_path / "PWdata" / "Ag5Au3"


def test_shapes_and_types(folder: Path) -> None:
    found = {path.stem: np.load(path) for path in folder.glob("*.npy")}
    assert {name: array.shape for name, array in found.items()} == {
        "lattice": (4, 9),
        "position": (4, 24),
        "forces": (4, 24),
        "energies": (4, 1),
        "ei": (4, 8),
        "virials": (4, 9),
        "atom_type": (1, 2),
        "image_type": (1, 8),
    }
    integers = {name for name, array in found.items() if array.dtype == np.int64}
    assert integers == {"atom_type", "image_type"}
    assert all(found[name].dtype == np.float64 for name in set(found) - integers)
    assert found["atom_type"].tolist() == [[47, 79]]
    assert found["image_type"].tolist() == [[47] * 5 + [79] * 3]


def test_content(folder: Path, frames: list[Atoms]) -> None:
    atoms, labels = ordered(frames[0]), labels_of(ordered(frames[0]))
    cell = np.load(folder / "lattice.npy")[0].reshape(3, 3)
    fractions = np.load(folder / "position.npy")[0].reshape(8, 3)
    np.testing.assert_allclose(fractions @ cell, atoms.positions, atol=1e-12)
    np.testing.assert_array_equal(np.load(folder / "forces.npy")[0].reshape(8, 3), labels.forces)
    np.testing.assert_array_equal(np.load(folder / "virials.npy")[0].reshape(3, 3), labels.virial)
    atomic = np.load(folder / "ei.npy")[0]
    assert atomic.sum() == pytest.approx(labels.energy, abs=1e-12)
    np.testing.assert_allclose(atomic, labels.energy * np.array([5] * 5 + [3] * 3) / 34)


def test_virials_are_left_out_unless_all_have_one(tmp_path: Path, frames: list[Atoms]) -> None:
    bare = frames[0].copy()
    labels = labels_of(frames[0])
    set_labels(bare, labels.energy, labels.forces)
    write_frames(tmp_path / "PWdata", [bare, frames[2]], "pwmlff/npy")
    assert not (tmp_path / "PWdata" / "Ag5Au3" / "virials.npy").exists()
    assert all(labels_of(f).virial is None for f in read_frames(tmp_path / "PWdata", "pwmlff/npy"))


def test_pwdata_reads_the_same(folder: Path, frames: list[Atoms]) -> None:
    from pwdata import Config

    # pwdata 0.5.10 cannot take its own (nf, 1) any more with numpy 2.4
    np.save(folder / "energies.npy", np.load(folder / "energies.npy").ravel())
    images = Config(format="pwmlff/npy", data_path=str(folder)).images
    expected = [ordered(atoms) for atoms in frames if composition_name(atoms) == "Ag5Au3"]
    assert len(images) == len(expected)
    for image, atoms in zip(images, expected):
        labels = labels_of(atoms)
        np.testing.assert_allclose(image.position @ image.lattice, atoms.positions, atol=1e-12)
        np.testing.assert_array_equal(np.ravel(image.atom_types_image), atoms.numbers)
        np.testing.assert_array_equal(image.force, labels.forces)
        np.testing.assert_array_equal(image.virial, labels.virial)
        assert pytest.approx(labels.energy, abs=0) == image.Ep


def test_older_layouts(folder: Path, frames: list[Atoms]) -> None:
    np.save(folder / "atom_type.npy", np.array([47, 79]))
    np.save(folder / "image_type.npy", np.load(folder / "image_type.npy").ravel())
    virials = np.load(folder / "virials.npy")
    virials[1] = -1e6
    np.save(folder / "virials.npy", virials)
    (folder / "ei.npy").unlink()
    for part in ("train", "valid"):
        (folder / part).mkdir()
        for path in folder.glob("*.npy"):
            (folder / part / path.name).write_bytes(path.read_bytes())
    for path in folder.glob("*.npy"):
        path.unlink()
    found = read_frames(folder, "pwmlff/npy")
    assert len(found) == 8
    assert [labels_of(atoms).virial is None for atoms in found] == [False, True, False, False] * 2
    assert_same(found[0], ordered(frames[0]), 1e-12)


def test_what_pwdata_wrote(samples: Path) -> None:
    """Of a MOVEMENT whose numbers we know; pwdata sorts by element, and not stably."""
    found = read_frames(samples / "pwmlff_npy", "pwmlff/npy")
    expected = [ordered(atoms) for atoms in iterate_movement(samples / "pwmat" / "MOVEMENT")]
    assert len(found) == len(expected) == 4
    assert {composition_name(atoms) for atoms in found} == {"Cu24Au8"}
    for one, other in zip(found, expected):
        apart = np.abs(one.positions[:, None] - other.positions).max(axis=2)
        order = apart.argmin(axis=1)
        assert sorted(order) == list(range(32))
        assert one.get_chemical_symbols() == [other.symbols[k] for k in order]
        labels, wanted = labels_of(one), labels_of(other)
        assert apart.min(axis=1).max() < 1e-9
        np.testing.assert_allclose(one.cell.array, other.cell.array, atol=1e-9)
        np.testing.assert_allclose(labels.forces, wanted.forces[order], atol=1e-12)
        np.testing.assert_allclose(labels.virial, wanted.virial, atol=1e-9)
    assert [labels_of(atoms).energy for atoms in found] == [
        *(-110.5137277, -110.4849010, -110.4537531, -110.4203338)
    ]


NUMBER = r"image_type\.npy: holds what is no atomic number"


def archive(path: Path) -> None:
    np.savez(path.with_suffix(".npz"), energies=np.zeros(4))
    path.with_suffix(".npz").replace(path)


def replace_by_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda d: (d / "forces.npy").unlink(), r"forces\.npy: cannot be read"),
        (lambda d: (d / "forces.npy").write_bytes(b""), r"forces\.npy: is no complete"),
        (
            lambda d: (d / "forces.npy").write_bytes((d / "forces.npy").read_bytes()[:-8]),
            r"forces\.npy: is no complete",
        ),
        (lambda d: np.save(d / "forces.npy", np.zeros((3, 24))), r"forces\.npy: holds \(3, 24\)"),
        (lambda d: np.save(d / "forces.npy", np.full((4, 24), np.nan)), "not finite"),
        (lambda d: np.save(d / "lattice.npy", np.array(["a"] * 36)), "not numbers"),
        (
            lambda d: np.save(d / "lattice.npy", np.array([object()]), allow_pickle=True),
            r"lattice\.npy: is no complete",
        ),
        (lambda d: archive(d / "energies.npy"), r"energies\.npy: is an archive of arrays"),
        (lambda d: np.save(d / "energies.npy", np.zeros((0, 1))), r"energies\.npy: holds no frame"),
        (lambda d: np.save(d / "lattice.npy", np.zeros((4, 9))), "cell of frame 0 has no volume"),
        *[
            (lambda d, z=z: np.save(d / "image_type.npy", np.array([[47.0] * 7 + [z]])), NUMBER)
            for z in (-1, 0, 119, 200, 29.7, np.nan, np.inf)
        ],
        (lambda d: np.save(d / "image_type.npy", np.zeros((1, 0))), "holds no atom"),
        (lambda d: replace_by_pipe(d / "forces.npy"), r"forces\.npy: is a pipe, not a file"),
    ],
)
def test_damaged_folders_are_refused_by_name(folder: Path, damage, message: str) -> None:
    damage(folder)
    with pytest.raises(InputError, match=message):
        read_folder(folder)
