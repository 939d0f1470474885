"""Labelled frames for the tests of the formats."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from pwact.formats.labels import labels_of, set_labels


def _frame(rng: np.random.Generator, gold: int) -> Atoms:
    atoms = bulk("Ag", cubic=True).repeat((1, 1, 2))
    atoms.symbols[rng.permutation(len(atoms))[:gold]] = "Au"
    atoms.set_cell(atoms.cell.array + rng.normal(0, 0.1, (3, 3)), scale_atoms=True)
    atoms.positions += rng.normal(0, 0.1, atoms.positions.shape)
    atoms.calc = EMT()
    labels = labels_of(atoms)
    labelled = atoms.copy()
    set_labels(labelled, labels.energy, labels.forces, labels.virial)
    return labelled


@pytest.fixture(scope="session")
def frames() -> list[Atoms]:
    """Six strained, mixed Ag-Au cells of two compositions, labelled by EMT; do not change them."""
    rng = np.random.default_rng(5)
    return [_frame(rng, gold) for gold in (3, 2, 3, 3, 2, 3)]


def assert_same(found: Atoms, expected: Atoms, tolerance: float = 0.0) -> None:
    """Same atoms in the same order, same cell, same labels."""
    assert found.get_chemical_symbols() == expected.get_chemical_symbols()
    pairs = [(found.positions, expected.positions), (found.cell.array, expected.cell.array)]
    if expected.calc is not None:
        got, wanted = labels_of(found), labels_of(expected)
        pairs += [(got.energy, wanted.energy), (got.forces, wanted.forces)]
        assert (got.virial is None) == (wanted.virial is None)
        if wanted.virial is not None:
            pairs.append((got.virial, wanted.virial))
    for one, other in pairs:
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)
