from __future__ import annotations

import numpy as np
import pytest

from pwact.query.committee import (
    deviations,
    least_root_mean_square,
    root_mean_square,
    score,
)


def test_formula_by_hand() -> None:
    # two members, two atoms: they differ by (0, 0, 2) and by (3, 4, 0)
    forces = np.array([[[1, 1, 1], [0, 0, 0]], [[1, 1, 3], [3, 4, 0]]], dtype=float)
    np.testing.assert_allclose(deviations(forces), [1.0, 2.5])
    energies = np.array([[1.0, 2.0], [1.0, 6.0]])
    np.testing.assert_allclose(score(forces, energies), [1.75, 1.0, 2.5, 1.0, 0.0, 2.0])


def test_against_plain_sums() -> None:
    rng = np.random.default_rng(0)
    forces, energies = rng.normal(size=(4, 7, 3)), rng.normal(size=(4, 7))
    by_atom = []
    for atom in range(7):
        mean = sum(forces[w, atom] for w in range(4)) / 4
        total = sum(np.linalg.norm(forces[w, atom] - mean) ** 2 for w in range(4))
        by_atom.append((total / 4) ** 0.5)
    expected = [np.mean(by_atom), min(by_atom), max(by_atom)]
    spread = energies.std(axis=0)
    np.testing.assert_allclose(
        score(forces, energies), [*expected, spread.mean(), spread.min(), spread.max()]
    )


def test_root_mean_square_is_neither_mean_nor_maximum() -> None:
    rng = np.random.default_rng(3)
    forces, energies = rng.normal(size=(4, 9, 3)), rng.normal(size=(4, 9))
    by_atom = deviations(forces)
    plain = (sum(value**2 for value in by_atom.tolist()) / 9) ** 0.5
    assert root_mean_square(by_atom) == pytest.approx(plain, rel=1e-12)
    assert by_atom.mean() * 1.01 < plain < by_atom.max() / 1.1
    row = score(forces, energies, with_rms=True)
    assert row.tolist() == [*score(forces, energies).tolist(), root_mean_square(by_atom)]


def test_the_least_root_mean_square_of_average_and_maximum() -> None:
    """A bound, exact where one atom stands out, and near where all are spread like vectors."""
    rng = np.random.default_rng(4)
    of_atoms = np.linalg.norm(rng.normal(size=(500, 40, 3)), axis=2)
    true = root_mean_square(of_atoms)
    least = least_root_mean_square(of_atoms.mean(axis=1), of_atoms.max(axis=1), 40)
    assert (least <= true).all()
    assert np.quantile(least / true, [0.0, 1.0]) == pytest.approx([0.93, 0.93], abs=0.05)
    one = np.full((1, 5), 0.1)
    one[0, 2] = 0.9
    given = least_root_mean_square(one.mean(axis=1), one.max(axis=1), 5)
    np.testing.assert_allclose(given, root_mean_square(one), rtol=1e-12)
    single = np.array([0.3])
    np.testing.assert_allclose(least_root_mean_square(single, single, 1), single)


@pytest.mark.parametrize("members", [1, 3])
def test_equal_members_agree(members: int) -> None:
    forces = np.repeat(np.ones((1, 5, 3)), members, axis=0)
    assert score(forces, np.ones((members, 5))).tolist() == [0.0] * 6


def test_a_broken_member_shows() -> None:
    forces = np.ones((2, 5, 3))
    forces[1, 2, 0] = np.nan
    assert np.isnan(score(forces, np.ones((2, 5)))[:3]).all()
