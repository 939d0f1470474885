"""Data sets read by the loaders of the programs that train on them: dpdata, DeePMD-kit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from pwact.formats.frames import ordered, write_frames
from pwact.formats.labels import labels_of, set_labels
from pwact.registry.formats import OF_CAMPAIGNS, WRITTEN

FOLDERS = ["deepmd/npy", "deepmd/npy/mixed"]
CELL = np.array([[6.0, 0.2, -0.1], [0.7, 5.5, 0.3], [-0.4, 0.9, 7.1]])


def made(*symbols: str, pbc: bool = True) -> list[Atoms]:
    """Frames with different numbers everywhere."""
    random = np.random.default_rng(7)
    frames = []
    for text in symbols:
        atoms = Atoms(text, random.uniform(0, 5, (len(Atoms(text)), 3)), cell=CELL, pbc=pbc)
        half = random.normal(size=(3, 3))
        set_labels(atoms, random.normal(), random.normal(size=(len(atoms), 3)), half + half.T)
        frames.append(atoms)
    return frames


def by_energy(frames: list[Atoms]) -> dict[float, Atoms]:
    return {labels_of(frame).energy: frame for frame in frames}


def test_the_formats_with_readers_of_their_own_are_those_that_are_written() -> None:
    assert {*FOLDERS, *OF_CAMPAIGNS} == set(WRITTEN)


@pytest.mark.consumers
@pytest.mark.parametrize("pbc", [True, False], ids=["periodic", "open"])
@pytest.mark.parametrize("data_format", FOLDERS)
def test_dpdata(tmp_path: Path, data_format: str, pbc: bool) -> None:
    import dpdata  # noqa: PLC0415

    frames = made("OH2", "OH2", "H2O", "CO2", pbc=pbc)
    write_frames(tmp_path / "data", frames, data_format)
    systems = dpdata.MultiSystems()
    for place in sorted((tmp_path / "data").iterdir()):
        if data_format.endswith("mixed"):
            systems.load_systems_from_file(str(place), fmt=data_format)
        else:
            systems.append(dpdata.LabeledSystem(str(place), fmt=data_format))
    expected = by_energy([*frames, *map(ordered, frames)])
    seen = 0
    for system in systems:
        names = [system["atom_names"][kind] for kind in system["atom_types"]]
        for number in range(system.get_nframes()):
            energy = float(system["energies"][number])
            frame = expected[energy]
            order = np.argsort(frame.numbers, kind="stable")
            back = np.argsort([Atoms(name).numbers[0] for name in names], kind="stable")
            labels = labels_of(frame)
            assert [names[n] for n in back] == [frame.symbols[n] for n in order]
            assert (system["coords"][number][back] == frame.positions[order]).all()
            assert (system["forces"][number][back] == labels.forces[order]).all()
            assert (system["virials"][number] == labels.virial).all()
            assert bool(system.data.get("nopbc", False)) != pbc
            if pbc:
                assert (system["cells"][number] == frame.cell.array).all()
            seen += 1
    assert seen == len(frames)


@pytest.mark.consumers
@pytest.mark.deepmd
@pytest.mark.parametrize("data_format", FOLDERS)
def test_deepmd_kit(tmp_path: Path, data_format: str) -> None:
    from deepmd.utils.data import DeepmdData  # noqa: PLC0415

    frames = made("OH2", "OH2")
    write_frames(tmp_path / "data", frames, data_format)
    (place,) = (tmp_path / "data").iterdir()
    data = DeepmdData(str(place), type_map=["C", "H", "O"], shuffle_test=False)
    for name, size in (("energy", 1), ("virial", 9)):
        data.add(name, size, atomic=False, must=True, high_prec=True)
    data.add("force", 3, atomic=True, must=True)
    found = data.get_test()
    assert data.pbc
    kinds = found["type"].reshape(2, -1)
    energies = found["energy"].ravel().tolist()
    expected = [frame if data_format.endswith("mixed") else ordered(frame) for frame in frames]
    sorting = [np.argsort(kind, kind="stable") for kind in kinds]
    assert energies == [labels_of(frame).energy for frame in expected]
    for number, frame in enumerate(expected):
        order = np.argsort(frame.numbers, kind="stable")
        labels = labels_of(frame)
        pairs = {
            "coord": frame.positions[order],
            "force": labels.forces[order],
        }
        for name, values in pairs.items():
            rows = found[name][number].reshape(-1, 3)
            rows = rows if data_format == "deepmd/npy" else rows[sorting[number]]
            np.testing.assert_allclose(rows, values, rtol=1e-6)  # of single precision
        np.testing.assert_allclose(found["virial"][number], np.ravel(labels.virial), rtol=1e-6)
        np.testing.assert_allclose(found["box"][number], frame.cell.array.ravel(), rtol=1e-6)
