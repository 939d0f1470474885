"""The mesh of k-points."""

from __future__ import annotations

import numpy as np
import pytest

from pwact.engines.kpoints import mesh


@pytest.mark.parametrize(
    ("kspacing", "expected"),
    [(0.5, (1, 1, 1)), (0.3, (2, 2, 2)), (0.16, (4, 4, 4)), (0.1, (6, 6, 6)), (9.0, (1, 1, 1))],
)
def test_a_cubic_cell_of_silicon(kspacing: float, expected: tuple[int, int, int]) -> None:
    assert mesh(np.eye(3) * 10.687, kspacing) == expected


def test_a_skewed_cell_is_measured_by_its_reciprocal_vectors() -> None:
    cell = np.array([[3.0, 0.0, 0.0], [5.0, 2.0, 0.0], [0.0, 1.0, 20.0]])
    volume = 3.0 * 2.0 * 20.0
    areas = [np.linalg.norm(np.cross(cell[i - 2], cell[i - 1])) for i in range(3)]
    expected = tuple(max(1, round(2 * np.pi * area / volume / 0.4)) for area in areas)
    assert mesh(cell, 0.4) == expected == (14, 8, 1)


def test_halves_are_rounded_to_the_even_number() -> None:
    cell = np.eye(3) * 2 * np.pi
    assert mesh(cell, 1 / 2.5) == (2, 2, 2)
    assert mesh(cell, 1 / 3.5) == (4, 4, 4)
