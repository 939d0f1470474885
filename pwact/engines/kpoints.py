"""Meshes of k-points, by one rule for all codes."""

from __future__ import annotations

import numpy as np

DEFAULT_KSPACING = 0.5  # 1/Å, where the user says nothing


def mesh(cell: np.ndarray, kspacing: float) -> tuple[int, int, int]:
    """Numbers of k-points along the reciprocal vectors of a cell.

    n_i = max(1, round(2π |b_i| / kspacing)) with b_i the rows of the inverse transposed cell,
    rounded as Python rounds: a half to the even neighbour.

    Parameters
    ----------
    cell
        Lattice vectors as rows, shape (3, 3), Å.
    kspacing
        Largest distance of neighbouring k-points, 1/Å.
    """
    lengths = 2 * np.pi * np.linalg.norm(np.linalg.inv(cell).T, axis=1)
    n1, n2, n3 = (max(1, round(float(length) / kspacing)) for length in lengths)
    return (n1, n2, n3)
