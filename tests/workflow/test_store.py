"""Labels that are kept by content: to the bit, or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Callable

import numpy as np
import pytest
from ase import Atoms

from pwact.fingerprint import Settings
from pwact.formats.extxyz import frame_text
from pwact.formats.frames import ordered
from pwact.formats.labels import set_labels
from pwact.formats.same_frame import structure_key
from pwact.workflow.labels.store import LabelStore, label_key
from tests.workflow.pairs import alloy


def frame(virial: bool = True) -> Atoms:
    """Numbers that no short text holds."""
    atoms = alloy()
    rng = np.random.default_rng(3)
    atoms.positions += rng.normal(0, 0.1, (4, 3))
    atoms.positions[0, 0] = -0.0
    stress = rng.normal(size=(3, 3)) / 3 if virial else None
    set_labels(atoms, -1.0 / 3.0, rng.normal(size=(4, 3)) / 7, stress)
    return atoms


@pytest.mark.parametrize("virial", [True, False])
def test_a_label_comes_back_to_the_bit(tmp_path: Path, virial: bool) -> None:
    store, atoms = LabelStore(tmp_path / "labels"), frame(virial)
    assert store.get("aa00", atoms) is None
    store.put("aa00", atoms)
    back = LabelStore(tmp_path / "labels").get("aa00", alloy_at(atoms))
    assert back is not None
    assert frame_text(back) == frame_text(atoms)
    assert store.get("bb00", atoms) is None


def alloy_at(atoms: Atoms) -> Atoms:
    return Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def _edit(path: Path) -> None:
    document = json.loads(path.read_text())
    document["label"]["energy"] += 1.0
    path.write_text(json.dumps(document))


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _no_text(path: Path) -> None:
    path.write_bytes(b"\xff\x00\x80")


@pytest.mark.parametrize("spoil", [_cut, _edit, _empty, _no_text])
def test_a_spoilt_label_is_left_alone_with_a_word(
    tmp_path: Path, spoil: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    store, atoms = LabelStore(tmp_path), frame()
    store.put("aa00", atoms)
    spoil(store.path("aa00"))
    assert store.get("aa00", atoms) is None
    assert "aa00.json" in caplog.text
    assert "computed again" in caplog.text
    store.put("aa00", atoms)
    assert store.get("aa00", atoms) is not None


def test_a_label_under_the_name_of_another_one_is_none(tmp_path: Path) -> None:
    store, atoms = LabelStore(tmp_path), frame()
    store.put("aa00", atoms)
    store.path("aa00").rename(tmp_path / "aa" / "aa01.json")
    assert store.get("aa01", atoms) is None


def test_a_label_of_another_structure_is_not_given(tmp_path: Path) -> None:
    store, atoms = LabelStore(tmp_path), frame()
    store.put("aa00", atoms)
    moved = alloy_at(atoms)
    moved.positions[1, 1] += 0.01
    assert store.get("aa00", moved) is None


def test_what_is_not_finite_is_not_kept(tmp_path: Path) -> None:
    atoms = alloy()
    set_labels(atoms, 1.0, np.full((4, 3), np.nan))
    LabelStore(tmp_path).put("aa00", atoms)
    assert not list(tmp_path.rglob("*"))


def test_equal_structures_have_one_key() -> None:
    atoms = frame()
    assert structure_key(ordered(atoms)) == structure_key(atoms)
    near = alloy_at(atoms)
    near.positions += 1e-12
    assert structure_key(near) == structure_key(atoms)


def _moved(atoms: Atoms) -> None:
    atoms.positions[2, 1] += 2e-8


def _strained(atoms: Atoms) -> None:
    atoms.cell[0, 0] += 2e-8


def _other_element(atoms: Atoms) -> None:
    atoms.numbers[0] = 29


def _open(atoms: Atoms) -> None:
    atoms.pbc = (True, True, False)


def _moments(atoms: Atoms) -> None:
    atoms.set_initial_magnetic_moments([1, 0, 0, 0])


def _charges(atoms: Atoms) -> None:
    atoms.set_initial_charges([1, 0, 0, 0])


@pytest.mark.parametrize("change", [_moved, _strained, _other_element, _open, _moments, _charges])
def test_other_structures_have_other_keys(change: Callable[[Atoms], None]) -> None:
    atoms = frame()
    other = alloy_at(atoms)
    change(other)
    assert structure_key(other) != structure_key(atoms)


def test_a_label_belongs_to_its_labeler() -> None:
    assert label_key("s", {"ecut": 300}) != label_key("s", {"ecut": 400})
    assert label_key("s", {"ecut": 300, "k": 1}) == label_key("s", {"k": 1, "ecut": 300})


def test_a_default_that_a_release_adds_changes_no_key() -> None:
    old = {"ecut": 300, "md": Settings({"steps": 5}, {"steps": 1})}
    new = {
        "ecut": 300,
        "md": Settings({"steps": 5, "skip": 0}, {"steps": 1, "skip": 0}),
        "extra": Settings({"width": 0.1}, {"width": 0.1}),
    }
    assert label_key("s", old) == label_key("s", Settings(new, {"k": 2})) == label_key("s", new)
    assert label_key("s", {**old, "md": Settings({"steps": 6}, {"steps": 1})}) != label_key(
        "s", old
    )
