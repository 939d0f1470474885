"""MOVEMENT and OUT.MLMD: numbers read by eye, the sign of forces, and damaged files."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import re
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT
from ase.data import atomic_masses
from ase.units import Bohr, Hartree, fs

from pwact.errors import CutOffError, InputError, TaskError
from pwact.formats.labels import labels_of
from pwact.formats.movement import complete_frames, iterate_movement, last_frame
from pwact.formats.structures import read_structure, write_structure
from tests import damage
from tests.formats.conftest import assert_same
from tests.workflow.trajectories import copper, movement_text

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
def movement(samples: Path) -> Path:
    return samples / "pwmat" / "MOVEMENT"


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


def test_a_trajectory(movement: Path) -> None:
    frames = list(iterate_movement(movement))
    labels = [labels_of(frame) for frame in frames]
    assert [frame.get_chemical_formula() for frame in frames] == ["Au8Cu24"] * 4
    assert [one.energy for one in labels] == [
        -110.5137277,
        -110.4849010,
        -110.4537531,
        -110.4203338,
    ]
    cell = [[7.5922, 0, 0], [-0.1496, 7.8166, 0], [-0.2244, 0.187, 7.5922]]
    np.testing.assert_array_equal(frames[3].cell.array, cell)
    first, second = frames[:2]
    place = first.cell.scaled_positions(first.positions)
    np.testing.assert_allclose(
        place[0], [0.003646307602839, 0.002886263840888, 0.999899087032385], atol=1e-14
    )
    place = second.cell.scaled_positions(second.positions)
    np.testing.assert_allclose(
        place[1], [0.002535220545241, 0.247458182462990, 0.242097975906089], atol=1e-14
    )
    force = [-0.337510018191328, -0.213059383285829, -0.052338799320722]
    np.testing.assert_array_equal(labels[0].forces[0], force)
    force = [-0.363919203725136, -0.229896647243189, -0.056783442665842]
    np.testing.assert_array_equal(labels[1].forces[0], force)
    force = [0.158120558004901, 0.108414559131972, 0.035224452255429]
    np.testing.assert_array_equal(labels[1].forces[31], force)
    assert labels[0].virial is not None
    np.testing.assert_array_equal(
        labels[0].virial,
        [
            [-29.0742, 2.30423, 3.89578],
            [2.30433, -32.0672, -2.63478],
            [3.89588, -2.63468, -28.7193],
        ],
    )


def test_a_single_point(samples: Path) -> None:
    (frame,) = iterate_movement(samples / "pwmat" / "OUT.MLMD")
    labels = labels_of(frame)
    assert frame.get_chemical_symbols() == ["Ag"] * 3 + ["Au"]
    assert (labels.energy, labels.virial) == (-13.94074916, None)
    fractions = [0.510786741628411, 0.484740875913217, 0.990997323882866]
    np.testing.assert_allclose(frame.positions[3], fractions @ frame.cell.array)
    force = [-0.012995696535272, -0.123207809413206, 0.162368405153350]
    np.testing.assert_array_equal(labels.forces[3], force)


@pytest.mark.parametrize("name", ["MOVEMENT", "OUT.MLMD"])
def test_labels_are_derivatives_of_one_energy(samples: Path, name: str) -> None:
    """The files are made of EMT with -3.5 eV an atom: Ep, signs and the virial."""
    for frame in iterate_movement(samples / "pwmat" / name):
        labels, again = labels_of(frame), frame.copy()
        again.calc = EMT()
        energy = again.get_potential_energy() - 3.5 * len(again)
        assert labels.energy == pytest.approx(energy, abs=1e-6)
        np.testing.assert_allclose(labels.forces, again.get_forces(), atol=1e-8)
        if labels.virial is not None:
            virial = -again.get_volume() * again.get_stress(voigt=False)
            np.testing.assert_allclose(labels.virial, virial, atol=3e-4)


def velocities(movement: Path) -> Iterator[np.ndarray]:
    """The blocks of velocities, Å per ASE's unit of time."""
    lines = movement.read_text().splitlines()
    count = int(lines[0].split()[0])
    for place, line in enumerate(lines):
        if line.startswith(" Velocity (bohr/fs)"):
            rows = [row.split()[1:4] for row in lines[place + 1 : place + 1 + count]]
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


