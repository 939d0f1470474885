from __future__ import annotations

import numpy as np
import pytest
from ase.data import atomic_masses, chemical_symbols

from pwact.errors import InputError
from pwact.io.masses import MASSES, mass_of, number_of_mass


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
    assert [number_of_mass(MASSES[z]) for z in range(1, 95)] == list(range(1, 95))


@pytest.mark.parametrize("symbol", ["X", "Bh", "ag", ""])
def test_unknown(symbol: str) -> None:
    assert symbol not in chemical_symbols[1:107]
    with pytest.raises(InputError, match="not known"):
        mass_of(symbol)
