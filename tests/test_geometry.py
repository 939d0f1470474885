from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, make_supercell
from ase.geometry import cellpar_to_cell
from hypothesis import given, settings
from hypothesis import strategies as st

from pwact import geometry
from pwact.errors import InputError
from pwact.geometry import (
    cell_angles,
    flaw,
    lower_triangular,
    perturb,
    scale,
    shortest_distance,
    super_cell,
)


def salt() -> Atoms:
    """A skewed cell with three atoms, the heavier first."""
    atoms = Atoms("AuAgAu", cell=[[4, 0.2, 0], [1, 5, 0.1], [0.3, -0.4, 6]], pbc=True)
    atoms.set_scaled_positions([[0, 0, 0], [0.5, 0.4, 0.3], [0.9, 0.1, 0.7]])
    return atoms


def places(atoms: Atoms) -> list[tuple[float, ...]]:
    """What stands where, whatever the order."""
    fractions = np.mod(np.round(atoms.cell.scaled_positions(atoms.positions), 8), 1)
    rows = zip(atoms.numbers.tolist(), fractions.tolist())
    return sorted((number, *np.round(row, 6)) for number, row in rows)


@pytest.mark.parametrize(
    "matrix",
    [
        (1, 1, 1),
        (2, 1, 3),
        (1, 1, 0, 0, 1, 0, 0, 0, 1),
        (2, 1, 0, -1, 2, 0, 0, 1, 2),
        (-1, 1, 1, 1, -1, 1, 1, 1, -1),
        (0, 1, 0, 0, 0, 1, 1, 0, 0),
    ],
)
def test_super_cell_agrees_with_ase(matrix: tuple[int, ...]) -> None:
    square = np.diag(matrix) if len(matrix) == 3 else np.reshape(matrix, (3, 3))
    made, expected = super_cell(salt(), matrix), make_supercell(salt(), square)
    np.testing.assert_allclose(made.cell.array, expected.cell.array, atol=1e-12)
    assert places(made) == places(expected)
    assert made.numbers.tolist() == sorted(made.numbers)


def test_super_cell_wraps_along_periodic_axes_only() -> None:
    atoms = Atoms("Si", [[-1.0, -1.0, 5.0]], cell=[4, 4, 4], pbc=True)
    np.testing.assert_allclose(super_cell(atoms, (1, 1, 1)).positions, [[3, 3, 1]])
    np.testing.assert_allclose(super_cell(atoms, (1, 1, 1), (1, 0, 0)).positions, [[3, -1, 5]])
    almost = Atoms("Si", [[-1e-6, 4 - 1e-6, 0]], cell=[4, 4, 4], pbc=True)
    np.testing.assert_allclose(super_cell(almost, (1, 1, 1)).positions, [[0, 0, 0]], atol=2e-6)


