from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from pwact.errors import InputError, TaskError
from pwact.formats.extxyz import write_extxyz
from pwact.formats.frames import (
    data_paths,
    data_set_format,
    format_found,
    ordered,
    read_frames,
    write_frames,
)
from pwact.formats.labels import labels_of, set_labels
from pwact.registry.formats import FORMATS, WRITTEN
from tests.formats.conftest import assert_same

NAMES = {name: f"train{end}" if (end := FORMATS[name].ending) else "PWdata" for name in WRITTEN}


def as_read(frames: list[Atoms], data_format: str) -> list[tuple[Atoms, Atoms]]:
    """Each frame as it was, and as its format holds it, in the order in which they are read."""
    made = data_set_format(data_format)
    if FORMATS[data_format].folder:
        frames = sorted(frames, key=made.group)
    return [(one, made.fit(one)) for one in frames]


@pytest.mark.parametrize("data_format", WRITTEN)
def test_round_trip(tmp_path: Path, frames: list[Atoms], data_format: str) -> None:
    path = tmp_path / "deeper" / NAMES[data_format]
    write_frames(path, frames, data_format)
    found = read_frames(path, data_format.upper())
    assert len(found) == len(frames)
    for one, (given, held) in zip(found, as_read(frames, data_format)):
        assert_same(one, held, 1e-12)
        assert_same(ordered(one), ordered(given), 1e-12)


@pytest.mark.parametrize("data_format", WRITTEN)
def test_writing_replaces(tmp_path: Path, frames: list[Atoms], data_format: str) -> None:
    path = tmp_path / NAMES[data_format]
    write_frames(path, frames, data_format)
    write_frames(path, frames[:1], data_format)
    assert len(read_frames(path, data_format)) == 1
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("data_format", WRITTEN)
def test_what_was_there_stays_when_writing_fails(
    tmp_path: Path, frames: list[Atoms], data_format: str
) -> None:
    path = tmp_path / NAMES[data_format]
    write_frames(path, frames[:2], data_format)
    with pytest.raises(TaskError):
        write_frames(path, [frames[0], bulk("Ag")], data_format)
    assert len(read_frames(path, data_format)) == 2
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("what", ["position", "cell", "energy", "forces", "virial"])
@pytest.mark.parametrize("data_format", WRITTEN)
def test_numbers_that_no_frame_holds_are_refused(
    tmp_path: Path, data_format: str, what: str
) -> None:
    frames = [bulk("Cu", cubic=True) for _ in range(3)]
    values: dict[str, Any] = {"energy": 1.0, "forces": np.ones((4, 3)), "virial": np.eye(3)}
    for number, atoms in enumerate(frames):
        huge = 1e11 if number == 1 else 1.0
        if what == "position":
            atoms.positions[2, 1] -= huge * atoms.cell[1, 1]
        if what == "cell":
            atoms.cell[2, 0] = huge
        own = {name: value * huge if name == what else value for name, value in values.items()}
        set_labels(atoms, **own)
    path = tmp_path / NAMES[data_format]
    data_set_format(data_format).write(path, frames)
    with pytest.raises(InputError, match=r"(frame|row) 1 .*1e\+10"):
        read_frames(path, data_format)


@pytest.mark.parametrize("energy", [np.nan, np.inf, 1e300])
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
        (".", "csv", "'csv' is none of extxyz, pwmlff/npy, deepmd/npy, deepmd/npy/mixed"),
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


@pytest.mark.parametrize("data_format", WRITTEN)
def test_the_format_of_a_data_set_is_found(
    tmp_path: Path, frames: list[Atoms], data_format: str
) -> None:
    path = tmp_path / NAMES[data_format]
    assert format_found(path) == ""
    write_frames(path, frames, data_format)
    found = format_found(path)
    assert found == {"deepmd/npy/mixed": "deepmd/npy"}.get(data_format, data_format)
    assert len(read_frames(path, found)) == len(frames)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "label_error.csv").touch()
    assert format_found(tmp_path / "other") == ""
    assert format_found(tmp_path / "other" / "label_error.csv") == ""


def test_a_mixed_folder_holds_every_composition(tmp_path: Path, frames: list[Atoms]) -> None:
    write_frames(tmp_path / "data", frames, "deepmd/npy/mixed")
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["8"]
    assert (tmp_path / "data/8/type_map.raw").read_text().split() == ["Ag", "Au"]
    types = np.load(tmp_path / "data/8/set.000/real_atom_types.npy")
    assert types.tolist() == [[int(s == "Au") for s in one.symbols] for one in frames]


def test_what_deepmd_cannot_hold_is_refused(tmp_path: Path, frames: list[Atoms]) -> None:
    slab = frames[0].copy()
    slab.pbc = [True, True, False]
    set_labels(slab, -1.5, labels_of(frames[0]).forces, None)
    for data_format in ("deepmd/npy", "deepmd/npy/mixed"):
        with pytest.raises(InputError, match="periodic along some axes only"):
            write_frames(tmp_path / "data", [slab], data_format)
    bare = Atoms("AgAu", np.eye(3)[:2], pbc=True)
    set_labels(bare, -1.5, np.zeros((2, 3)))
    with pytest.raises(InputError, match="no cell, which deepmd/npy needs"):
        write_frames(tmp_path / "data", [bare], "deepmd/npy")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("data_format", ["deepmd/npy", "deepmd/npy/mixed"])
def test_a_molecule_without_a_cell_has_no_box(tmp_path: Path, data_format: str) -> None:
    molecule = Atoms("HO", np.eye(3)[:2])
    set_labels(molecule, -1.5, np.eye(3)[:2])
    boxed = Atoms("HO", np.eye(3)[:2], cell=np.eye(3) * 9)
    set_labels(boxed, -2.5, np.eye(3)[:2])
    write_frames(tmp_path / "data", [molecule, boxed], data_format)
    found = read_frames(tmp_path / "data", data_format)
    assert sorted((labels_of(one).energy, one.cell.rank) for one in found) == [(-2.5, 3), (-1.5, 0)]
    assert not any(one.pbc.any() for one in found)
    assert len(list((tmp_path / "data").rglob("nopbc"))) == 2
    assert len(list((tmp_path / "data").rglob("box.npy"))) == 1


@pytest.mark.parametrize("data_format", ["pwmlff/npy", "deepmd/npy", "deepmd/npy/mixed"])
def test_arrays_that_are_not_read_are_named(
    tmp_path: Path, frames: list[Atoms], data_format: str, caplog: pytest.LogCaptureFixture
) -> None:
    write_frames(tmp_path / "data", frames[:1], data_format)
    read_frames(tmp_path / "data", data_format)
    assert caplog.text == ""
    (place,) = {path.parent for path in (tmp_path / "data").rglob("*.npy")}
    np.save(place / "spin.npy", np.zeros((1, 24)))
    read_frames(tmp_path / "data", data_format)
    assert [one.getMessage() for one in caplog.records] == [f"{place}: not read: spin.npy"]
