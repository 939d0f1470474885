"""Data sets read by the loaders of the programs that train on them, with the digits written.

dpdata and DeePMD-kit in an environment with both (``-m deepmd``), MACE and SevenNet in theirs
(``-m mace``, ``-m sevennet``).
"""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from hypothesis import given, settings
from hypothesis import strategies as st

from pwact.formats.extxyz import write_extxyz
from pwact.formats.frames import ordered, write_frames
from pwact.formats.labels import labels_of
from pwact.registry.formats import ASE, MACE, OF_CAMPAIGNS, WRITTEN
from tests.formats.frames_of_any_kind import ALL_AXES, BOUNDED, frames
from tests.requirements import need_module

FOLDERS = ["deepmd/npy", "deepmd/npy/mixed"]
OPEN_OR_NOT = st.sampled_from([(True,) * 3, (False,) * 3])
VIRIAL = st.just(True)
SINGLE = 1e-6  # relative, of numbers in single precision
SIZES = st.sampled_from([1, 5, 300])


def test_the_formats_with_readers_of_their_own_are_those_that_are_written() -> None:
    assert {*FOLDERS, *OF_CAMPAIGNS} == set(WRITTEN)


def key_of(forces: Any) -> int:
    """What tells a frame from others, whatever the order of its atoms; -0.0 is 0.0."""
    return hash(tuple(sorted(np.asarray(forces, float).ravel().tolist())))


@pytest.mark.deepmd
@pytest.mark.parametrize("data_format", FOLDERS)
@settings(BOUNDED, max_examples=12)
@given(data=st.data())
def test_dpdata(data_format: str, data: st.DataObject) -> None:
    need_module("dpdata")
    pbc, size = data.draw(OPEN_OR_NOT), data.draw(SIZES)
    made = data.draw(
        st.lists(frames(size, st.just(pbc), VIRIAL, largest=94), min_size=1, max_size=3)
    )
    with tempfile.TemporaryDirectory() as folder:
        write_frames(Path(folder) / "data", made, data_format)
        found = [
            one
            for place in sorted((Path(folder) / "data").iterdir())
            for one in read_by_dpdata(place, data_format)
        ]
    assert len(found) == len(made)
    expected = {key_of(labels_of(one).forces): one for one in made}
    for one in found:
        frame = expected[key_of(one["forces"])]
        labels = labels_of(frame)
        rows = np.hstack([frame.numbers[:, None], frame.positions, labels.forces])
        theirs = np.hstack([one["numbers"][:, None], one["coords"], one["forces"]])
        assert Counter(map(tuple, theirs.tolist())) == Counter(map(tuple, rows.tolist()))
        assert one["energies"] == labels.energy
        assert one["virials"].tolist() == np.asarray(labels.virial).tolist()
        assert one["nopbc"] == (not any(pbc))
        if any(pbc):
            assert one["cells"].tolist() == frame.cell.array.tolist()


def read_by_dpdata(place: Path, data_format: str) -> list[dict[str, Any]]:
    """The frames of a folder, their elements as atomic numbers."""
    import dpdata  # noqa: PLC0415

    if data_format.endswith("mixed"):
        systems = dpdata.MultiSystems()
        systems.load_systems_from_file(str(place), fmt=data_format)
    else:
        systems = [dpdata.LabeledSystem(str(place), fmt=data_format)]
    found = []
    for system in systems:
        numbers = [Atoms([system["atom_names"][kind]]).numbers[0] for kind in system["atom_types"]]
        for place_of in range(system.get_nframes()):
            arrays = {
                name: system[name][place_of]
                for name in ("coords", "forces", "virials", "cells", "energies")
            }
            nopbc = bool(system.data.get("nopbc", False))
            found.append({**arrays, "numbers": np.array(numbers), "nopbc": nopbc})
    return found