@pytest.mark.parametrize("name", ["MOVEMENT", "OUT.MLMD"])
def test_an_independent_reader_agrees(samples: Path, name: str) -> None:
    from pwdata import Config  # noqa: PLC0415

    path = samples / "pwmat" / name
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


@pytest.mark.parametrize("name", ["MOVEMENT", "OUT.MLMD"])
def test_cut_anywhere_the_complete_frames_are_left(
    samples: Path, tmp_path: Path, name: str
) -> None:
    whole = samples / "pwmat" / name
    content, frames = whole.read_bytes(), list(iterate_movement(whole))
    ends = ends_of_frames(content)
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


def ends_of_frames(content: bytes) -> list[int]:
    """Places from which on a frame is complete: four of its dashes are there."""
    lines = damage.ends_of(content, b"-----")
    begins = [content.rfind(b"\n", 0, end - 1) for end in lines]
    return [content.index(b"----", begin) + 4 for begin in begins]


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
    # four dashes end a frame, even if the rest of their line is the head of the next run
    ends = [found.end() for found in re.finditer(rb"\n *----", content)]
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
    path = damage.put(tmp_path / "cut MOVEMENT", movement.read_bytes()[:-150])
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


def test_the_last_line_needs_no_end(movement: Path, tmp_path: Path) -> None:
    path = damage.put(tmp_path / "MOVEMENT", movement.read_bytes().rstrip())
    said: list[CutOffError] = []
    assert len(list(complete_frames(path, said.append))) == 4
    assert said == []


def test_headings_of_other_versions(movement: Path, tmp_path: Path) -> None:
    text = movement.read_text()
    theirs = r"Etot,Ep,Ek =\1, Average Force= 1E+01"
    other = re.sub(r"Etot,Ep,Ek \(eV\) =([^,\n]*)(, SCF = +\d+)?", theirs, text)
    assert other.count("Average") == 4
    path = damage.put(tmp_path / "MOVEMENT", other.encode())
    for one, same in zip(iterate_movement(path), iterate_movement(movement)):
        assert_same(one, same)


def test_the_stress_of_pwdata_is_the_virial_itself(movement: Path, tmp_path: Path) -> None:
    row = " MD_INFO: METHOD(1-VV) TIME(fs) TEMP(K)\n" + "  *  " + " ******** " * 7 + "\n"
    text = re.sub(r"(?m)^ *Lattice vector", lambda match: row + match[0], movement.read_text())
    path = damage.put(tmp_path / "MOVEMENT", text.encode())
    pairs = list(zip(iterate_movement(path), iterate_movement(movement)))
    assert len(pairs) == 4
    for theirs, pwmat in pairs:
        one, other = labels_of(theirs), labels_of(pwmat)
        np.testing.assert_array_equal(one.forces, other.forces)
        assert other.virial is not None
        np.testing.assert_array_equal(one.virial, -other.virial)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_and_marked_files(
    movement: Path, tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    content = movement.read_bytes()
    for text in (pack(content), pack(b"\xef\xbb\xbf" + content), b"\xef\xbb\xbf" + content):
        path = damage.put(tmp_path / "MOVEMENT", text)
        for one, same in zip(iterate_movement(path), iterate_movement(movement)):
            assert_same(one, same)
    packed = pack(content * 20)
    path = damage.put(tmp_path / "MOVEMENT", packed[: len(packed) * 2 // 3])
    with pytest.raises(CutOffError, match="is compressed, and damaged"):
        list(iterate_movement(path))


@pytest.mark.parametrize(
    ("heading", "other", "said"),
    [
        ("Lattice vector (Angstrom)", "Lattice vector (Bohr)", r"lattice block says \(Bohr\)"),
        ("Position (normalized)", "Position (Angstrom)", r"position block says \(Angstrom\)"),
        (
            "Force (-force, eV/Angstrom)",
            "Force (Hartree/Bohr)",
            "force block says",
        ),
    ],
)
def test_headings_with_another_unit_are_refused(
    tmp_path: Path, heading: str, other: str, said: str
) -> None:
    text = movement_text([copper(1), copper(2)])
    path = tmp_path / "MOVEMENT"
    path.write_text(text.replace(heading, heading.partition(" (")[0]))
    assert len(list(iterate_movement(path))) == 2
    head, _, tail = text.rpartition(heading)
    assert head
    path.write_text(head + other + tail)
    with pytest.raises(TaskError, match=rf"MOVEMENT, line \d+: the heading of the {said}"):
        list(iterate_movement(path))
