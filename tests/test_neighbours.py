"""Pairs of atoms, against a neighbour list of ASE; and how close the closest ones are."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from ase.data import covalent_radii
from ase.neighborlist import primitive_neighbor_list
from hypothesis import given, settings
from hypothesis import strategies as st

from pwact import neighbours
from pwact.neighbours import closest_in_radii, pairs_within


def sorted_pairs(first: np.ndarray, second: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    rows = np.column_stack([first, second, np.round(vectors, 6) + 0.0])
    return rows[np.lexsort(rows.T[::-1])]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    count=st.integers(1, 6),
    pbc=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    cutoff=st.floats(0.5, 6.0),
)
def test_the_pairs_are_those_of_ase(
    seed: int, count: int, pbc: tuple[bool, bool, bool], cutoff: float
) -> None:
    rng = np.random.default_rng(seed)
    cell = 3.0 * np.eye(3) + rng.uniform(-1.2, 1.2, (3, 3))
    atoms = Atoms("H" * count, rng.uniform(-6, 6, (count, 3)), cell=cell, pbc=pbc)
    found = pairs_within(atoms, cutoff)
    expected = primitive_neighbor_list("ijD", pbc, cell, atoms.positions, cutoff)
    assert np.allclose(sorted_pairs(*found), sorted_pairs(*expected), atol=2e-6)
    assert np.allclose(found.distances, np.linalg.norm(found.vectors, axis=1))


def test_many_atoms_come_from_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    atoms = bulk("Cu", cubic=True) * (3, 3, 3)
    atoms.rattle(0.1, seed=1)
    direct = pairs_within(atoms, 4.0)
    monkeypatch.setattr(neighbours, "_MOST_PAIRS", 100)
    assert np.allclose(sorted_pairs(*direct), sorted_pairs(*pairs_within(atoms, 4.0)), atol=2e-6)


def test_a_molecule_without_a_cell() -> None:
    water = molecule("H2O")
    assert len(pairs_within(water, 1.2).first) == 4
    assert closest_in_radii(water, 2.0) == pytest.approx(0.9686 / (0.66 + 0.31), abs=1e-3)


@pytest.mark.parametrize(
    ("atoms", "distance"),
    [
        (Atoms("H2", [[0, 0, 0], [0, 0, 0.74]]), 0.74),
        (Atoms("CuH", [[0, 0, 0], [0, 0, 0.9]]), 0.9),
        (Atoms("H2", [[0, 0, 0], [0, 0, 4.7]], cell=[9, 9, 5], pbc=True), 0.3),
        (fcc111("Cu", (1, 1, 3), a=2.0, vacuum=5.0), 2.0 / np.sqrt(2)),
    ],
)
def test_the_closest_pair(atoms: Atoms, distance: float) -> None:
    radii = covalent_radii[atoms.numbers]
    ratio = distance / (radii[0] + radii[1])
    assert closest_in_radii(atoms, 2.0) == pytest.approx(ratio, rel=1e-6)


def test_not_the_shortest_distance_but_the_smallest_ratio() -> None:
    atoms = Atoms("H2Cs2", [[0, 0, 0], [0, 0, 0.7], [9, 0, 0], [9, 0, 2.0]])
    assert closest_in_radii(atoms) == pytest.approx(2.0 / (2 * covalent_radii[55]))


def test_far_pairs_are_not_looked_for() -> None:
    assert closest_in_radii(bulk("Cu")) == float("inf")
    assert closest_in_radii(Atoms("H")) == float("inf")
    assert closest_in_radii(Atoms()) == float("inf")


def test_what_is_no_place() -> None:
    broken = bulk("Cu", cubic=True)
    broken.positions[1, 2] = np.nan
    assert np.isnan(closest_in_radii(broken))
    flat = Atoms("H2", [[0, 0, 0], [0, 0, 1]], cell=[5, 0, 5], pbc=True)
    assert np.isnan(closest_in_radii(flat))


@pytest.mark.parametrize("pbc", [True, (True, False, False)])
def test_a_crushed_cell_takes_no_time(pbc: object) -> None:
    atoms = bulk("Cu", cubic=True) * (4, 4, 4)
    atoms.pbc = pbc
    atoms.set_cell(atoms.cell.array * 1e-3, scale_atoms=True)
    assert 0 < closest_in_radii(atoms) < 0.2
