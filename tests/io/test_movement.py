"""MOVEMENT and OUT.MLMD: numbers of real files, the sign of forces, and damaged files."""

from __future__ import annotations

import contextlib
import io
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.data import atomic_masses
from ase.units import Bohr, Hartree, fs

from pwact.errors import CutOffError, InputError, TaskError
from pwact.io.labels import labels_of
from pwact.io.movement import complete_frames, iterate_movement, last_frame
from pwact.io.structures import read_structure, write_structure
from tests import damage
from tests.io.conftest import assert_same

FRAME = """\
   2 atoms,Iteration (fs) =    0.1E+01, Etot,Ep,Ek (eV) =   -0.9E+01  -0.1E+02   0.1E+01, SCF =   9
 Lattice vector (Angstrom)
   0.4E+01    0.0E+00    0.0E+00     stress (eV):  0.1E+01 0.2E+01 0.3E+01
   0.0E+00    0.5E+01    0.0E+00     stress (eV):  0.2E+01 0.4E+01 0.5E+01
   0.1E+01    0.0E+00    0.6E+01     stress (eV):  0.3E+01 0.5E+01 0.6E+01
 Position (normalized), move_x, move_y, move_z
  14   0.25  0.50 -0.50  1 1 1
   6   0.00  0.00  1.50  1 1 1
 Force (-force, eV/Angstrom)
  14   0.10 -0.20  0.30
   6  -0.10  0.20 -0.30
 -------------------------------------------------
"""


@pytest.fixture(scope="module")
def movement(outside: Path) -> Path:
    return outside / "pwmat" / "MOVEMENT_LiSi_4frames"


def read_text(tmp_path: Path, text: str) -> list[Atoms]:
    return list(iterate_movement(damage.put(tmp_path / "MOVEMENT", text.encode())))


def test_a_frame_by_hand(tmp_path: Path) -> None:
    (frame,) = read_text(tmp_path, FRAME)
    labels = labels_of(frame)
    assert frame.get_chemical_symbols() == ["Si", "C"]
    assert frame.pbc.all()
    np.testing.assert_allclose(frame.positions, [[0.5, 2.5, -3.0], [1.5, 0.0, 9.0]])
    assert labels.energy == -10.0  # Ep, neither Etot nor Ek
    np.testing.assert_allclose(labels.forces, [[-0.1, 0.2, -0.3], [0.1, -0.2, 0.3]])
    np.testing.assert_allclose(labels.virial, [[-1, -2, -3], [-2, -4, -5], [-3, -5, -6]])


def test_without_stress_there_is_no_virial(tmp_path: Path) -> None:
    text = "\n".join(line.partition("stress")[0] for line in FRAME.split("\n"))
    (frame,) = read_text(tmp_path, text)
    assert labels_of(frame).virial is None


def test_the_real_trajectory(movement: Path) -> None:
    frames = list(iterate_movement(movement))
    labels = [labels_of(frame) for frame in frames]
    assert [frame.get_chemical_formula() for frame in frames] == ["Li60Si16"] * 4
    energies = [-13354.74369, -13354.68474, -13354.51674, -13354.24667]
    assert [one.energy for one in labels] == energies
    cell = [[10.59163, 0, 0], [-0.221158, 10.907825, 0], [-0.305853, 0.234674, 10.597689]]
    np.testing.assert_array_equal(frames[3].cell.array, cell)
    first, second = frames[:2]
    place = first.cell.scaled_positions(first.positions)
    np.testing.assert_allclose(place[0], [0.596247, 0.127017, 0.213952], atol=1e-12)
    place = second.cell.scaled_positions(second.positions)
    np.testing.assert_allclose(
        place[1], [0.749951970860034, 0.126733556332378, 0.999243747489007], atol=1e-14
    )
    force = [0.009512503762959, -0.023217952941360, -0.039608936263606]
    np.testing.assert_array_equal(labels[0].forces[0], force)
    force = [0.071173183860090, 0.001850379397468, -0.053513899337771]
    np.testing.assert_array_equal(labels[1].forces[0], force)
    force = [0.051644287608649, -0.093018661550750, 0.009606978281586]
    np.testing.assert_array_equal(labels[1].forces[75], force)
    assert labels[0].virial is not None
    np.testing.assert_array_equal(
        labels[0].virial,
        [[-15.494, 5.35866, 7.06282], [5.35854, -21.6847, -4.765], [7.06279, -4.76527, -15.0605]],
    )


def test_the_real_single_point(outside: Path) -> None:
    (frame,) = iterate_movement(outside / "pwmat" / "OUT.MLMD")
    labels = labels_of(frame)
    assert frame.get_chemical_symbols() == ["H"] * 4 + ["C"]
    assert (labels.energy, labels.virial) == (-219.7270691, None)
    np.testing.assert_allclose(frame.positions[4], [5.0325059, 4.6725516, 4.4523234])
    assert not labels.forces.any()