def test_super_cell_keeps_the_order_inside_an_element() -> None:
    made = super_cell(salt(), (2, 1, 1))
    assert made.get_chemical_symbols() == ["Ag"] * 2 + ["Au"] * 4
    first = made.cell.scaled_positions(made.positions)[2:, 0]
    np.testing.assert_allclose(first, [0, 0.45, 0.5, 0.95], atol=1e-12)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ((1, 1, -1), "positive determinant, not -1"),
        ((1, 1, 0), "positive determinant, not 0"),
        ((1, 1), "3 or 9 integers"),
        ((1, 1, 1.5), "3 or 9 integers"),
    ],
)
def test_super_cell_refuses(matrix: tuple[float, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        super_cell(salt(), matrix)


def test_scale() -> None:
    atoms = salt()
    made = scale(atoms, 0.9)
    np.testing.assert_allclose(made.cell.array, 0.9 * atoms.cell.array)
    np.testing.assert_allclose(made.positions, 0.9 * atoms.positions)
    assert made.numbers.tolist() == atoms.numbers.tolist()
    for factor in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(InputError, match="positive number"):
            scale(atoms, factor)


def perturbed(count: int, fraction: float, distance: float, style: str) -> list[Atoms]:
    rng = np.random.default_rng(3)
    return [perturb(big(), fraction, distance, rng, style) for _ in range(count)]


def big() -> Atoms:
    return Atoms("Si50", np.zeros((50, 3)), cell=[10, 10, 10], pbc=True)


def test_perturb_normal_has_the_documented_rms() -> None:
    moves = np.concatenate([atoms.positions for atoms in perturbed(200, 0.0, 0.3, "normal")])
    assert np.sqrt(np.mean(np.sum(moves**2, axis=1))) == pytest.approx(0.3, rel=0.02)
    assert np.abs(moves).max() > 0.5  # a tail
    assert np.abs(moves.mean(axis=0)).max() < 0.01


def test_perturb_uniform_fills_its_box() -> None:
    moves = np.concatenate([atoms.positions for atoms in perturbed(200, 0.0, 0.3, "uniform")])
    assert 0.299 < np.abs(moves).max() <= 0.3
    assert moves.std() == pytest.approx(0.3 / np.sqrt(3), rel=0.02)


def test_perturb_strains_the_cell_symmetrically() -> None:
    metrics = []
    for atoms in perturbed(300, 0.03, 0.0, "normal"):
        cell = atoms.cell.array
        assert np.all(np.triu(cell, 1) == 0)
        assert np.all(np.diag(cell) > 0)
        metrics.append(cell @ cell.T / 100)
    # A' = 10 E: the metric E·Eᵀ = 1 + 2ε + …, with ε the symmetric strain
    strains = (np.array(metrics) - np.eye(3)) / 2
    diagonal = np.array([np.diag(strain) for strain in strains])
    assert 0.028 < np.abs(diagonal).max() < 0.032
    shear = strains[:, [0, 0, 1], [1, 2, 2]]
    assert 0.0135 < np.abs(shear).max() < 0.0165


def test_perturb_strains_the_positions_with_the_cell() -> None:
    atoms = salt()
    made = perturb(atoms, 0.05, 0.0, np.random.default_rng(0))
    assert not np.allclose(made.cell.cellpar(), atoms.cell.cellpar(), rtol=1e-3)
    np.testing.assert_allclose(
        made.cell.scaled_positions(made.positions), atoms.cell.scaled_positions(atoms.positions)
    )


def test_perturb_by_nothing_only_rotates() -> None:
    atoms = salt()
    made = perturb(atoms, 0.0, 0.0, np.random.default_rng(0))
    np.testing.assert_allclose(made.cell.cellpar(), atoms.cell.cellpar())
    np.testing.assert_allclose(made.get_all_distances(), atoms.get_all_distances(), atol=1e-12)


def test_perturb_is_reproducible() -> None:
    one, same, other = (
        perturb(salt(), 0.03, 0.1, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.positions, same.positions)
    assert not np.allclose(one.positions, other.positions)


@pytest.mark.parametrize(
    ("fraction", "distance", "style", "message"),
    [
        (-0.1, 0.1, "normal", "cell_pert_fraction"),
        (0.1, -0.1, "normal", "atom_pert_distance"),
        (0.1, np.nan, "normal", "atom_pert_distance"),
        (0.1, 0.1, "gauss", "perturb_style"),
    ],
)
def test_perturb_refuses(fraction: float, distance: float, style: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        perturb(salt(), fraction, distance, np.random.default_rng(0), style)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=9, max_size=9))
def test_lower_triangular(numbers: list[float]) -> None:
    cell = 4 * np.eye(3) + np.reshape(numbers, (3, 3))
    lower, rotation = lower_triangular(cell)
    assert np.all(np.triu(lower, 1) == 0)
    assert np.all(np.diag(lower) > 0)
    np.testing.assert_allclose(cell @ rotation, lower, atol=1e-12)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)


def test_lower_triangular_refuses() -> None:
    for cell, message in ((np.eye(3)[::-1], "left-handed"), (np.zeros((3, 3)), "no volume")):
        with pytest.raises(InputError, match=message):
            lower_triangular(cell)


@pytest.mark.parametrize(
    ("atoms", "distance"),
    [
        (bulk("Cu", a=3.6), 3.6 / np.sqrt(2)),
        (bulk("Cu", a=3.6, cubic=True), 3.6 / np.sqrt(2)),
        (Atoms("Cu", cell=[7, 8, 9], pbc=True), 7.0),
        (Atoms("Cu", cell=[50, 60, 70], pbc=True), 50.0),
        (Atoms("Cu2", [[0.1, 0, 0], [9.8, 0, 0]], cell=[10, 10, 10], pbc=True), 0.3),
        (Atoms("Cu2", [[0.1, 0, 0], [9.8, 0, 0]], cell=[10, 10, 10]), 9.7),
        (Atoms("Cu2", [[0, 0, 0], [0, 0, 40]]), 40.0),
        (Atoms("Cu2", [[0, 0, 0], [0, 0, 0]], cell=[10, 10, 10], pbc=True), 0.0),
        (Atoms("Cu2", [[0, 0, 0], [0, 0, np.nan]], cell=[10, 10, 10], pbc=True), 0.0),
        (Atoms("Cu"), np.inf),
    ],
)
def test_shortest_distance(atoms: Atoms, distance: float) -> None:
    assert shortest_distance(atoms) == pytest.approx(distance, abs=1e-12)


def test_cell_angles() -> None:
    np.testing.assert_allclose(cell_angles(bulk("Cu")), [60, 60, 60])
    hexagonal = Atoms(cell=[[3, 0, 0], [-1.5, 3 * np.sqrt(0.75), 0], [0, 0, 5]])
    np.testing.assert_allclose(cell_angles(hexagonal), [90, 90, 120])


@pytest.mark.parametrize(
    ("cell", "positions", "reason"),
    [
        (np.eye(3) * 5, [[0, 0, 0], [0.5, 0, 0]], ""),
        (np.eye(3) * 5, [[0, 0, 0], [0.49, 0, 0]], "only 0.49 Å apart"),
        (np.eye(3) * 5, [[0, 0, 0], [4.6, 0, 0]], "only 0.40 Å apart"),
        (np.eye(3) * 5, [[0, 0, 0], [np.nan, 0, 0]], "not finite"),
        (np.diag([5, np.inf, 5]), [[0, 0, 0], [1, 0, 0]], "not finite"),
        ([[5, 0, 0], [0, 0, 5], [0, 5, 0]], [[0, 0, 0], [1, 0, 0]], "exchange its vectors b and c"),
        ([[5, 0, 0], [0, 5, 0], [0, 0, 0]], [[0, 0, 0], [1, 0, 0]], "no volume"),
        (np.zeros((3, 3)), [[0, 0, 0], [1, 0, 0]], "no volume"),
        (np.eye(3) * 0.1, [[0, 0, 0], [0.05, 0, 0]], "2 atoms in 0.001 Å³ are at most 0.09 Å"),
        (np.diag([0.01, 50, 50]), [[0, 0, 0], [0, 25, 25]], "only 0.01 Å apart"),
        (np.diag([0.02, 5, 5]), [[0, 0, 0], [0, 2, 2]], "only 0.02 Å apart"),
        (cellpar_to_cell([9, 9, 9, 90, 90, 20.1]), [[0, 0, 0], [1, 1, 3]], ""),
        (cellpar_to_cell([9, 9, 9, 90, 90, 19.9]), [[0, 0, 0], [1, 1, 3]], "gamma is 19.9°"),
        (cellpar_to_cell([9, 9, 9, 159.9, 90, 90]), [[0, 0, 0], [1, 1, 0]], ""),
        (cellpar_to_cell([9, 9, 9, 160.1, 90, 90]), [[0, 0, 0], [1, 1, 0]], "alpha is 160.1°"),
    ],
)
def test_flaws(cell: Any, positions: Any, reason: str) -> None:
    found = flaw(Atoms("Cu2", positions, cell=cell, pbc=True), 0.5)
    assert reason in found
    assert bool(found) == bool(reason)


def test_left_handed_cells_are_right_handed_after_the_advice() -> None:
    atoms = Atoms("Cu2", [[0, 0, 0], [1, 2, 3]], cell=[[5, 0, 0], [0, 0, 6], [0, 7, 0]], pbc=True)
    fractions = atoms.cell.scaled_positions(atoms.positions)[:, [0, 2, 1]]
    advised = Atoms("Cu2", cell=atoms.cell.array[[0, 2, 1]], scaled_positions=fractions, pbc=True)
    assert flaw(advised, 0.5) == ""
    np.testing.assert_allclose(advised.positions, atoms.positions)


@pytest.mark.parametrize("few", [0, 10**9])
@pytest.mark.parametrize("seed", range(40))
def test_shortest_distance_by_both_ways(monkeypatch, few, seed):
    """Small and skewed cells, atoms far outside of the cell, against images of images."""
    monkeypatch.setattr("pwact.geometry._FEW_PAIRS", few)
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 6))
    cell = np.diag(rng.uniform(1.0, 6.0, 3)) + np.tril(rng.uniform(-4.0, 4.0, (3, 3)), -1)
    atoms = Atoms(f"Cu{count}", rng.uniform(-9.0, 9.0, (count, 3)), cell=cell, pbc=True)
    shifts = np.stack(np.meshgrid(*[np.arange(-12, 13)] * 3), axis=-1).reshape(-1, 3) @ cell
    wrapped = atoms.get_positions(wrap=True)
    apart = np.linalg.norm((wrapped[:, None] - wrapped)[:, :, None] + shifts, axis=-1)
    assert shortest_distance(atoms) == pytest.approx(apart[apart > 1e-9].min())


def test_a_dense_heap_of_atoms_is_seen_without_looking_for_pairs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("pairs are looked for")

    monkeypatch.setattr(geometry, "_distances", never)
    heap = Atoms("Cu3000", np.random.default_rng(1).random((3000, 3)), cell=np.eye(3), pbc=True)
    assert flaw(heap, 0.5) == ("3000 atoms in 1 Å³ are at most 0.08 Å apart (min_distance is 0.5)")


def test_the_bound_of_close_packing_is_that_of_copper() -> None:
    copper = bulk("Cu", "fcc", a=3.6)
    assert geometry._widest(copper) == pytest.approx(3.6 / np.sqrt(2), rel=1e-12)
    assert shortest_distance(copper) == pytest.approx(3.6 / np.sqrt(2), rel=1e-12)