@pytest.mark.deepmd
@pytest.mark.parametrize("data_format", FOLDERS)
@settings(BOUNDED, max_examples=12)
@given(data=st.data())
def test_deepmd_kit(data_format: str, data: st.DataObject) -> None:
    need_module("deepmd")
    from deepmd.utils.data import DeepmdData  # noqa: PLC0415

    pbc = data.draw(OPEN_OR_NOT)
    made = data.draw(frames(data.draw(SIZES), st.just(pbc), VIRIAL, largest=94))
    with tempfile.TemporaryDirectory() as folder:
        write_frames(Path(folder) / "data", [made], data_format)
        (place,) = (Path(folder) / "data").iterdir()
        names = (place / "type_map.raw").read_text().split()
        loaded = DeepmdData(str(place), type_map=names, shuffle_test=False)
        for name, size in (("energy", 1), ("virial", 9)):
            loaded.add(name, size, atomic=False, must=True, high_prec=True)
        loaded.add("force", 3, atomic=True, must=True)
        found = loaded.get_test()
    labels = labels_of(made)
    assert loaded.pbc == any(pbc)
    numbers = [Atoms([names[kind]]).numbers[0] for kind in found["type"].ravel()]
    rows = [found[name][0].reshape(-1, 3) for name in ("coord", "force")]
    frame = made if data_format.endswith("mixed") else ordered(made)
    theirs = np.argsort(numbers, kind="stable")
    ours = np.argsort(frame.numbers, kind="stable")
    assert sorted(numbers) == sorted(made.numbers.tolist())
    for row, values in zip(rows, (frame.positions, labels_of(frame).forces)):
        size = float(np.abs(values).max())
        np.testing.assert_allclose(row[theirs], values[ours], rtol=SINGLE, atol=SINGLE * size)
    assert found["energy"].ravel().tolist() == [labels.energy]
    np.testing.assert_allclose(found["virial"][0], np.ravel(labels.virial), rtol=SINGLE)
    if any(pbc):
        np.testing.assert_allclose(found["box"][0], made.cell.array.ravel(), rtol=SINGLE)


@pytest.mark.mace
@settings(BOUNDED, max_examples=12)
@given(made=st.lists(frames(virial=VIRIAL), min_size=1, max_size=3))
def test_mace(made: list[Atoms]) -> None:
    from mace.data.utils import KeySpecification, load_from_xyz  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.xyz"
        write_extxyz(path, made, MACE)
        _, found = load_from_xyz(str(path), KeySpecification.from_defaults())
    assert len(found) == len(made)
    for one, frame in zip(found, made):
        labels = labels_of(frame)
        given_to_mace = one.properties
        assert one.atomic_numbers.tolist() == frame.numbers.tolist()
        assert one.positions.tolist() == frame.positions.tolist()
        assert tuple(one.pbc) == tuple(frame.pbc)
        assert one.cell.tolist() == frame.cell.array.tolist()
        assert given_to_mace["energy"] == labels.energy
        assert given_to_mace["forces"].tolist() == labels.forces.tolist()
        assert all(one.property_weights[name] == 1 for name in ("energy", "forces", "stress"))
        stress = matrix_of(np.asarray(given_to_mace["stress"]))
        np.testing.assert_allclose(-stress * frame.get_volume(), labels.virial, rtol=1e-13)


def matrix_of(stress: np.ndarray) -> np.ndarray:
    """A stress of nine numbers, or of six in ASE's order."""
    nine = stress if stress.size == 9 else stress[[0, 5, 4, 5, 1, 3, 4, 3, 2]]
    return nine.reshape(3, 3)


@pytest.mark.sevennet
@settings(BOUNDED, max_examples=12)
@given(made=st.lists(frames(pbc=ALL_AXES, virial=VIRIAL, largest=94), min_size=1, max_size=3))
def test_sevennet(made: list[Atoms]) -> None:
    """Its stress is minus ASE's, in the order xx yy zz xy yz zx: the virial by the volume."""
    import sevenn._keys as key  # noqa: PLC0415
    from sevenn.train.dataload import ase_reader, atoms_to_graph  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.xyz"
        write_extxyz(path, made, ASE)
        found = [atoms_to_graph(one, 2.0) for one in ase_reader(str(path))]
    assert len(found) == len(made)
    for one, frame in zip(found, made):
        labels = labels_of(frame)
        assert one[key.ATOMIC_NUMBERS].tolist() == frame.numbers.tolist()
        assert one[key.POS].tolist() == frame.positions.tolist()
        assert float(one[key.ENERGY]) == labels.energy
        assert one[key.FORCE].tolist() == labels.forces.tolist()
        xx, yy, zz, xy, yz, zx = np.ravel(one[key.STRESS])
        virial = np.array([[xx, xy, zx], [xy, yy, yz], [zx, yz, zz]]) * float(one[key.CELL_VOLUME])
        np.testing.assert_allclose(virial, labels.virial, rtol=1e-13)
