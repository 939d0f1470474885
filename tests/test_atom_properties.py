"""What goes with an atom: through super cells, scaling, perturbation and sorting."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ase import Atoms

from pwact.atom_properties import (
    CHARGES,
    KINDS,
    MOMENTS,
    SETTING,
    hand_on,
    properties_of,
    rotation,
)
from pwact.formats.frames import ordered
from pwact.formats.same_frame import structure_key
from pwact.geometry import perturb, scale, super_cell


def oxide() -> Atoms:
    """FeO as users have it: iron first, antiferromagnetic."""
    atoms = Atoms(
        "Fe2O2",
        cell=[3.1, 3.2, 4.3],
        pbc=True,
        scaled_positions=[[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0, 0], [0, 0.5, 0.5]],
    )
    atoms.set_array(MOMENTS, np.array([4.0, -4.0, 0.1, -0.1]))
    atoms.set_array(CHARGES, np.array([2.0, 2.0, -2.0, -2.0]))
    atoms.set_array(KINDS, np.array([1, 2, 0, 0]))
    atoms.set_array(f"{SETTING}LDAUU", np.array(["5.3", "5.3", "0", "0"]))
    return atoms


def of_atoms(atoms: Atoms) -> set[tuple[Any, ...]]:
    """Element and properties of each kind of atom that there is."""
    rows = [properties_of(atoms)[name].tolist() for name in sorted(properties_of(atoms))]
    return set(zip(atoms.get_chemical_symbols(), *rows))


@pytest.mark.parametrize(
    "change",
    [
        lambda atoms: super_cell(atoms, (2, 1, 3)),
        lambda atoms: super_cell(atoms, (1, 1, 0, -1, 1, 0, 0, 0, 1)),
        lambda atoms: scale(atoms, 1.1),
        lambda atoms: perturb(atoms, 0.02, 0.05, np.random.default_rng(1)),
        ordered,
    ],
    ids=["super_cell", "sheared", "scale", "perturb", "ordered"],
)
def test_each_atom_keeps_what_it_has(change: Any) -> None:
    made = change(oxide())
    assert of_atoms(made) == of_atoms(oxide())
    times = len(made) // 4
    assert np.count_nonzero(made.arrays[MOMENTS] == -4.0) == times
    assert np.count_nonzero(made.arrays[f"{SETTING}LDAUU"] == "5.3") == 2 * times


def test_an_atom_of_a_super_cell_has_the_moment_of_the_atom_at_its_place() -> None:
    atoms = oxide()
    made = super_cell(atoms, (2, 1, 1))
    for symbol, place, moment in zip(made.symbols, made.positions, made.arrays[MOMENTS]):
        inside = place - [3.1 * (place[0] > 3.0), 0, 0]
        found = np.argmin(np.linalg.norm(atoms.positions - inside, axis=1))
        assert (symbol, moment) == (atoms.symbols[found], atoms.arrays[MOMENTS][found])


def test_vectors_turn_with_the_lattice() -> None:
    """A cell that does not lie along the axes is turned by the perturbation, moments with it."""
    turn = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    atoms = Atoms("Fe", [[0, 0, 0]], cell=np.diag([3.0, 3.0, 4.0]) @ turn, pbc=True)
    along_a = atoms.cell.array[0] / 3.0
    atoms.set_array(MOMENTS, np.array([2.5 * along_a]))
    made = perturb(atoms, 0.0, 0.0, np.random.default_rng(1))
    np.testing.assert_allclose(made.arrays[MOMENTS], [[2.5, 0, 0]], atol=1e-12)
    np.testing.assert_allclose(scale(atoms, 1.2).arrays[MOMENTS], atoms.arrays[MOMENTS])
    repeated = super_cell(atoms, (1, 1, 0, -1, 1, 0, 0, 0, 1)).arrays[MOMENTS]
    np.testing.assert_allclose(repeated, np.tile(atoms.arrays[MOMENTS], (2, 1)))


def test_the_rotation_is_found_beside_a_strain() -> None:
    rng = np.random.default_rng(3)
    turn, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    turn = turn * np.linalg.det(turn)
    strain = np.eye(3) + 0.05 * np.array([[1, 0.3, 0], [0.3, -1, 0.2], [0, 0.2, 0.5]])
    cell = np.array([[3.0, 0, 0], [0.4, 2.9, 0], [0.1, -0.2, 4.0]])
    np.testing.assert_allclose(rotation(cell, cell @ strain @ turn), turn, atol=1e-12)


def test_what_says_nothing_is_none() -> None:
    atoms = Atoms("Fe2", [[0, 0, 0], [0, 0, 2]], cell=[3, 3, 4], pbc=True)
    bare = structure_key(atoms)
    atoms.set_initial_magnetic_moments([0.0, 0.0])
    atoms.set_tags([0, 0])
    assert properties_of(atoms) == {}
    assert structure_key(atoms) == bare


@pytest.mark.parametrize(
    ("name", "value"), [(MOMENTS, 1.0), (CHARGES, 0.5), (KINDS, 1), (f"{SETTING}LDAUU", "2")]
)
def test_every_property_makes_another_structure(name: str, value: Any) -> None:
    atoms = Atoms("Fe2", [[0, 0, 0], [0, 0, 2]], cell=[3, 3, 4], pbc=True)
    bare = structure_key(atoms)
    atoms.set_array(name, np.array([value, value]))
    alike = structure_key(atoms)
    atoms.arrays[name] = np.array([value, {str: "0"}.get(type(value), 0)])
    assert len({bare, alike, structure_key(atoms)}) == 3


def test_other_atoms_get_nothing() -> None:
    with pytest.raises(ValueError, match="not those of the structure"):
        hand_on(oxide(), ordered(oxide()))
