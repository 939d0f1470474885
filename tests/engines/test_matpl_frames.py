"""One file a frame, as MatPL's reader of structures wants it."""

from __future__ import annotations

import importlib
import subprocess
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from pwact.engines.matpl.frames import split, steps_of
from pwact.engines.worker import python_module
from pwact.errors import TaskError
from pwact.formats.atom_config import read_atom_config
from pwact.formats.lammps_dump import DumpTrajectory
from tests.requirements import need_module

STEPS = (0, 5, 100)
TYPES = ("Au", "Cu")


def alloy(step: int) -> Atoms:
    """A tilted cell, elements out of order, atoms outside the cell."""
    atoms = bulk("Cu", cubic=True, a=3.7).repeat((2, 1, 1))
    atoms.numbers[::3] = 79
    atoms.set_cell(atoms.cell.array + [[0, 0, 0], [0.4, 0, 0], [0.3, -0.2, 0]], scale_atoms=True)
    atoms.positions += np.random.default_rng(step).normal(0, 0.2, (len(atoms), 3))
    return atoms


def frame(step: int, atoms: Atoms) -> str:
    cell = atoms.cell.array
    xy, xz, yz = cell[1, 0], cell[2, 0], cell[2, 1]
    low = np.array([min(0.0, xy, xz, xy + xz), min(0.0, yz), 0.0])
    high = np.diag(cell) + [max(0.0, xy, xz, xy + xz), max(0.0, yz), 0.0]
    bounds = "".join(
        f"{a:.16g} {b:.16g} {tilt:.16g}\n" for a, b, tilt in zip(low, high, (xy, xz, yz))
    )
    rows = "".join(
        f"{k} {TYPES.index(symbol) + 1} {x:.16g} {y:.16g} {z:.16g} 0 0 0\n"
        for k, (symbol, (x, y, z)) in enumerate(zip(atoms.symbols, atoms.positions), start=1)
    )
    return (
        f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n{len(atoms)}\n"
        f"ITEM: BOX BOUNDS xy xz yz pp pp pp\n{bounds}ITEM: ATOMS id type x y z fx fy fz\n{rows}"
    )


@pytest.fixture
def task(tmp_path: Path) -> Path:
    directory = tmp_path / "a 'task"
    directory.mkdir()
    dump = "".join(frame(step, alloy(step)) for step in STEPS)
    (directory / "traj.lammpstrj").write_text(dump)
    (directory / "atom_type.txt").write_text(" ".join(TYPES) + "\n")
    return directory


@pytest.mark.parametrize("name", ["pwmat/config", "config"])
def test_as_structures_of_pwmat(task: Path, name: str) -> None:
    split(task, name)
    paths = sorted((task / "traj").iterdir(), key=lambda path: int(path.stem))
    assert [path.name for path in paths] == ["0.config", "5.config", "100.config"]
    assert steps_of(task / "traj").tolist() == list(STEPS)
    for step, path in zip(STEPS, paths):
        found, true = read_atom_config(path), alloy(step)
        assert found.get_chemical_symbols() == true.get_chemical_symbols()
        np.testing.assert_allclose(found.cell.array, true.cell.array, atol=1e-12)
        apart = found.positions - true.positions
        np.testing.assert_allclose(found.cell.scaled_positions(apart), 0, atol=1e-12)


@pytest.mark.parametrize("name", ["lammps/dump", "dump"])
def test_as_parts_of_the_dump(task: Path, name: str) -> None:
    split(task, name)
    dump = (task / "traj.lammpstrj").read_text()
    parts = [(task / "traj" / f"{step}.lammpstrj").read_text() for step in STEPS]
    assert "".join(parts) == dump
    alone = DumpTrajectory(task / "traj" / "100.lammpstrj", TYPES)
    assert alone.steps().tolist() == [100]


@pytest.mark.parametrize("name", ["pwmat/config", "lammps/dump"])
def test_the_reader_that_matpl_uses_understands_them(task: Path, name: str) -> None:
    need_module("pwdata")
    save_data = importlib.import_module("pwdata").Save_Data
    split(task, name)
    true = alloy(5)
    (path,) = (task / "traj").glob("5.*")
    found = save_data(data_path=str(path), format=name, atom_names=list(TYPES))
    assert found.image_nums == 1
    assert found.atom_types_image.tolist() == true.numbers.tolist()
    cell = found.lattice.reshape(3, 3)
    np.testing.assert_allclose(cell, true.cell.array, atol=1e-9)
    placed = found.position.reshape(-1, 3) @ cell
    np.testing.assert_allclose(placed, true.positions, atol=1e-9)


def test_frames_without_numbers_are_left_out(task: Path, caplog: pytest.LogCaptureFixture) -> None:
    lost = alloy(200)
    lost.positions[3] = np.nan
    with (task / "traj.lammpstrj").open("a") as stream:
        stream.write(frame(200, lost) + frame(300, alloy(300))[:-40])  # the last one is cut off
    split(task, "pwmat/config")
    assert steps_of(task / "traj").tolist() == list(STEPS)
    assert "step 200" in caplog.text


def test_an_earlier_folder_is_replaced(task: Path) -> None:
    for name in ("traj", ".traj.new"):
        (task / name).mkdir()
        (task / name / "7.config").touch()
    split(task, "pwmat/config")
    assert sorted(path.name for path in task.iterdir()) == [
        "atom_type.txt",
        "traj",
        "traj.lammpstrj",
    ]
    assert steps_of(task / "traj").tolist() == list(STEPS)


@pytest.mark.parametrize("damage", ["atom_type.txt", "traj.lammpstrj", "no frame"])
def test_what_cannot_be_read_is_named_and_ends_the_job(task: Path, damage: str) -> None:
    if damage == "no frame":
        (task / "traj.lammpstrj").write_text("")
    else:
        (task / damage).unlink()
    with pytest.raises(TaskError, match="traj.lammpstrj" if damage == "no frame" else damage):
        split(task, "pwmat/config")
    command = python_module("pwact.engines.matpl.frames", "pwmat/config")
    ended = subprocess.run(
        ["bash", "-c", command], cwd=task, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert ("traj.lammpstrj" if damage == "no frame" else damage) in ended.stderr
    assert not (task / "traj").exists()
