"""Which atoms are held, by lattice vectors and along x, y and z."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from pwact.fixed_atoms import (
    along_axes,
    any_fixed,
    fix,
    fixed_of,
    from_axes,
    held,
    held_in_part,
    in_super_cell,
    ranges,
)
from pwact.geometry import perturb


def slab(cell: object = (3.0, 3.5, 12.0)) -> Atoms:
    """Three atoms: one held, one held along the third vector, one free."""
    atoms = Atoms("Cu3", [[0, 0, 0], [1.5, 1.7, 1.8], [0, 0, 3.6]], cell=cell, pbc=True)
    fix(atoms, np.array([[1, 1, 1], [0, 0, 1], [0, 0, 0]]))
    return atoms


def test_what_is_held() -> None:
    atoms = slab()
    assert (held(atoms), held_in_part(atoms), any_fixed(atoms)) == ([0], [1], True)
    assert along_axes(atoms).tolist() == [[1, 1, 1], [0, 0, 1], [0, 0, 0]]
    fix(atoms, np.array([False, True, False]))
    assert fixed_of(atoms).tolist() == [[0, 0, 0], [1, 1, 1], [0, 0, 0]]
    fix(atoms, np.zeros(3))
    assert not any_fixed(atoms)
    assert set(atoms.arrays) == {"numbers", "positions"}


TILTED = [[3.0, 0, 0], [0.4, 3.5, 0], [0.5, 0.6, 12.0]]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ([0, 0, 1], ""),  # a and b lie in the plane of x and y
        ([1, 1, 1], ""),
        ([0, 0, 0], ""),
        ([0, 1, 1], ""),  # a lies along x
        ([1, 1, 0], "held along x and y alone"),  # c does not lie along z
        ([1, 0, 0], "held along x alone"),
    ],
)
def test_axes_and_lattice_vectors_must_mean_one_motion(row: list[int], said: str) -> None:
    atoms = slab(TILTED)
    fix(atoms, np.array([row, [1, 1, 1], [0, 0, 0]]))
    if said:
        with pytest.raises(ValueError, match=said):
            along_axes(atoms)
        with pytest.raises(ValueError, match=said):
            from_axes(atoms.cell.array, np.array([row]))
    else:
        assert along_axes(atoms)[0].tolist() == row
        assert from_axes(atoms.cell.array, np.array([row])).tolist() == [row]


def test_super_cells_of_atoms_that_are_held_in_part() -> None:
    plane = np.array([[1, 1, 0], [-1, 1, 0], [0, 0, 2]])
    assert in_super_cell(plane, np.array([[0, 0, 1]])).tolist() == [[0, 0, 1]]
    with pytest.raises(ValueError, match="held along a alone"):
        in_super_cell(plane, np.array([[1, 0, 0]]))
    assert in_super_cell(plane, np.ones((2, 3))).tolist() == [[1, 1, 1]] * 2


def test_held_atoms_are_not_shaken() -> None:
    """They go with the strain; those that are held in part move along the other vectors."""
    atoms = slab(TILTED)
    made = perturb(atoms, 0.03, 0.2, np.random.default_rng(5))
    before = atoms.cell.scaled_positions(atoms.positions)
    apart = made.cell.scaled_positions(made.positions) - before
    np.testing.assert_allclose(apart[0], 0, atol=1e-12)
    np.testing.assert_allclose(apart[1, 2], 0, atol=1e-12)
    assert np.abs(apart[1, :2]).min() > 1e-3
    free = slab(TILTED)
    fix(free, np.zeros(3))
    other = perturb(free, 0.03, 0.2, np.random.default_rng(5))
    np.testing.assert_array_equal(made.cell.array, other.cell.array)
    np.testing.assert_allclose(made.positions[2], other.positions[2], atol=1e-12)


def test_a_free_structure_is_shaken_as_ever() -> None:
    made = perturb(bulk("Cu", cubic=True), 0.0, 0.1, np.random.default_rng(1))
    rng = np.random.default_rng(1)
    rng.uniform(0, 0, 6)
    wanted = bulk("Cu", cubic=True).positions + rng.standard_normal((4, 3)) * (0.1 / np.sqrt(3))
    np.testing.assert_array_equal(made.positions, wanted)


@pytest.mark.parametrize(
    ("numbers", "words"),
    [([], []), ([1], ["1"]), ([1, 2, 3, 7], ["1..3", "7"]), ([2, 4, 5], ["2", "4..5"])],
)
def test_ranges(numbers: list[int], words: list[str]) -> None:
    assert ranges(numbers) == words
