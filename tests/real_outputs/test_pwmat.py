"""MOVEMENT, OUT.MLMD and atom.config that PWmat wrote."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pwact.formats.atom_config import read_atom_config
from pwact.formats.labels import labels_of
from pwact.formats.movement import iterate_movement
from tests.formats import test_movement

pytestmark = pytest.mark.real_outputs

movement = test_movement.movement
test_acceleration = test_movement.test_forces_point_along_the_acceleration
test_strain = test_movement.test_the_virial_answers_the_strain
test_pressure = test_movement.test_the_virial_is_the_pressure_that_the_file_tells
test_an_independent_reader_agrees = test_movement.test_an_independent_reader_agrees
test_cut_anywhere = test_movement.test_cut_anywhere_the_complete_frames_are_left
test_spoiled = test_movement.test_a_spoiled_number_is_found_or_does_not_matter
test_a_missing_line = test_movement.test_a_missing_line_is_found_or_does_not_matter
test_two_runs_in_one_file = test_movement.test_two_runs_in_one_file
test_a_structure = test_movement.test_as_a_structure_the_last_complete_frame_counts


def test_a_trajectory(movement: Path) -> None:
    frames = list(iterate_movement(movement))
    labels = [labels_of(frame) for frame in frames]
    assert [frame.get_chemical_formula() for frame in frames] == ["Li60Si16"] * 4
    energies = [-13354.74369, -13354.68474, -13354.51674, -13354.24667]
    assert [one.energy for one in labels] == energies
    cell = [[10.59163, 0, 0], [-0.221158, 10.907825, 0], [-0.305853, 0.234674, 10.597689]]
    np.testing.assert_array_equal(frames[3].cell.array, cell)
    first, second = frames[:2]
    place = first.cell.scaled_positions(first.positions)
    np.testing.assert_allclose(place[0], [0.596247, 0.127017, 0.213952], atol=1e-12)
    place = second.cell.scaled_positions(second.positions)
    np.testing.assert_allclose(
        place[1], [0.749951970860034, 0.126733556332378, 0.999243747489007], atol=1e-14
    )
    force = [0.009512503762959, -0.023217952941360, -0.039608936263606]
    np.testing.assert_array_equal(labels[0].forces[0], force)
    force = [0.071173183860090, 0.001850379397468, -0.053513899337771]
    np.testing.assert_array_equal(labels[1].forces[0], force)
    force = [0.051644287608649, -0.093018661550750, 0.009606978281586]
    np.testing.assert_array_equal(labels[1].forces[75], force)
    assert labels[0].virial is not None
    np.testing.assert_array_equal(
        labels[0].virial,
        [[-15.494, 5.35866, 7.06282], [5.35854, -21.6847, -4.765], [7.06279, -4.76527, -15.0605]],
    )


def test_a_single_point(samples: Path) -> None:
    (frame,) = iterate_movement(samples / "pwmat" / "OUT.MLMD")
    labels = labels_of(frame)
    assert frame.get_chemical_symbols() == ["H"] * 4 + ["C"]
    assert (labels.energy, labels.virial) == (-219.7270691, None)
    np.testing.assert_allclose(frame.positions[4], [5.0325059, 4.6725516, 4.4523234])
    assert not labels.forces.any()


def test_a_structure_alone(samples: Path) -> None:
    atoms = read_atom_config(samples / "pwmat" / "atom.config")
    assert atoms.get_chemical_symbols() == ["H"] * 4 + ["C"]
    np.testing.assert_allclose(atoms.positions[0], [5.3815434, 4.0686080, 3.6057301])
