from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from pwact.errors import TaskError
from pwact.formats.labels import labels_of, set_labels


def test_labels_come_back_bit_by_bit_even_an_unsymmetric_virial() -> None:
    rng = np.random.default_rng(0)
    atoms = bulk("Cu", cubic=True)
    energy, forces, virial = 1 / 3, rng.normal(size=(4, 3)), rng.normal(size=(3, 3))
    set_labels(atoms, energy, forces, virial)
    for found in (atoms, copy.deepcopy(atoms), pickle.loads(pickle.dumps(atoms))):
        labels = labels_of(found)
        assert labels.energy == energy
        np.testing.assert_array_equal(labels.forces, forces)
        np.testing.assert_array_equal(labels.virial, virial)


def test_virial_is_the_derivative_of_the_energy_by_strain() -> None:
    atoms = bulk("Cu", cubic=True)
    atoms.set_cell(atoms.cell.array * 0.97 + np.diag([0.1, 0.05], 1), scale_atoms=True)
    atoms.calc = EMT()
    virial = labels_of(atoms).virial
    step = 1e-5
    for i in range(3):
        for j in range(3):
            energies = []
            for sign in (1, -1):
                strain = np.eye(3)
                strain[i, j] += sign * step
                strained = atoms.copy()
                strained.set_cell(atoms.cell.array @ strain, scale_atoms=True)
                strained.calc = EMT()
                energies.append(strained.get_potential_energy())
            assert -(energies[0] - energies[1]) / (2 * step) == pytest.approx(
                virial[i, j], abs=1e-4
            )
    assert np.trace(virial) > 1  # compressed: it wants to expand


def test_ase_sees_the_stress() -> None:
    atoms = bulk("Cu", cubic=True)
    set_labels(atoms, -1.0, np.zeros((4, 3)), np.diag([1.0, 2.0, 3.0]))
    expected = -np.array([1, 2, 3, 0, 0, 0]) / atoms.get_volume()
    np.testing.assert_allclose(atoms.get_stress(), expected)


def test_of_two_energies_that_of_the_forces_counts() -> None:
    atoms = bulk("Cu", cubic=True)
    results = {"energy": -1.0, "forces": np.zeros((4, 3))}
    atoms.calc = SinglePointCalculator(atoms, free_energy=-1.5, **results)
    assert labels_of(atoms).energy == -1.5
    atoms.calc = SinglePointCalculator(atoms, **results)
    assert labels_of(atoms).energy == -1.0


def test_a_cluster_has_labels_without_stress() -> None:
    atoms = Atoms("Cu2", [[0, 0, 0], [0, 0, 2.3]], calculator=EMT())
    labels = labels_of(atoms)
    assert labels.virial is None
    set_labels(atoms, labels.energy, labels.forces)
    assert labels_of(atoms).energy == labels.energy


def test_no_labels() -> None:
    with pytest.raises(TaskError, match="Cu has no labels"):
        labels_of(bulk("Cu"))


def test_moved_atoms_have_lost_their_labels() -> None:
    atoms = bulk("Cu", cubic=True)
    set_labels(atoms, 0.0, np.zeros((4, 3)))
    atoms.positions[0, 0] += 0.1
    with pytest.raises(TaskError, match="incomplete"):
        labels_of(atoms)


def test_wrong_number_of_forces() -> None:
    with pytest.raises(ValueError, match="reshape"):
        set_labels(bulk("Cu"), 0.0, np.zeros((2, 3)))
