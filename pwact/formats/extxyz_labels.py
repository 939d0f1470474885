"""Under which names, and in which units, programs write labels into extended XYZ.

The names are tried in any case. Where a frame has several candidates for one label they must agree:
forces are the derivatives of one energy only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Callable, Optional

import numpy as np
from ase import units

from pwact.formats.extxyz_head import Head

FREE_ENERGY = "free_energy"
ENERGIES = ("energy", "ref_energy", "dft_energy", "total_energy", "potential_energy")
FORCES = (
    "force",
    "forces",
    "ref_force",
    "ref_forces",
    "dft_force",
    "dft_forces",
)
VIRIALS = ("virial", "virials", "ref_virial", "ref_virials", "dft_virial", "dft_virials")
STRESSES = ("stress", "ref_stress", "dft_stress")
_VOIGT = np.array([0, 5, 4, 5, 1, 3, 4, 3, 2])  # xx yy zz yz xz xy → nine, row by row
_WORDS = ("unit", "units")
_SAME = 1e-4  # of the largest component: files with few digits
_HARTREE_EV, _BOHR_A = units.Hartree, units.Bohr

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


class CandidatesDifferError(ValueError):
    """A frame has several candidates for one label, and nobody can say which is meant."""


@dataclass(frozen=True)
class LabelNames:
    """Which names to take, where the user says so; empty for those of the tables.

    Attributes
    ----------
    energy, virial
        Keys of the second line; `virial` may be a stress.
    forces
        A property.
    """

    energy: str = ""
    forces: str = ""
    virial: str = ""


OF_TABLES = LabelNames()


@dataclass(frozen=True)
class FrameLabels:
    """Labels of a frame in eV and Å; what is absent is None.

    Attributes
    ----------
    remarks
        What was left out, or chosen among several: a few words each.
    """

    energy: Optional[float]
    forces: Optional[np.ndarray]
    virial: Optional[np.ndarray]
    remarks: tuple[str, ...] = ()


def labels_of_head(
    head: Head, names: LabelNames, column: Callable[[str], np.ndarray], volume: float
) -> FrameLabels:
    """Find energy, forces and virial of a frame.

    Parameters
    ----------
    column
        Gives the three columns of a property, shape (atoms, 3).
    volume
        Of the cell in Å³; 0 without.

    Raises
    ------
    ValueError
        Candidates differ, a unit is unknown, or numbers are wrong.
    """
    unit = energy_unit(head)
    remarks: list[str] = []
    energy = _energy(head, names.energy, remarks)
    forces = _forces(head, names.forces, column)
    virial = _virial(head, names.virial, volume, unit, remarks)
    if energy is not None:
        energy *= unit
    if forces is not None:
        forces = forces * _force_unit(head, unit)
    return FrameLabels(energy, forces, virial, tuple(remarks))


def labels_there(head: Head) -> str:
    """What a frame without labels has that sounds like some, in words; "" for nothing."""
    keys = [head.spelling[key] for key in head.values if _sounds(key, ("energy", "enthalpy"))]
    columns = [name for name in head.columns if _sounds(name, ("force", "grad"))]
    found = [*keys, *columns]
    if not found:
        return ""
    return f"; there are {', '.join(found)} (the names that are read: docs/files.md)"


def length_unit(head: Head) -> float:
    """Å in the unit of positions and lattice."""
    return _unit(head, ("length", "position", "pos"), LENGTH_UNITS) or 1.0


def energy_unit(head: Head) -> float:
    """The unit of energies in eV."""
    return _unit(head, ("energy",), ENERGY_UNITS) or 1.0


def _force_unit(head: Head, unit: float) -> float:
    given = _unit(head, ("force", "forces"), ENERGY_UNITS, LENGTH_UNITS)
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
        It is none that we know.
    """
    key = _unit_key(head, quantities)
    if key is None:
        return None
    words = _plain(head, key)
    above, _, below = words.rpartition("/") if per else (words, "", "")
    if above in known and (not per or below in per):
        return known[above] / (per[below] if per else 1.0)
    raise _strange(head, key)


def _unit_key(head: Head, quantities: Sequence[str]) -> Optional[str]:
    keys = (f"{one}{joint}{unit}" for one in quantities for joint in "-_" for unit in _WORDS)
    return next((key for key in keys if head.text(key) is not None), None)


