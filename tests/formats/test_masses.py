from __future__ import annotations

import numpy as np
import pytest
from ase.data import atomic_masses, chemical_symbols

from pwact.errors import InputError
from pwact.formats.masses import MASSES, element_of_mass, mass_of


@pytest.mark.parametrize(
    ("symbol", "mass"), [("H", 1.008), ("Si", 28.086), ("Ag", 107.868), ("Au", 196.967)]
)
def test_masses(symbol: str, mass: float) -> None:
    assert mass_of(symbol) == mass


def test_the_table_has_no_slip() -> None:
    assert len(MASSES) == 107
    # within what the standard changed over the years; the artificial ones by their mass number
    np.testing.assert_allclose(MASSES[1:93], atomic_masses[1:93], rtol=6e-3)
    np.testing.assert_allclose(MASSES[93:], atomic_masses[93:107], rtol=3e-2)
    found = [element_of_mass(MASSES[z]) for z in range(1, 95)]
    assert found == [chemical_symbols[z] for z in range(1, 95)]


@pytest.mark.parametrize("symbol", ["X", "Bh", "ag", ""])
def test_unknown(symbol: str) -> None:
    assert symbol not in chemical_symbols[1:107]
    with pytest.raises(InputError, match="not known"):
        mass_of(symbol)


@pytest.mark.parametrize(
    ("value", "name", "symbol"),
    [
        (28.0855, "", "Si"),
        (28.0855, "1", "Si"),  # a running number
        (12.01115, "c4", "C"),
        (58.8, "Co", "Co"),
        (58.8, "Ni", "Ni"),
        (58.8, "28", "Ni"),
        (1.00794, "H", "H"),
        (65.38, "", "Zn"),
    ],
)
def test_an_element_of_mass_and_name(value: float, name: str, symbol: str) -> None:
    assert element_of_mass(value, name) == symbol


@pytest.mark.parametrize(
    ("value", "name", "message"),
    [
        (50.0, "", "the mass 50 is that of no element"),
        (1.0, "Si", "called Si, but its mass is 1"),
        (2.014, "", "that of no element"),
        (28.0855, "O", "called O, but its mass is 28.0855"),
    ],
)
def test_a_mass_that_leaves_it_open(value: float, name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        element_of_mass(value, name)
