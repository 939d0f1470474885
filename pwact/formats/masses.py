"""Atomic masses as LAMMPS inputs hold them: the standard table with three decimals."""

from __future__ import annotations

from ase.data import atomic_numbers, chemical_symbols

from pwact.errors import InputError

# in atomic mass units, from hydrogen (1) to seaborgium (106)
_MASSES = """
1.008 4.003 6.941 9.012 10.811 12.011 14.007 15.999 18.998 20.180
22.990 24.305 26.982 28.086 30.974 32.065 35.453 39.948 39.098 40.078
44.956 47.867 50.942 51.996 54.938 55.845 58.933 58.693 63.546 65.390
69.723 72.640 74.922 78.960 79.904 83.798 85.468 87.620 88.906 91.224
92.906 95.940 98.000 101.070 102.906 106.420 107.868 112.411 114.818 118.710
121.760 127.600 126.904 131.293 132.905 137.327 138.905 140.116 140.908 144.242
145.000 150.360 151.964 157.250 158.925 162.500 164.930 167.259 168.934 173.054
174.967 178.490 180.948 183.840 186.207 190.230 192.217 195.084 196.967 200.590
204.383 207.200 208.980 209.000 210.000 222.000 223.000 226.000 227.000 232.038
231.036 238.029 237.000 244.000 243.000 247.000 247.000 251.000 252.000 257.000
258.000 259.000 262.000 267.000 268.000 271.000
"""
_NAMED = 0.02  # of the mass
_NEAR = 0.15  # atomic mass units; tables differ, isotopes more
MASSES: tuple[float, ...] = (0.0, *map(float, _MASSES.split()))


def mass_of(symbol: str) -> float:
    """Mass of an element in atomic mass units.

    Raises
    ------
    InputError
        No element up to Z = 106 has this symbol.
    """
    number = int(atomic_numbers.get(symbol, 0))
    if not 0 < number < len(MASSES):
        raise InputError(f"the mass of {symbol!r} is not known")
    return MASSES[number]


def element_of_mass(value: float, name: str = "") -> str:
    """Symbol of the element that a mass (atomic mass units) and a name in an input mean.

    A name that is a symbol or an atomic number counts where the mass is within 2 % of its own:
    cobalt and nickel, say, have nearly the same. Another name counts for nothing.

    Raises
    ------
    ValueError
        The mass is that of no element, or is not that of the symbol.
    """
    named = int(name) if name.isdigit() else int(atomic_numbers.get(name.capitalize(), 0))
    if 0 < named < len(MASSES) and abs(value / MASSES[named] - 1) < _NAMED:
        return str(chemical_symbols[named])
    if named and not name.isdigit():
        raise ValueError(f"it is called {name}, but its mass is {value:g}")
    nearest = min(range(1, len(MASSES)), key=lambda number: abs(MASSES[number] - value))
    if abs(MASSES[nearest] - value) > _NEAR:
        hint = "name the element in a comment behind it, such as 28.086 # Si"
        raise ValueError(f"the mass {value:g} is that of no element ({hint})")
    return str(chemical_symbols[nearest])