def velocities(movement: Path) -> Iterator[np.ndarray]:
    """The blocks of velocities, Å per ASE's unit of time."""
    lines = movement.read_text().splitlines()
    for place, line in enumerate(lines):
        if line.startswith(" Velocity (bohr/fs)"):
            rows = [row.split()[1:4] for row in lines[place + 1 : place + 77]]
            yield np.array(rows, dtype=float) * Bohr / fs


def test_forces_point_along_the_acceleration(movement: Path) -> None:
    frames = list(iterate_movement(movement))
    before, between, after = velocities(movement)
    masses = atomic_masses[frames[0].numbers][:, None]
    push = (masses * (after - before) / (2 * fs)).ravel()  # of the frame between, 1 fs a step
    forces = [labels_of(frame).forces.ravel() for frame in frames]
    assert np.corrcoef(push, forces[2])[0, 1] > 0.8
    # the first frame's heading does not speak of minus the force, and still means it
    assert np.corrcoef(forces[0], forces[1])[0, 1] > 0.6
    assert between.shape == before.shape


def test_the_virial_answers_the_strain(movement: Path) -> None:
    """The cell is a cubic crystal, stretched most along b and sheared: it wants to go back."""
    frame = next(iterate_movement(movement))
    virial = labels_of(frame).virial
    assert virial is not None
    (a, b, c), volume = frame.cell.array, frame.get_volume()
    assert virial[1, 1] < min(virial[0, 0], virial[2, 2]) < 0
    shears = np.array([b[0] / b[1], c[0] / c[2], c[1] / c[2]])
    stiffness = -np.array([virial[0, 1], virial[0, 2], virial[1, 2]]) / volume / shears
    assert (stiffness > 0.15).all()  # eV/Å^3: some 30 GPa
    assert stiffness.std() < 0.1 * stiffness.mean()
    assert a[0] < b[1]


def test_the_virial_is_the_pressure_that_the_file_tells(movement: Path) -> None:
    frames = list(iterate_movement(movement))
    lines = movement.read_text().splitlines()
    places = [number for number, line in enumerate(lines) if "Pressure Internal" in line]
    assert len(places) == 3
    for frame, place in zip(frames[1:], places):
        told = np.array([line.split() for line in lines[place + 1 : place + 4]], dtype=float)
        found = labels_of(frame).virial
        assert found is not None
        volume = frame.get_volume() / Bohr**3
        np.testing.assert_allclose(found, told * Hartree * volume, rtol=1e-3)


@pytest.mark.parametrize("name", ["MOVEMENT_LiSi_4frames", "OUT.MLMD"])
def test_an_independent_reader_agrees(outside: Path, name: str) -> None:
    from pwdata import Config  # noqa: PLC0415

    path = outside / "pwmat" / name
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        images = Config(format="pwmat/movement", data_path=str(path)).images
    frames = list(iterate_movement(path))
    assert len(images) == len(frames)
    for image, frame in zip(images, frames):
        labels = labels_of(frame)
        assert list(image.atom_types_image) == frame.numbers.tolist()
        assert image.Ep == pytest.approx(labels.energy, abs=1e-9)
        np.testing.assert_allclose(image.force, labels.forces, atol=1e-12)
        np.testing.assert_allclose(np.reshape(image.lattice, (3, 3)), frame.cell.array)
        np.testing.assert_allclose(
            np.array(image.position) @ frame.cell.array, frame.positions, atol=1e-9
        )
        if labels.virial is not None:
            np.testing.assert_allclose(np.reshape(image.virial, (3, 3)), labels.virial, atol=1e-9)


@pytest.mark.parametrize("name", ["MOVEMENT_LiSi_4frames", "OUT.MLMD"])
def test_cut_anywhere_the_complete_frames_are_left(
    outside: Path, tmp_path: Path, name: str
) -> None:
    whole = outside / "pwmat" / name
    content, frames = whole.read_bytes(), list(iterate_movement(whole))
    ends = [place for place in damage.ends_of(content, b"-----") if place]
    path = tmp_path / "MOVEMENT"
    for place in damage.cuts(content):
        damage.put(path, content[:place])
        expected = sum(end <= place for end in ends)
        if not expected:
            with pytest.raises(CutOffError, match="MOVEMENT"):
                list(complete_frames(path))
            continue
        found = list(complete_frames(path))
        assert len(found) == expected
        for one, other in zip(found, frames):
            assert_same(one, other)


