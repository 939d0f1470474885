"""What nearly has a label already."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from pwact.query.duplicates import NEAR, Known, distances


def displaced(atoms: Atoms, length: float, seed: int) -> Atoms:
    """Random displacements with this root-mean-square length, Å."""
    rng = np.random.default_rng(seed)
    moved = atoms.copy()
    moved.positions += rng.normal(size=moved.positions.shape) * length / np.sqrt(3)
    return moved


def thermal(name: str) -> Atoms:
    if name == "ethane":
        return displaced(molecule("C2H6"), 0.1, 5)
    size = {"copper": 2, "large copper": 4}[name]
    return displaced(bulk("Cu", cubic=True) * (size, size, size), 0.15, 5)


@pytest.mark.parametrize("name", ["copper", "large copper", "ethane"])
@pytest.mark.parametrize("seed", range(5))
def test_frames_of_neighbouring_steps_are_one_and_others_are_not(name: str, seed: int) -> None:
    atoms = thermal(name)
    known = Known(atoms.numbers, [atoms])
    assert known.near(displaced(atoms, NEAR / 8, seed))
    assert not known.near(displaced(atoms, 10 * NEAR, seed))
    ideal = bulk("Cu", cubic=True) * (2, 2, 2) if name == "copper" else atoms
    assert not known.near(displaced(ideal, 0.15, 100 + seed))


def test_the_same_structure_in_another_cell() -> None:
    atoms = bulk("Cu", cubic=True)
    known = Known([29], [displaced(atoms, 0.1, 0)])
    larger = displaced(atoms, 0.1, 0) * (1, 2, 1)
    larger.positions += 1.0
    assert known.near(larger[::-1])
    assert not known.near(atoms)


def test_no_frames() -> None:
    assert not Known([29]).near(bulk("Cu"))
    assert len(Known([29])) == 0


def test_one_more() -> None:
    known = Known([13, 29], [bulk("Cu")])
    both = known.with_one(bulk("Al"))
    assert both.near(bulk("Al"))
    assert not known.near(bulk("Al"))
    assert (len(known), len(both)) == (1, 2)


def test_distances() -> None:
    points = np.array([[0.0, 0.0], [3.0, 4.0]])
    assert distances(points, np.zeros(2)).tolist() == [0.0, 5.0]
