"""A trajectory is looked at up to its first frame that no material has; honest frames stay."""

from __future__ import annotations

from typing import Optional

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.md.langevin import Langevin

from pwact.neighbours import closest_in_radii
from pwact.query.gate import Rules, first_unphysical, why_unphysical

FINE = {"distances": 0.9, "volumes": 1.0, "temperatures": 1.0, "forces": 5.0}
NAN, INF = float("nan"), float("inf")


def of(count: int = 10, at: int = 4, **changed: float) -> Optional[int]:
    columns = {name: np.full(count, value) for name, value in FINE.items()}
    for name, value in changed.items():
        columns[name][at] = value
    return first_unphysical(**columns)


@pytest.mark.parametrize(
    ("name", "bad", "edge"),
    [
        ("distances", 0.39, 0.4),
        ("volumes", 0.03, 1 / 32),
        ("volumes", 8.1, 8.0),
        ("temperatures", 10.1, 10.0),
        ("forces", 101.0, 100.0),
    ],
)
def test_each_rule_and_its_edge(name: str, bad: float, edge: float) -> None:
    assert of(**{name: bad}) == 4
    assert of(**{name: edge}) is None
    assert of(at=0, **{name: bad}) == 0


@pytest.mark.parametrize(
    ("name", "value", "first"),
    [
        ("distances", NAN, 4),
        ("forces", NAN, 4),
        ("forces", INF, 4),
        ("volumes", INF, 4),
        ("temperatures", INF, 4),
        ("volumes", NAN, None),
        ("temperatures", NAN, None),
        ("distances", INF, None),
    ],
)
def test_what_is_not_a_number(name: str, value: float, first: Optional[int]) -> None:
    assert of(**{name: value}) == first


def test_the_first_of_several() -> None:
    columns = {name: np.full(6, value) for name, value in FINE.items()}
    columns["forces"][4] = 1e3
    columns["distances"][2] = 0.1
    assert first_unphysical(**columns) == 2
    assert first_unphysical(**columns, rules=Rules(distance=0.05)) == 4
    empty = np.empty(0)
    assert first_unphysical(empty, empty, empty, empty) is None


def test_why() -> None:
    assert why_unphysical(0.9, NAN, NAN, 5.0) == ""
    found = why_unphysical(0.21, 9.0, 1.0, 1234.5)
    assert found == (
        "two atoms are at 0.21 of the sum of their covalent radii (the least is 0.4); "
        "the volume is 9 times that of the first frame (0.0312 to 8); "
        "a force is 1234 eV/Å (the most is 100)"
    )


def measured(frames: list[Atoms], temperature: float) -> dict[str, np.ndarray]:
    volumes = np.array([one.cell.volume for one in frames])
    return {
        "distances": np.array([closest_in_radii(one) for one in frames]),
        "volumes": volumes / volumes[0],
        "temperatures": np.array([one.get_temperature() / temperature for one in frames]),
        "forces": np.array(
            [np.linalg.norm(one.get_forces(), axis=1).max(initial=0.0) for one in frames]
        ),
    }


@pytest.mark.parametrize(("shrink", "temperature"), [(1.0, 3000.0), (0.84, 5000.0)])
def test_a_melt_stays_also_where_it_is_dense(shrink: float, temperature: float) -> None:
    """With 0.84 of the lattice constant copper is at about 200 GPa."""
    atoms = bulk("Cu", a=3.6 * shrink, cubic=True) * (2, 2, 2)
    atoms.calc = EMT()
    atoms.rattle(0.1, seed=0)
    rng = np.random.RandomState(0)
    heat = {"temperature_K": temperature, "friction": 0.05 / units.fs, "fixcm": False}
    motion = Langevin(atoms, 2 * units.fs, rng=rng, **heat)
    frames: list[Atoms] = []
    for _ in range(30):
        motion.run(4)
        frames.append(atoms.copy())
        frames[-1].calc = EMT()
    made = measured(frames, temperature)
    assert first_unphysical(**made) is None
    assert made["distances"].min() > 0.6
    assert made["forces"].max() < 30


@pytest.mark.parametrize("name", ["H2", "N2", "CO", "H2O", "CH4", "LiH", "HF", "F2", "Na2", "LiF"])
def test_molecules_stay_even_where_a_bond_is_squeezed(name: str) -> None:
    atoms = molecule(name)
    atoms.positions *= 0.7
    assert first_unphysical(np.array([closest_in_radii(atoms)]), *np.ones((3, 1))) is None


def test_a_small_molecule_that_is_warm_by_chance_stays() -> None:
    """The temperature of two atoms is a sum of three squares (the centre rests) over three."""
    heat = np.random.default_rng(0).chisquare(3, 200_000) / 3
    assert heat.max() > 7
    ones = np.ones(len(heat))
    assert first_unphysical(ones, ones, heat, ones) is None


def test_atoms_on_top_of_each_other_go() -> None:
    atoms = bulk("Cu", cubic=True) * (2, 2, 2)
    atoms.positions[1] = atoms.positions[0] + [0.0, 0.0, 0.9]
    distance = closest_in_radii(atoms)
    assert first_unphysical(np.array([2.0, distance]), *np.ones((3, 2))) == 1
