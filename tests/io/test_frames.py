from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from pwact.errors import InputError, TaskError
from pwact.io.extxyz import write_extxyz
from pwact.io.frames import DATA_FORMATS, data_paths, ordered, read_frames, write_frames
from pwact.io.labels import labels_of, set_labels
from tests.io.conftest import assert_same

NAMES = {"extxyz": "train.xyz", "pwmlff/npy": "PWdata"}


def by_composition(frames: list[Atoms]) -> list[Atoms]:
    """The frames as pwmlff/npy gives them back."""
    return sorted(map(ordered, frames), key=lambda atoms: atoms.get_chemical_formula())


@pytest.mark.parametrize("data_format", DATA_FORMATS)
def test_round_trip(tmp_path: Path, frames: list[Atoms], data_format: str) -> None:
    path = tmp_path / "deeper" / NAMES[data_format]
    write_frames(path, frames, data_format)
    found = read_frames(path, data_format.upper())
    expected = frames if data_format == "extxyz" else by_composition(frames)
    assert len(found) == len(frames)
    for one, other in zip(found, expected):
        assert_same(one, other, 1e-12)


@pytest.mark.parametrize("data_format", DATA_FORMATS)
def test_writing_replaces(tmp_path: Path, frames: list[Atoms], data_format: str) -> None:
    path = tmp_path / NAMES[data_format]
    write_frames(path, frames, data_format)
    write_frames(path, frames[:1], data_format)
    assert len(read_frames(path, data_format)) == 1
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("data_format", DATA_FORMATS)
def test_what_was_there_stays_when_writing_fails(
    tmp_path: Path, frames: list[Atoms], data_format: str
) -> None:
    path = tmp_path / NAMES[data_format]
    write_frames(path, frames[:2], data_format)
    with pytest.raises(TaskError):
        write_frames(path, [frames[0], bulk("Ag")], data_format)
    assert len(read_frames(path, data_format)) == 2
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("energy", [np.nan, np.inf])
def test_labels_must_be_finite(tmp_path: Path, energy: float) -> None:
    atoms = bulk("Ag")
    set_labels(atoms, energy, np.zeros((1, 3)))
    with pytest.raises(TaskError, match="frame 0 are not finite"):
        write_frames(tmp_path / "train.xyz", [atoms], "extxyz")


def test_a_folder_with_other_files_is_not_replaced(tmp_path: Path, frames: list[Atoms]) -> None:
    (tmp_path / "thesis.tex").write_text("all my work")
    with pytest.raises(InputError, match="other things than data"):
        write_frames(tmp_path, frames, "pwmlff/npy")
    assert (tmp_path / "thesis.tex").exists()


def test_data_sets_need_labels(tmp_path: Path) -> None:
    write_extxyz(tmp_path / "bare.xyz", [bulk("Ag")])
    with pytest.raises(InputError, match=r"bare\.xyz: frame 0 has no energy and forces"):
        read_frames(tmp_path / "bare.xyz", "extxyz")


def test_ordered_is_stable_and_takes_labels_along(frames: list[Atoms]) -> None:
    atoms = frames[0]
    assert sorted(atoms.numbers) != list(atoms.numbers)
    found = ordered(atoms)
    silver = [i for i, symbol in enumerate(atoms.symbols) if symbol == "Ag"]
    gold = [i for i, symbol in enumerate(atoms.symbols) if symbol == "Au"]
    np.testing.assert_array_equal(found.positions, atoms.positions[silver + gold])
    np.testing.assert_array_equal(labels_of(found).forces, labels_of(atoms).forces[silver + gold])
    assert labels_of(found).energy == labels_of(atoms).energy
    np.testing.assert_array_equal(labels_of(found).virial, labels_of(atoms).virial)
    assert ordered(bulk("Ag")).calc is None


def test_ordered_keeps_the_forces_of_a_dump() -> None:
    atoms = Atoms("AuAgAu", np.arange(9.0).reshape(3, 3))
    atoms.set_array("forces", np.arange(9.0).reshape(3, 3))
    assert ordered(atoms).arrays["forces"][:, 0].tolist() == [3, 0, 6]


def test_data_paths(tmp_path: Path, frames: list[Atoms]) -> None:
    write_frames(tmp_path / "b" / "PWdata", frames, "pwmlff/npy")
    write_frames(tmp_path / "a" / "train.xyz", frames, "extxyz")
    npy = data_paths(tmp_path, "pwmlff/npy")
    assert [path.name for path in npy] == ["Ag5Au3", "Ag6Au2"]
    assert data_paths(npy[0], "pwmlff/npy") == [npy[0]]
    assert data_paths(tmp_path, "extxyz") == [tmp_path / "a" / "train.xyz"]
    assert len(read_frames(tmp_path, "extxyz")) == len(frames)


@pytest.mark.parametrize(
    ("name", "data_format", "message"),
    [
        ("absent", "extxyz", "absent: does not exist"),
        ("absent", "pwmlff/npy", "absent: does not exist"),
        (".", "pwmlff/npy", "holds no pwmlff/npy data"),
        (".", "extxyz", "holds no extxyz data"),
        (".", "csv", "'csv' is none of extxyz, pwmlff/npy"),
    ],
)
def test_no_data(tmp_path: Path, name: str, data_format: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        data_paths(tmp_path / name, data_format)


def test_a_folder_that_may_not_be_entered_is_not_called_empty(
    tmp_path: Path, frames: list[Atoms], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_frames(tmp_path / "sets" / "a.xyz", frames, "extxyz")
    (tmp_path / "sets" / "locked").mkdir()
    look = os.scandir

    def scandir(path: Any) -> Any:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return look(path)

    monkeypatch.setattr(os, "scandir", scandir)
    for data_format in ("extxyz", "pwmlff/npy"):
        with pytest.raises(InputError, match="locked: cannot be read: Permission denied"):
            data_paths(tmp_path / "sets", data_format)


def test_open_boundaries_are_not_made_periodic(tmp_path: Path, frames: list[Atoms]) -> None:
    slab = frames[0].copy()
    slab.pbc = [True, True, False]
    set_labels(slab, -1.5, labels_of(frames[0]).forces, None)
    write_frames(tmp_path / "train.xyz", [slab], "extxyz")
    assert read_frames(tmp_path / "train.xyz", "extxyz")[0].pbc.tolist() == [True, True, False]
    with pytest.raises(InputError, match="open along an axis"):
        write_frames(tmp_path / "PWdata", [slab], "pwmlff/npy")
    assert not (tmp_path / "PWdata").exists()
