"""Signs and units of the labels, proved by differences through write, worker and read."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from pwact.engines.ase import worker as ase_worker
from pwact.engines.labelers import Purpose
from pwact.formats.labels import Labels, labels_of
from tests.engines.test_ase import prepared


@pytest.fixture
def label(tmp_path: Path) -> object:
    """A function that labels a frame with EMT, through the files of a task."""
    numbers = itertools.count()

    def run(atoms: Atoms) -> Labels:
        settings = {"calculator": "emt"}
        made, task = prepared(tmp_path / str(next(numbers)), settings, Purpose.SCF, atoms)
        ase_worker.work(task, "scf")
        return labels_of(made.read_result(task, Purpose.SCF)[0])

    return run


def skewed() -> Atoms:
    """Two atoms of two elements in a strained, tilted cell; no symmetry is left."""
    atoms = bulk("Cu", a=3.7) * (2, 1, 1)
    atoms.symbols[1] = "Au"
    atoms.set_cell(atoms.cell @ [[1.02, 0.03, 0], [0, 0.97, 0.05], [0.02, 0, 1.01]], True)
    atoms.positions[1] += [0.12, -0.08, 0.05]
    return atoms


@pytest.mark.parametrize(("atom", "axis"), [(0, 0), (1, 1), (1, 2)])
def test_forces_are_minus_the_slope_of_the_energy(label: object, atom: int, axis: int) -> None:
    assert callable(label)
    force = label(skewed()).forces[atom, axis]
    ends = []
    for step in (-1e-3, 1e-3):
        atoms = skewed()
        atoms.positions[atom, axis] += step
        ends.append(label(atoms).energy)
    assert abs(force) > 0.05
    assert -(ends[1] - ends[0]) / 2e-3 == pytest.approx(force, rel=1e-4)


@pytest.mark.parametrize(("row", "column"), [(0, 0), (1, 1), (0, 1), (1, 2)])
def test_the_virial_is_minus_the_slope_over_the_strain(
    label: object, row: int, column: int
) -> None:
    """Virial = -dE/d(strain), in eV for the whole cell."""
    assert callable(label)
    virial = label(skewed()).virial[row, column]
    ends = []
    for step in (-1e-4, 1e-4):
        strain = np.zeros((3, 3))
        strain[row, column] += step / 2  # symmetric, so that the cell is not turned
        strain[column, row] += step / 2
        atoms = skewed()
        atoms.set_cell(atoms.cell @ (np.eye(3) + strain), scale_atoms=True)
        ends.append(label(atoms).energy)
    assert abs(virial) > 0.05
    assert -(ends[1] - ends[0]) / 2e-4 == pytest.approx(virial, rel=1e-4)
