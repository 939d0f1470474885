"""What is written here is read by the programs of the field, with every digit that was written."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from hypothesis import given, settings
from hypothesis import strategies as st

from pwact.formats.extxyz import read_extxyz, write_extxyz
from pwact.formats.frames import data_set_format, ordered, read_frames, write_frames
from pwact.formats.labels import labels_of
from pwact.formats.lammps_data import write_lammps_data
from pwact.formats.lammps_dump import DumpTrajectory
from pwact.registry.formats import FORMATS, PERIODIC, WRITTEN
from tests.formats.frames_of_any_kind import ALL_AXES, BOUNDED, frames
from tests.requirements import need_program

OPEN_OR_NOT = st.sampled_from([(True,) * 3, (False,) * 3])


def same(found: Atoms, expected: Atoms) -> None:
    """Every number to its last digit."""
    assert found.numbers.tolist() == expected.numbers.tolist()
    assert found.positions.tolist() == expected.positions.tolist()
    assert found.cell.array.tolist() == expected.cell.array.tolist()
    assert found.pbc.tolist() == expected.pbc.tolist()


@BOUNDED
@given(made=st.lists(frames(properties=True), min_size=1, max_size=3))
def test_ase_reads_our_extended_xyz(made: list[Atoms]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.xyz"
        write_extxyz(path, made, "ase")
        found = ase.io.read(path, ":")
    assert len(found) == len(made)
    for one, expected in zip(found, made):
        labels = labels_of(expected)
        same(one, expected)
        assert one.get_potential_energy() == labels.energy
        assert one.get_forces().tolist() == labels.forces.tolist()
        moments, charges = (expected.arrays[f"initial_{name}"] for name in ("magmoms", "charges"))
        assert one.get_initial_magnetic_moments().tolist() == moments.tolist()
        assert one.get_initial_charges().tolist() == charges.tolist()
        assert ("stress" in one.calc.results) == (labels.virial is not None)
        if labels.virial is not None:
            stress = one.get_stress(voigt=False)
            np.testing.assert_allclose(-stress * one.get_volume(), labels.virial, rtol=1e-13)


@BOUNDED
@given(made=st.lists(frames(), min_size=1, max_size=3), names=st.sampled_from(["pwact", "ase"]))
def test_we_read_our_extended_xyz(made: list[Atoms], names: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.xyz"
        write_extxyz(path, made, names)
        found = read_extxyz(path)
    for one, expected in zip(found, made):
        labels, theirs = labels_of(expected), labels_of(one)
        same(one, expected)
        assert theirs.energy == labels.energy
        assert theirs.forces.tolist() == labels.forces.tolist()
        assert (theirs.virial is None) == (labels.virial is None)
        if labels.virial is not None and theirs.virial is not None:
            np.testing.assert_allclose(theirs.virial, labels.virial, rtol=1e-13)


def key(frame: Atoms) -> bytes:
    """By which a frame is found again; the order of frames in folders is their systems'."""
    return (
        labels_of(frame).forces.tobytes()
        + frame.numbers.tobytes()
        + (frame.cell.array + 0.0).tobytes()
    )


@pytest.mark.parametrize("data_format", [name for name in WRITTEN if name != "extxyz"])
@settings(BOUNDED, max_examples=12)
@given(data=st.data())
def test_we_read_our_data_sets(data_format: str, data: st.DataObject) -> None:
    """Positions of pwmlff/npy are fractions, so that their last digit may differ."""
    made_by = data_set_format(data_format)
    pbc = ALL_AXES if FORMATS[data_format].pbc == PERIODIC else OPEN_OR_NOT
    size = data.draw(st.sampled_from([1, 6, 300]))
    made = data.draw(st.lists(frames(size, pbc), min_size=1, max_size=3))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"data{FORMATS[data_format].ending}"
        write_frames(path, made, data_format)
        found = read_frames(path, data_format)
    assert len(found) == len(made)
    by_forces = {key(one): one for one in found}
    for frame in made:
        expected = made_by.fit(frame)
        one = by_forces[key(expected)]
        assert one.numbers.tolist() == expected.numbers.tolist()
        assert one.pbc.tolist() == expected.pbc.tolist()
        np.testing.assert_allclose(one.cell.array, expected.cell.array, rtol=0, atol=0)
        np.testing.assert_allclose(one.positions, expected.positions, rtol=1e-13, atol=1e-12)
        assert labels_of(one).energy == labels_of(expected).energy


@pytest.mark.parametrize("data_format", ["extxyz", "deepmd/npy"])
@settings(BOUNDED, max_examples=10)
@given(made=frames(pbc=ALL_AXES, virial=st.just(True), largest=94))
def test_pwdata_reads_ours(data_format: str, made: Atoms) -> None:
    from pwdata import Config  # noqa: PLC0415  it imports much

    expected = made if data_format == "extxyz" else ordered(made)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("train.xyz" if data_format == "extxyz" else "data")
        write_frames(path, [made], data_format)
        place = path if path.is_file() else next(path.iterdir())
        (image,) = Config(data_format, str(place)).images
    labels = labels_of(expected)
    assert np.ravel(image.atom_types_image).tolist() == expected.numbers.tolist()
    positions = image.position if image.cartesian else image.position @ image.lattice
    np.testing.assert_allclose(positions, expected.positions, rtol=1e-12, atol=1e-11)
    assert np.asarray(image.lattice).tolist() == expected.cell.array.tolist()
    assert np.asarray(image.force).tolist() == labels.forces.tolist()
    assert np.reshape(image.virial, (3, 3)).tolist() == labels.virial.tolist()
    assert float(np.ravel(image.Ep)[0]) == labels.energy


DUMPED = """clear
units metal
atom_style atomic
boundary p p p
box tilt large
read_data {number}.data
pair_style zero 2.0
pair_coeff * *
dump 1 all custom 1 {number}.dump id type x y z fx fy fz
dump_modify 1 sort id format float %.17g
run 0
"""


@settings(BOUNDED, max_examples=2)
@given(made=st.lists(frames(pbc=ALL_AXES, largest=94), min_size=8, max_size=8))
def test_lammps_reads_our_data_files_and_we_read_its_dumps(made: list[Atoms]) -> None:
    """The data file has twelve decimals; LAMMPS wraps atoms into its box."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        types = [list(dict.fromkeys(one.get_chemical_symbols())) for one in made]
        for number, one in enumerate(made):
            write_lammps_data(folder / f"{number}.data", one, types[number])
        text = "".join(DUMPED.format(number=number) for number in range(len(made)))
        (folder / "in.lammps").write_text(text)
        done = subprocess.run(
            [need_program("lmp"), "-in", "in.lammps"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        assert done.returncode == 0, done.stdout[-2000:]
        read = [
            DumpTrajectory(folder / f"{number}.dump", types[number]).frame(0)
            for number in range(len(made))
        ]
    for one, expected in zip(read, made):
        assert one.numbers.tolist() == expected.numbers.tolist()
        np.testing.assert_allclose(one.cell.cellpar(), expected.cell.cellpar(), atol=1e-9)
        apart = one.cell.scaled_positions(one.positions)
        apart -= expected.cell.scaled_positions(expected.positions)
        np.testing.assert_allclose(apart, np.round(apart), atol=1e-11)