def _plain(head: Head, key: str) -> str:
    text = (head.text(key) or "").lower().replace(" ", "")
    return text.replace("**", "^").replace("³", "^3")


def _strange(head: Head, key: str) -> ValueError:
    return ValueError(f"{head.spelling[key]}={head.text(key)} is no unit that is known here")


def _energy(head: Head, chosen: str, remarks: list[str]) -> Optional[float]:
    def read(key: str) -> Optional[float]:
        numbers = head.numbers(key, (1,))
        return None if numbers is None else float(numbers[0])

    if chosen:
        return read(_there(chosen, head.values, "key"))
    found = {key: value for key in ENERGIES if (value := read(key)) is not None}
    free = read(FREE_ENERGY)
    if free is not None:
        if any(value != free for value in found.values()):
            remarks.append(f"{FREE_ENERGY} is taken, of which the forces are the derivatives")
        return free
    return _agreed(head, found)


def _forces(head: Head, chosen: str, column: Callable[[str], np.ndarray]) -> Optional[np.ndarray]:
    if chosen:
        return column(_there(chosen, head.columns, "property"))
    found = [name for name in FORCES if name in head.columns]
    if not found:
        return None
    tables = [column(name) for name in found]
    for name, table in zip(found[1:], tables[1:]):
        if not np.array_equal(table, tables[0]):
            raise CandidatesDifferError(
                f"the properties {found[0]} and {name} differ; which are the labels? "
                "(--forces-key of to_pwdata)"
            )
    return tables[0]


def _virial(
    head: Head, chosen: str, volume: float, unit: float, remarks: list[str]
) -> Optional[np.ndarray]:
    """The virial in eV, shape (3, 3), which is −V times the stress."""
    if chosen:
        key = _there(chosen, head.values, "key")
        return _of_stress(head, key, volume, unit) if "stress" in key else _nine(head, key, unit)
    found = {key: _nine(head, key, unit) for key in VIRIALS if head.text(key) is not None}
    for key in STRESSES:
        if head.text(key) is not None:
            found[key] = _of_stress(head, key, volume, unit)
    known = {*VIRIALS, *STRESSES}
    others = [key for key in head.values if _sounds(key, ("virial", "stress")) and key not in known]
    remarks += [f"{head.spelling[key]} is not read" for key in others if "unit" not in key]
    first = next(iter(found.items()), None)
    for key, virial in found.items():
        if first is not None and not _equal(virial, first[1]):
            raise CandidatesDifferError(
                f"{head.spelling[first[0]]} and {head.spelling[key]} do not belong together "
                "(virial = −volume · stress); which is right? (--virial-key of to_pwdata)"
            )
    return None if first is None else first[1]


def _nine(head: Head, key: str, unit: float) -> np.ndarray:
    numbers = head.numbers(key, (9,))
    given = _unit(head, ("virial", "virials"), ENERGY_UNITS)
    assert numbers is not None
    return np.asarray(numbers.reshape(3, 3) * (unit if given is None else given))


def _of_stress(head: Head, key: str, volume: float, unit: float) -> np.ndarray:
    numbers = head.numbers(key, (9, 6))
    if not volume > 0:
        raise ValueError(f"{head.spelling[key]} needs a cell with a volume")
    assert numbers is not None
    nine = numbers if numbers.size == 9 else numbers[_VOIGT]
    return np.asarray(nine.reshape(3, 3) * (-volume * _stress_unit(head, unit)))


def _stress_unit(head: Head, unit: float) -> float:
    key = _unit_key(head, ("stress",))
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


def _agreed(head: Head, found: Mapping[str, float]) -> Optional[float]:
    if len(set(found.values())) > 1:
        names = ", ".join(f"{head.spelling[key]}={value:g}" for key, value in found.items())
        raise CandidatesDifferError(
            f"several energies that differ: {names}; which is the label? "
            "(--energy-key of to_pwdata)"
        )
    return next(iter(found.values()), None)


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    size = max(float(np.abs(one).max()), float(np.abs(other).max()))
    return bool(np.abs(one - other).max() <= _SAME * size)


def _there(name: str, known: Iterable[str], what: str) -> str:
    if name.lower() not in known:
        raise ValueError(f"there is no {what} {name}")
    return name.lower()


def _sounds(name: str, parts: Sequence[str]) -> bool:
    return any(part in name for part in parts)
