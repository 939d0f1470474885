"""Under which names, and in which units, programs write labels into extended XYZ.

The names are tried in any case. Where a frame has several candidates for one label they must agree:
forces are the derivatives of one energy only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Callable, Optional

import numpy as np

from pwact.formats.extxyz_head import Head
from pwact.formats.extxyz_units import (
    energy_unit,
    force_unit,
    refuse_unread_units,
    stress_unit,
    virial_unit,
)
from pwact.formats.type_names import TypeNames

FREE_ENERGIES = ("free_energy", "ref_free_energy", "dft_free_energy")
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
_SAME = 1e-4  # of the largest component: files with few digits
_SKEW = 0.05  # of the largest component: what is more is no rounding


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
    types
        Which element a type is whose name is none.
    """

    energy: str = ""
    forces: str = ""
    virial: str = ""
    types: TypeNames = ()


OF_TABLES = LabelNames()


@dataclass(frozen=True)
class FrameLabels:
    """Labels of a frame in eV and Å; what is absent is None.

    Attributes
    ----------
    warnings
        What was left out, or chosen among several: a few words each.
    names
        Under which they stood, as written.
    """

    energy: Optional[float]
    forces: Optional[np.ndarray]
    virial: Optional[np.ndarray]
    warnings: tuple[str, ...] = ()
    names: LabelNames = OF_TABLES


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
    refuse_unread_units(head)
    unit = energy_unit(head)
    warnings: list[str] = []
    energy_key, energy = _energy(head, names.energy, warnings)
    forces_key, forces = _forces(head, names.forces, column)
    virial_key, virial = _virial(head, names.virial, volume, unit, warnings)
    if energy is not None:
        energy *= unit
    if forces is not None:
        forces = forces * force_unit(head, unit)
    if virial is not None and not _equal(virial, virial.T, _SKEW):
        warnings.append(f"{virial_key} is not symmetric, as that of an energy is")
    found = LabelNames(energy_key, forces_key, virial_key)
    return FrameLabels(energy, forces, virial, tuple(warnings), found)


def labels_there(head: Head) -> str:
    """What a frame without labels has that sounds like some, in words; "" for nothing."""
    keys = [head.spelling[key] for key in head.values if _sounds(key, ("energy", "enthalpy"))]
    columns = [name for name in head.columns if _sounds(name, ("force", "grad"))]
    found = [*keys, *columns]
    if not found:
        return ""
    return f"; there are {', '.join(found)} (the names that are read: docs/files.md)"


def _energy(head: Head, chosen: str, warnings: list[str]) -> tuple[str, Optional[float]]:
    def read(key: str) -> Optional[float]:
        numbers = head.numbers(key, (1,))
        return None if numbers is None else float(numbers[0])

    if chosen:
        return chosen, read(_there(chosen, head.values, "key"))
    found = {key: value for key in ENERGIES if (value := read(key)) is not None}
    free = {key: value for key in FREE_ENERGIES if (value := read(key)) is not None}
    key, energy = _agreed(head, free or found)
    if free and any(value != energy for value in found.values()):
        warnings.append(f"{key} is taken, of which the forces are the derivatives")
    return key, energy


def _forces(
    head: Head, chosen: str, column: Callable[[str], np.ndarray]
) -> tuple[str, Optional[np.ndarray]]:
    if chosen:
        return chosen, column(_there(chosen, head.columns, "property"))
    found = [name for name in FORCES if name in head.columns]
    if not found:
        return "", None
    tables = [column(name) for name in found]
    for name, table in zip(found[1:], tables[1:]):
        if not np.array_equal(table, tables[0]):
            raise CandidatesDifferError(
                f"the properties {found[0]} and {name} differ; which are the labels? "
                "(--forces-key of to_pwdata)"
            )
    return found[0], tables[0]


def _virial(
    head: Head, chosen: str, volume: float, unit: float, warnings: list[str]
) -> tuple[str, Optional[np.ndarray]]:
    """Its name, and the virial in eV, shape (3, 3), which is −V times the stress."""
    if chosen:
        key = _there(chosen, head.values, "key")
        of_stress = "stress" in key
        return chosen, (
            _of_stress(head, key, volume, unit) if of_stress else _nine(head, key, unit)
        )
    found = {key: _nine(head, key, unit) for key in VIRIALS if head.text(key) is not None}
    for key in STRESSES:
        if head.text(key) is not None:
            found[key] = _of_stress(head, key, volume, unit)
    known = {*VIRIALS, *STRESSES}
    others = [key for key in head.values if _sounds(key, ("virial", "stress")) and key not in known]
    warnings += [f"{head.spelling[key]} is not read" for key in others if not _of_another(key)]
    first = next(iter(found.items()), None)
    for key, virial in found.items():
        if first is not None and not _equal(virial, first[1]):
            raise CandidatesDifferError(
                f"{head.spelling[first[0]]} and {head.spelling[key]} do not belong together "
                "(virial = −volume · stress); which is right? (--virial-key of to_pwdata)"
            )
    return ("", None) if first is None else (head.spelling[first[0]], first[1])


def _of_another(key: str) -> bool:
    """Whether a key is about a label, and no label: others look at it."""
    return "unit" in key or "weight" in key


def _nine(head: Head, key: str, unit: float) -> np.ndarray:
    numbers = head.numbers(key, (9,))
    given = virial_unit(head)
    assert numbers is not None
    return np.asarray(numbers.reshape(3, 3) * (unit if given is None else given))


def _of_stress(head: Head, key: str, volume: float, unit: float) -> np.ndarray:
    numbers = head.numbers(key, (9, 6))
    if not volume > 0:
        raise ValueError(f"{head.spelling[key]} needs a cell with a volume")
    assert numbers is not None
    nine = numbers if numbers.size == 9 else numbers[_VOIGT]
    return np.asarray(nine.reshape(3, 3) * (-volume * stress_unit(head, unit)))


def _agreed(head: Head, found: Mapping[str, float]) -> tuple[str, Optional[float]]:
    if len(set(found.values())) > 1:
        names = ", ".join(f"{head.spelling[key]}={value:g}" for key, value in found.items())
        raise CandidatesDifferError(
            f"several energies that differ: {names}; which is the label? "
            "(--energy-key of to_pwdata)"
        )
    key = next(iter(found), "")
    return head.spelling.get(key, ""), found.get(key)


def _equal(one: np.ndarray, other: np.ndarray, close: float = _SAME) -> bool:
    size = max(float(np.abs(one).max()), float(np.abs(other).max()))
    return bool(np.abs(one - other).max() <= close * size)


def _there(name: str, known: Iterable[str], what: str) -> str:
    if name.lower() not in known:
        raise ValueError(f"there is no {what} {name}")
    return name.lower()


def _sounds(name: str, parts: Sequence[str]) -> bool:
    return any(part in name for part in parts)
