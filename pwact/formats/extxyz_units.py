"""Units that the line of keys of extended XYZ names: those that are obeyed, and those that are not.

Without any, lengths are in Å, energies and virials in eV, forces in eV/Å, stresses in eV/Å³.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Optional

from ase import units

from pwact.formats.extxyz_head import Head

_WORDS = ("unit", "units")
_HARTREE_EV, _BOHR_A = units.Hartree, units.Bohr
_LENGTHS = ("length", "lengths", "distance")
_PLACES = ("position", "positions", "pos", "coordinate", "coordinates")
_CELLS = ("lattice", "cell")
_ENERGIES = ("energy", "energies")
_FORCES = ("force", "forces")
_STRESSES = ("stress",)
_VIRIALS = ("virial", "virials")
_QUANTITIES = (*_LENGTHS, *_PLACES, *_CELLS, *_ENERGIES, *_FORCES, *_STRESSES, *_VIRIALS)
_SYSTEMS = frozenset({"atomic", "au", "a.u.", "hartree", "real", "lj", "si", "cgs", "electron"})

ENERGY_UNITS = {
    "ev": 1.0,
    "mev": 1e-3,
    "hartree": _HARTREE_EV,
    "ha": _HARTREE_EV,
    "a.u.": _HARTREE_EV,
    "rydberg": _HARTREE_EV / 2,
    "ry": _HARTREE_EV / 2,
    "kcal/mol": units.kcal / units.mol,
    "kj/mol": units.kJ / units.mol,
}
LENGTH_UNITS = {
    "å": 1.0,
    "a": 1.0,
    "ang": 1.0,
    "angstrom": 1.0,
    "bohr": _BOHR_A,
    "a.u.": _BOHR_A,
    "nm": 10.0,
}
STRESS_UNITS = {"gpa": units.GPa, "kbar": units.GPa / 10, "kb": units.GPa / 10, "bar": units.bar}


def refuse_unread_units(head: Head) -> None:
    """Refuse a unit other than ours under a key that nobody reads, ``units=bohr`` for instance.

    Raises
    ------
    ValueError
        There is one; names key and value.
    """
    for key in head.values:
        words = re.split(r"[-_]", key)
        if not set(words) & set(_WORDS) or (len(words) == 2 and words[0] in _QUANTITIES):
            continue
        text = (head.text(key) or "").lower()
        if any(map(_is_another, re.split(r"[\s,;]+", text))):
            raise ValueError(
                f"{head.spelling[key]}={head.text(key)} is not read; name the unit of each "
                "quantity, energy_unit=hartree for instance, or convert the file (docs/files.md)"
            )


def _is_another(word: str) -> bool:
    above, _, below = word.rpartition("/")
    known = {**ENERGY_UNITS, **LENGTH_UNITS, **STRESS_UNITS}
    factors = [known.get(word, 1.0), known.get(above, 1.0), known.get(below, 1.0)]
    return word in _SYSTEMS or any(factor != 1.0 for factor in factors)


def length_unit(head: Head) -> float:
    """Å in the unit of positions and lattice.

    Raises
    ------
    ValueError
        It is none that we know, or known of the positions or the lattice alone.
    """
    both, places, cell = (_unit(head, one, LENGTH_UNITS) for one in (_LENGTHS, _PLACES, _CELLS))
    named = {one for one in (both, places, cell) if one is not None}
    whole = both is not None or head.text("lattice") is None or None not in (places, cell)
    if len(named) > 1 or (named - {1.0} and not whole):
        raise ValueError(
            "positions and lattice have different units, or only one of them is named; "
            "length_unit=bohr is of both"
        )
    return named.pop() if named else 1.0


def energy_unit(head: Head) -> float:
    """The unit of energies in eV."""
    return _unit(head, _ENERGIES, ENERGY_UNITS) or 1.0


def force_unit(head: Head, unit: float) -> float:
    """The unit of forces in eV/Å, where that of energies is `unit`."""
    given = _unit(head, _FORCES, ENERGY_UNITS, LENGTH_UNITS)
    if given is None and unit != 1.0:
        raise ValueError("energies have a unit of their own, but the line names none of forces")
    return given or 1.0


def _unit(
    head: Head,
    quantities: Sequence[str],
    known: Mapping[str, float],
    per: Optional[Mapping[str, float]] = None,
) -> Optional[float]:
    """The unit that the line names for a quantity, None without.

    Raises
    ------
    ValueError
        It is none that we know, or the line names two.
    """
    found = {key: _value(head, key, known, per) for key in _unit_keys(head, quantities)}
    if len(set(found.values())) > 1:
        names = ", ".join(f"{head.spelling[key]}={head.text(key)}" for key in found)
        raise ValueError(f"two units for one quantity: {names}")
    return next(iter(found.values()), None)


def _value(
    head: Head, key: str, known: Mapping[str, float], per: Optional[Mapping[str, float]]
) -> float:
    words = _plain(head, key)
    above, _, below = words.rpartition("/") if per else (words, "", "")
    if above in known and (not per or below in per):
        return known[above] / (per[below] if per else 1.0)
    raise _strange(head, key)


def _unit_keys(head: Head, quantities: Sequence[str]) -> list[str]:
    keys = (f"{one}{joint}{unit}" for one in quantities for joint in "-_" for unit in _WORDS)
    return [key for key in keys if head.text(key) is not None]


def _plain(head: Head, key: str) -> str:
    text = (head.text(key) or "").lower().replace(" ", "")
    return text.replace("**", "^").replace("³", "^3")


def _strange(head: Head, key: str) -> ValueError:
    return ValueError(f"{head.spelling[key]}={head.text(key)} is no unit that is known here")


def virial_unit(head: Head) -> Optional[float]:
    """The unit of virials in eV; None where the line names none."""
    return _unit(head, _VIRIALS, ENERGY_UNITS)


def stress_unit(head: Head, unit: float) -> float:
    """The unit of stresses in eV/Å³, where that of energies is `unit`."""
    key = next(iter(_unit_keys(head, _STRESSES)), None)
    if key is None:
        if unit != 1.0:
            raise ValueError("energies have a unit of their own, but the line names none of stress")
        return 1.0
    words = _plain(head, key)
    above, _, below = words.rpartition("/")
    if words in STRESS_UNITS:
        return float(STRESS_UNITS[words])
    length = below[:-2] if below.endswith("^3") else below[:-1]
    if above in ENERGY_UNITS and length in LENGTH_UNITS and below.endswith("3"):
        return float(ENERGY_UNITS[above] / LENGTH_UNITS[length] ** 3)
    raise _strange(head, key)
