"""The descriptor of a structure: what changes it and what does not; against sums over triples."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.polynomial import Legendre

from pwact.geometry import super_cell
from pwact.query.descriptor import ANGULAR, CUTOFF, NEAREST, ORDERS, PLACES, RADIAL, describe


def crystal(seed: int, count: int = 5) -> Atoms:
    rng = np.random.default_rng(seed)
    cell = 4.0 * np.eye(3) + rng.uniform(-0.8, 0.8, (3, 3))
    numbers = rng.choice([13, 29], count)
    return Atoms(numbers, rng.uniform(0, 4, (count, 3)), cell=cell, pbc=True)


def described(atoms: Atoms) -> np.ndarray:
    return describe(atoms, [13, 29])


SEEDS = st.integers(0, 10**6)


class TestInvariance:
    @settings(max_examples=25, deadline=None)
    @given(seed=SEEDS)
    def test_rotation_and_reflection(self, seed: int) -> None:
        atoms = crystal(seed)
        turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
        turned = atoms.copy()
        turned.set_cell(atoms.cell.array @ turn)
        turned.positions = atoms.positions @ turn
        assert np.allclose(described(atoms), described(turned), atol=1e-6)

    @settings(max_examples=25, deadline=None)
    @given(seed=SEEDS)
    def test_order_of_the_atoms_and_origin(self, seed: int) -> None:
        atoms = crystal(seed)
        rng = np.random.default_rng(seed)
        other = atoms[rng.permutation(len(atoms))]
        other.positions += rng.uniform(-9, 9, 3)
        other.wrap()
        assert np.allclose(described(atoms), described(other), atol=1e-6)

    @settings(max_examples=25, deadline=None)
    @given(seed=SEEDS, sizes=st.tuples(*[st.integers(1, 2)] * 3), skew=st.integers(-1, 1))
    def test_super_cells(self, seed: int, sizes: tuple[int, int, int], skew: int) -> None:
        atoms = crystal(seed, 3)
        matrix = np.diag(sizes)
        matrix[0, 1] = skew
        larger = super_cell(atoms, matrix.ravel().tolist())
        assert np.allclose(described(atoms), described(larger), atol=1e-6)

    def test_a_molecule_in_a_box(self) -> None:
        water, boxed = molecule("H2O"), molecule("H2O")
        boxed.center(vacuum=6.0)
        boxed.pbc = True
        assert np.allclose(describe(water), describe(boxed))


def by_triples(atoms: Atoms) -> np.ndarray:
    """Of one element: the sums of the module's head, one neighbour after the other."""
    rows = []
    reach = range(-3, 4)
    shifts = [np.array([x, y, z]) @ atoms.cell.array for x in reach for y in reach for z in reach]
    for centre in atoms.positions:
        vectors = np.array([p + s - centre for p in atoms.positions for s in shifts])
        lengths = np.linalg.norm(vectors, axis=1)
        near = (lengths > 1e-9) & (lengths <= CUTOFF)
        vectors, lengths = vectors[near], lengths[near]
        weight = 0.5 * (1 + np.cos(np.pi * lengths / CUTOFF)) / (1 + (lengths / 1.4) ** 2)
        row = []
        for count in (RADIAL, ANGULAR):
            step = (CUTOFF - NEAREST) / count
            for n in range(count):
                at = NEAREST + (n + 0.5) * step
                row.append(weight * np.exp(-0.5 * ((lengths - at) / (step / 2)) ** 2))
        values = [one.sum() for one in row[:RADIAL]]
        cosines = np.clip(vectors @ vectors.T / np.outer(lengths, lengths), -1, 1)
        for order in range(1, ORDERS + 1):
            for one in row[RADIAL:]:
                square = one @ Legendre.basis(order)(cosines) @ one
                values.append(np.sqrt(max(square, 0.0)))
        rows.append(values)
    return np.concatenate([np.mean(rows, axis=0), np.std(rows, axis=0)])


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_against_sums_over_triples(seed: int) -> None:
    atoms = crystal(seed, 4)
    atoms.numbers[:] = 29
    assert np.allclose(describe(atoms), by_triples(atoms), atol=1e-7)


def test_its_shape() -> None:
    assert describe(bulk("Cu")).shape == (2 * PLACES,)
    assert described(bulk("Cu")).shape == (8 * PLACES,)
    assert np.count_nonzero(described(bulk("Cu"))[: 4 * PLACES]) == 0
    assert describe(Atoms("Cu")).tolist() == [0.0] * 2 * PLACES
    assert describe(Atoms()).shape == (0,)


def test_elements_that_are_not_named() -> None:
    with pytest.raises(ValueError, match="are not all of"):
        describe(bulk("Ni"), [13, 29])
    with pytest.raises(ValueError, match="are not all of"):
        describe(bulk("Au"), [13, 29])


def test_it_changes_smoothly_where_an_atom_passes_the_cutoff() -> None:
    inside, outside = (
        describe(Atoms("H2", [[0, 0, 0], [0, 0, CUTOFF + shift]])) for shift in (-1e-4, 1e-4)
    )
    assert np.abs(inside - outside).max() < 1e-8


@pytest.mark.parametrize(
    "change",
    ["strain", "rattle", "swap", "vacancy"],
)
def test_what_differs_is_told_apart(change: str) -> None:
    atoms = bulk("Cu", cubic=True) * (2, 2, 2)
    atoms.numbers[:4] = 13
    other = atoms.copy()
    if change == "strain":
        other.set_cell(other.cell.array * 1.01, scale_atoms=True)
    elif change == "rattle":
        other.rattle(0.05, seed=1)
    elif change == "swap":
        other.numbers[[0, 20]] = other.numbers[[20, 0]]
    else:
        del other[20]
    assert np.linalg.norm(described(atoms) - described(other)) > 0.005
