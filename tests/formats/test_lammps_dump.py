from __future__ import annotations

from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms

from pwact.errors import TaskError
from pwact.formats.lammps_dump import DumpTrajectory
from pwact.geometry import lower_triangular

TYPES = ["Au", "Ag"]
ORIGIN = np.array([-1.0, 2.0, 0.5])


def bounds(cell: np.ndarray) -> str:
    """Box lines as LAMMPS writes them: the tilted box in its orthogonal hull."""
    xy, xz, yz = cell[1, 0], cell[2, 0], cell[2, 1]
    low = ORIGIN + [min(0, xy, xz, xy + xz), min(0, yz), 0]
    high = ORIGIN + np.diag(cell) + [max(0, xy, xz, xy + xz), max(0, yz), 0]
    rows = zip(low.tolist(), high.tolist(), (xy, xz, yz))
    return "".join(f"{a!r} {b!r} {float(tilt)!r}\n" for a, b, tilt in rows)


def text(step: int, atoms: Atoms, columns: str = "id type x y z fx fy fz") -> str:
    """A frame as LAMMPS dumps it, last atom first."""
    rows = []
    for index, (atom, force) in enumerate(zip(atoms, atoms.arrays["forces"]), start=1):
        place = atom.scaled_position if " xs " in columns else atom.position + ORIGIN
        numbers = " ".join(map(repr, [*place.tolist(), *force.tolist()]))
        rows.append(f"{index} {TYPES.index(atom.symbol) + 1} {numbers} \n")
    return (
        f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n{len(atoms)}\n"
        f"ITEM: BOX BOUNDS xy xz yz pp pp pp\n{bounds(atoms.cell.array)}"
        f"ITEM: ATOMS {columns} \n{''.join(reversed(rows))}"
    )


def frame(step: int, tilt: float = 1.0) -> Atoms:
    rng = np.random.default_rng(step)
    cell = np.diag([6.0, 7.0, 8.0])
    cell[1, 0], cell[2, 0], cell[2, 1] = tilt, -0.4 * tilt, 0.3 * tilt
    atoms = Atoms("AgAuAgAg", cell=cell, scaled_positions=rng.random((4, 3)), pbc=True)
    atoms.set_array("forces", rng.normal(size=(4, 3)))
    return atoms


def assert_same(found: Atoms, expected: Atoms) -> None:
    assert found.get_chemical_symbols() == expected.get_chemical_symbols()
    assert found.pbc.all()
    np.testing.assert_allclose(found.cell.array, expected.cell.array, atol=1e-12)
    np.testing.assert_allclose(found.positions, expected.positions, atol=1e-12)
    np.testing.assert_array_equal(found.arrays["forces"], expected.arrays["forces"])


def write(path: Path, content: str) -> DumpTrajectory:
    path.write_text(content)
    return DumpTrajectory(path, TYPES)


@pytest.mark.parametrize("tilt", [1.0, -1.0, 0.0])
@pytest.mark.parametrize("columns", ["id type x y z fx fy fz", "id type xs ys zs fx fy fz"])
def test_frames_come_back(tmp_path: Path, tilt: float, columns: str) -> None:
    expected = {step: frame(step, tilt) for step in (0, 5, 10)}
    content = "".join(text(step, atoms, columns) for step, atoms in expected.items())
    dump = write(tmp_path / "dump", content)
    assert dump.steps().tolist() == [0, 5, 10]
    for step in (10, 0, 5):
        assert_same(dump.frame(step), expected[step])
        assert dump.frame(step).calc is None


def test_ase_reads_the_same(tmp_path: Path) -> None:
    dump = write(tmp_path / "dump", text(0, frame(0)) + text(5, frame(5)))
    theirs = ase.io.read(tmp_path / "dump", 1, format="lammps-dump-text")
    ours = dump.frame(5)
    np.testing.assert_allclose(ours.cell.array, theirs.cell.array, atol=1e-12)
    np.testing.assert_allclose(
        ours.get_all_distances(mic=True), theirs.get_all_distances(mic=True), atol=1e-12
    )
    np.testing.assert_array_equal(ours.arrays["forces"], theirs.get_forces())


def test_orthogonal_box_without_forces(tmp_path: Path) -> None:
    content = text(0, frame(0, 0.0)).replace(" xy xz yz", "").replace("fx fy fz", "vx vy vz")
    lines = content.splitlines(keepends=True)
    lines[5:8] = [f"{' '.join(line.split()[:2])}\n" for line in lines[5:8]]
    found = write(tmp_path / "dump", "".join(lines)).frame(0)
    np.testing.assert_allclose(np.diag(found.cell.array), [6, 7, 8.0])
    assert np.count_nonzero(found.cell.array) == 3
    assert "forces" not in found.arrays


def test_a_directory_with_one_file_a_frame(tmp_path: Path) -> None:
    for step in (0, 10, 5):
        (tmp_path / f"{step}.lammpstrj").write_text(text(step, frame(step)))
    (tmp_path / "15.lammpstrj").write_text(text(15, frame(15))[:-20])
    (tmp_path / "notes").write_text("nothing")
    (tmp_path / "empty").touch()
    dump = DumpTrajectory(tmp_path, TYPES)
    assert dump.steps().tolist() == [0, 5, 10]
    assert_same(dump.frame(10), frame(10))


def test_every_cut_loses_only_the_last_frame(tmp_path: Path) -> None:
    first, second = text(0, frame(0)), text(5, frame(5))
    for length in range(1, len(second)):
        dump = write(tmp_path / "dump", first + second[:length])
        assert dump.steps().tolist() == [0]
        assert_same(dump.frame(0), frame(0))


def test_after_a_restart_the_last_frame_counts(tmp_path: Path) -> None:
    torn = text(10, frame(99))[:-17]  # killed while writing; the continuation goes on in the line
    content = (
        text(0, frame(0)) + text(5, frame(77)) + torn + text(5, frame(5)) + text(10, frame(10))
    )
    dump = write(tmp_path / "dump", content)
    assert dump.steps().tolist() == [0, 5, 10]
    assert_same(dump.frame(5), frame(5))
    assert_same(dump.frame(10), frame(10))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("4 2 ", "4 3 ", "type 3, but only 2 elements"),
        (" x y z", " u v w", "no columns x y z"),
        ("type ", "kind ", "no 'type'"),
        ("BOUNDS xy xz yz", "BOUNDS abc origin", "general triclinic"),
        ("BOX BOUNDS", "BOX", "no box"),
    ],
)
def test_frames_that_cannot_be_understood(tmp_path: Path, old: str, new: str, message: str) -> None:
    dump = write(tmp_path / "dump", text(0, frame(0)).replace(old, new))
    with pytest.raises(TaskError, match=message) as caught:
        dump.frame(0)
    assert "dump: step 0" in str(caught.value)


def test_atoms_at_nan(tmp_path: Path) -> None:
    lines = text(0, frame(0)).splitlines(keepends=True)
    lines[-1] = "1 2 nan nan nan 0 0 0\n"
    with pytest.raises(TaskError, match="not finite"):
        write(tmp_path / "dump", "".join(lines)).frame(0)


def test_missing_step_and_file(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="no frame of step 7"):
        write(tmp_path / "dump", text(0, frame(0))).frame(7)
    with pytest.raises(TaskError, match="cannot be read"):
        DumpTrajectory(tmp_path / "absent", TYPES).steps()
    assert write(tmp_path / "dump", "").steps().tolist() == []


def test_the_cells_above_are_of_lammps_form() -> None:
    cell = frame(0).cell.array
    np.testing.assert_array_equal(lower_triangular(cell)[0], cell)
