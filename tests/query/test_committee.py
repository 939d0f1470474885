from __future__ import annotations

import numpy as np
import pytest

from pwact.query.committee import deviations, score


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


@pytest.mark.parametrize("members", [1, 3])
def test_equal_members_agree(members: int) -> None:
    forces = np.repeat(np.ones((1, 5, 3)), members, axis=0)
    assert score(forces, np.ones((members, 5))).tolist() == [0.0] * 6


def test_a_broken_member_shows() -> None:
    forces = np.ones((2, 5, 3))
    forces[1, 2, 0] = np.nan
    assert np.isnan(score(forces, np.ones((2, 5)))[:3]).all()