@pytest.mark.parametrize("word", [b"NaN", b"********", b"-1.0-2.0"])
def test_a_spoiled_number_is_found_or_does_not_matter(
    movement: Path, tmp_path: Path, word: bytes
) -> None:
    frames, refused = list(iterate_movement(movement)), 0
    for content in damage.spoiled(movement.read_bytes(), word):
        try:
            found = list(iterate_movement(damage.put(tmp_path / "MOVEMENT", content)))
        except TaskError as error:
            assert "MOVEMENT, line " in str(error)  # noqa: PT017
            refused += 1
            continue
        assert len(found) == 4
        for one, other in zip(found, frames):
            assert_same(one, other)
    assert refused > 10


def test_a_missing_line_is_found_or_does_not_matter(movement: Path, tmp_path: Path) -> None:
    rows = movement.read_bytes().splitlines(keepends=True)
    frames = list(iterate_movement(movement))
    for gone in range(0, len(rows), 19):
        damage.put(tmp_path / "MOVEMENT", b"".join(rows[:gone] + rows[gone + 1 :]))
        with contextlib.suppress(TaskError):
            for one, other in zip(iterate_movement(tmp_path / "MOVEMENT"), frames):
                assert_same(one, other)


def test_two_runs_in_one_file(movement: Path, tmp_path: Path) -> None:
    content, frames = movement.read_bytes(), list(iterate_movement(movement))
    path = damage.put(tmp_path / "MOVEMENT", content * 2)
    assert len(list(iterate_movement(path))) == 8
    ends = damage.ends_of(content, b"-----")
    for place in damage.cuts(content, 100):
        damage.put(path, content[:place] + content)
        found = []
        with contextlib.suppress(TaskError):
            for frame in iterate_movement(path):
                found.append(frame)
        before = sum(end <= place for end in ends)
        assert len(found) >= before
        for one, other in zip(found, [*frames[:before], *frames]):
            assert_same(one, other)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("   2 atoms", "   0 atoms", "line 1: expected 'N atoms"),
        ("   2 atoms", "   2 aoms", "line 1: expected 'N atoms"),
        ("   2 atoms", "   3 atoms", "line 9: 3 numbers where 4 are expected"),
        ("   2 atoms", "   1 atoms", "line 8: a block has more than 1 lines"),
        ("  -0.1E+02 ", "", "line 1: the three energies"),
        ("  -0.1E+02 ", " 9  9 atoms,Iteration, Etot,Ep,Ek (eV) = 1 2 3", "line 1: expected"),
        (" Lattice vector", " vectors", "line 12: the frame that ends here has no lattice block"),
        (" Position", " nonperiodic_Position", "line 12: .* has no position block"),
        (" Force", " orce", "has no force block"),
        (" Force", " Position", "line 9: a second position block"),
        ("stress (eV):  0.3E+01", "", "some lattice vectors have a stress beside them"),
        (" 0.5E+01 0.6E+01\n", " 0.5E+01\n", "line 5: three numbers are expected"),
        ("0.4E+01    0.0E+00    0.0E+00 ", "0.4E+01 ", "line 3: a lattice vector needs three"),
        ("   0.4E+01 ", "   0.0E+01 ", "line 5: the cell has no volume"),
        ("  14   0.25", "  14.5   0.25", "no atomic number"),
        ("  14   0.25", "  140   0.25", "no atomic number"),
        ("  14   0.10", "  13   0.10", "name different elements"),
        (" ----", "   2 atoms,Iteration (fs) = 0, Etot", "line 12: a frame begins before"),
    ],
)
def test_a_damaged_frame_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in FRAME
    with pytest.raises(TaskError, match=message) as caught:
        read_text(tmp_path, FRAME.replace(old, new, 1))
    assert "MOVEMENT" in str(caught.value)


def test_as_a_structure_the_last_complete_frame_counts(movement: Path, tmp_path: Path) -> None:
    frames = list(iterate_movement(movement))
    path = damage.put(tmp_path / "cut MOVEMENT", movement.read_bytes()[:-5])
    found = read_structure(path, "PWmat/Movement")
    assert_same(found, frames[2].copy())
    assert found.calc is None
    np.testing.assert_array_equal(last_frame(movement).positions, frames[3].positions)
    with pytest.raises(InputError, match="not written in format pwmat/movement"):
        write_structure(tmp_path / "x", found, "pwmat/movement")


def test_a_long_trajectory_is_read_in_bounded_memory(movement: Path, tmp_path: Path) -> None:
    path = damage.put(tmp_path / "MOVEMENT", movement.read_bytes() * 50)
    tracemalloc.start()
    try:
        assert sum(1 for _ in iterate_movement(path)) == 200
        assert tracemalloc.get_traced_memory()[1] < path.stat().st_size / 6
    finally:
        tracemalloc.stop()
