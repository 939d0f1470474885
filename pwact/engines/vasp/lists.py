"""Lists of an INCAR that go by species or by atom: they follow the atoms, in whatever order.

The lists stand in the order of the user's structure file: its entries in a POSCAR, else its
elements by first appearance. `assign` turns them into properties of the atoms, which go with these
through super cells and MD; `lists_of` makes the lists of one task of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Optional

import numpy as np

from pwact.atom_properties import GROUPS, MOMENTS, SETTING, properties_of
from pwact.engines.assignment import taken
from pwact.engines.vasp.incar import Incar
from pwact.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms

PER_SPECIES = (
    *("LDAUL", "LDAUU", "LDAUJ", "ROPT", "RWIGS", "QUAD_EFG", "NGYROMAG", "POMASS", "ZVAL"),
    *("VDW_C6", "VDW_R0", "VDW_ALPHA", "VDW_C6AU", "VDW_R0AU", "LANGEVIN_GAMMA", "VCA"),
)
PER_ATOM = ("M_CONSTR",)  # three numbers each; MAGMOM is the property of its own
# what counts species or atoms by their place, in a way that other orders cannot keep
_BY_PLACE = ("NSUBSYS", "CLNT")
_U = ("LDAUL", "LDAUU", "LDAUJ")
_CLOSE = 1e-8
_ABSURD = 0.25  # of the electrons; no structure has that charge


def assign(incar: Incar, atoms: Atoms, times: int = 1, species: Sequence[str] = ()) -> Atoms:
    """Copy of the user's structure, with what the INCAR says of its atoms.

    Parameters
    ----------
    times
        How many such structures there are in one that is calculated: of its super cell.
    species
        Elements in whose order lists by species stand; without them that of the structure.

    Raises
    ------
    InputError
        A list has not as many values as there are species or atoms, or INCAR and structure
        contradict each other.
    """
    for key in _BY_PLACE:
        if key in incar.values:
            raise InputError(
                f"found {incar.values[key]!r}, which counts in the order of a POSCAR; pwact writes "
                "atoms by ascending atomic number, so it would mean others: take it out",
                incar.file,
                key,
            )
    made = taken(atoms, "VASP", {MOMENTS})
    for key in PER_SPECIES:
        if key in incar.values and (key not in _U or incar.flag("LDAU")):
            made.set_array(SETTING + key, _by_species(incar, key, atoms, species))
    for key in PER_ATOM:
        if key in incar.values:
            rows = _by_atom(incar, key, 3, atoms, times)
            made.set_array(SETTING + key, np.array([" ".join(row) for row in rows]))
    _set_moments(incar, made, atoms, times)
    return made


def is_noncollinear(incar: Incar) -> bool:
    """Whether moments have three components."""
    return incar.flag("LNONCOLLINEAR") or incar.flag("LSORBIT")


def has_spins(incar: Incar) -> bool:
    """Whether VASP tells spins apart, and so reads MAGMOM."""
    return is_noncollinear(incar) or incar.integer("ISPIN", 1) == 2


def _set_moments(incar: Incar, made: Atoms, atoms: Atoms, times: int) -> None:
    """Put MAGMOM, or the moments of the structure file, in the form that VASP takes."""
    vectors, spins = is_noncollinear(incar), has_spins(incar)
    own = properties_of(made).get(MOMENTS)
    if own is not None and not spins:
        message = "the structure has magnetic moments, but ISPIN is not 2: set it, or take them out"
        raise InputError(message, incar.file, "ISPIN")
    if own is not None and own.ndim == 2 and not vectors:
        message = "the structure has moments of three components, which need LNONCOLLINEAR"
        raise InputError(message, incar.file, "LNONCOLLINEAR")
    if own is not None and own.ndim == 1 and vectors:
        own = np.outer(own, [0.0, 0.0, 1.0]) + 0.0  # along SAXIS; no -0
    given: Optional[np.ndarray] = None
    if "MAGMOM" in incar.values and spins:
        rows = _by_atom(incar, "MAGMOM", 3 if vectors else 1, atoms, times)
        given = np.array([[_number(word, incar, "MAGMOM") for word in row] for row in rows])
        given = given if vectors else given[:, 0]
    if own is not None and given is not None and not np.allclose(own, given, atol=_CLOSE):
        message = "is not what the structure file says of its atoms; give the moments once"
        raise InputError(message, incar.file, "MAGMOM")
    moments = given if own is None else own
    if moments is not None:
        made.set_array(MOMENTS, None)
        made.set_array(MOMENTS, moments)


def charge_words(incar: Incar, electrons: float, atoms: int) -> str:
    """What charge NELECT gives to a structure, in words; "" for none, or where it is not known.

    Parameters
    ----------
    electrons, atoms
        How many the neutral structure has that is calculated.

    Raises
    ------
    InputError
        The charge is out of all proportion: NELECT is of another structure.
    """
    number = _number(incar.values["NELECT"].split()[0], incar, "NELECT")
    charge = electrons - number
    if not abs(charge) > _CLOSE:  # nan as well
        return ""
    words = f"the {atoms} atoms have {electrons:g} valence electrons"
    if abs(charge) > _ABSURD * electrons:
        raise InputError(
            f"found {number:g}, and {words}: it counts for the whole structure that is calculated, "
            "super cells included; correct it or take it out",
            incar.file,
            "NELECT",
        )
    return f"NELECT = {number:g}: {words}, so they are calculated with a charge of {charge:+g} e"


def _number(word: str, incar: Incar, key: str) -> float:
    try:
        return float(word.lower().replace("d", "e"))
    except ValueError:
        raise InputError(f"found {word!r}; expected a number", incar.file, key) from None


def _entries(atoms: Atoms) -> np.ndarray:
    """For each atom the number of its entry in the structure file."""
    if GROUPS in atoms.arrays:
        return np.asarray(atoms.arrays[GROUPS])
    return _elements(atoms)


def _elements(atoms: Atoms) -> np.ndarray:
    """For each atom the number of its element, by first appearance."""
    symbols = atoms.get_chemical_symbols()
    order = list(dict.fromkeys(symbols))
    return np.array([order.index(symbol) for symbol in symbols])


def _by_species(incar: Incar, key: str, atoms: Atoms, species: Sequence[str]) -> np.ndarray:
    """The value for each atom, of a list with one for each species."""
    words = incar.words(key)
    if species:
        _check_species(incar, key, atoms, species)
        order = list(species)
        return np.array([words[order.index(one)] for one in atoms.get_chemical_symbols()])
    for numbers in (_entries(atoms), _elements(atoms)):
        if len(words) == numbers.max() + 1:
            return np.array([words[number] for number in numbers])
    symbols = [symbol for symbol, _ in groupby(atoms.get_chemical_symbols())]
    kinds = list(dict.fromkeys(symbols))
    raise InputError(
        f"has {len(words)} values; the structure {atoms.get_chemical_formula()} has {len(kinds)} "
        f"species: {' '.join(kinds)}. The key species beside the input may name others as well",
        incar.file,
        key,
    )


def _check_species(incar: Incar, key: str, atoms: Atoms, species: Sequence[str]) -> None:
    words, named = incar.words(key), " ".join(species)
    if len(words) != len(species):
        message = f"has {len(words)} values; species has {len(species)} elements: {named}"
        raise InputError(message, incar.file, key)
    if strange := [
        one for one in dict.fromkeys(atoms.get_chemical_symbols()) if one not in species
    ]:
        message = f"has no value for {' '.join(strange)}; species has {named}"
        raise InputError(message, incar.file, key)


def _by_atom(incar: Incar, key: str, width: int, atoms: Atoms, times: int) -> list[list[str]]:
    """The words of each atom, of a list for the structure, or for its super cell.

    That of a super cell must give all atoms of an entry the same, since it does not say which atom
    is which.
    """
    words = incar.words(key)
    rows = [words[place : place + width] for place in range(0, len(words), width)]
    if len(words) == width * len(atoms):
        return rows
    if len(words) > width * len(atoms) and all(row == rows[0] for row in rows):
        return rows[: len(atoms)]  # all the same, and as many as the largest structure needs
    entries = _entries(atoms)
    if len(words) == width * len(atoms) * times:
        order = np.repeat(np.sort(entries), times)
        found = {number: rows[place] for place, number in enumerate(order.tolist())}
        if all(rows[place] == found[number] for place, number in enumerate(order.tolist())):
            return [found[number] for number in entries.tolist()]
    hint = ""
    if times > 1:
        hint = "; give those of the structure file, they are repeated with its atoms"
    raise InputError(
        f"has {len(words)} values; the structure {atoms.get_chemical_formula()} needs "
        f"{width * len(atoms)}, in the order of its file{hint}. Moments of several structures "
        "stand in these (extxyz: a column initial_magmoms)",
        incar.file,
        key,
    )


def species_of(atoms: Atoms) -> list[tuple[str, int]]:
    """Element and number of atoms of each entry of the POSCAR of a task: what VASP calls a species.

    Neighbours of one element are of two species where a list gives them two values.
    """
    return [(symbol, len(list(rows))) for (symbol, _), rows in groupby(_keys(atoms))]


def _keys(atoms: Atoms) -> list[tuple[str, tuple[str, ...]]]:
    found = {
        key: atoms.arrays[SETTING + key] for key in PER_SPECIES if SETTING + key in atoms.arrays
    }
    values = zip(*found.values()) if found else [()] * len(atoms)
    return list(zip(atoms.get_chemical_symbols(), [tuple(map(str, one)) for one in values]))


def lists_of(incar: Incar, atoms: Atoms) -> dict[str, str]:
    """Key → value of the lists that the INCAR of a task must have, by the order of its atoms."""
    lists = {}
    starts = np.cumsum([0, *(count for _, count in species_of(atoms))])[:-1]
    for key in PER_SPECIES:
        if SETTING + key in atoms.arrays:
            lists[key] = " ".join(atoms.arrays[SETTING + key][starts].tolist())
    for key in PER_ATOM:
        if SETTING + key in atoms.arrays:
            lists[key] = " ".join(atoms.arrays[SETTING + key].tolist())
    if MOMENTS in atoms.arrays:
        moments = atoms.arrays[MOMENTS].ravel()
        lists["MAGMOM"] = " ".join(
            f"{len(list(same))}*{value:.10g}" for value, same in groupby(moments.tolist())
        )
    elif "MAGMOM" in incar.values and has_spins(incar):
        lists["MAGMOM"] = f"{len(atoms) * (3 if is_noncollinear(incar) else 1)}*0"
    return lists


def length_warnings(incar: Incar, atoms: Atoms, kinds: int) -> list[str]:
    """Where lists that stay as they are have not one number an atom or an element."""
    wanted = {"MAGMOM": len(atoms) * (3 if is_noncollinear(incar) else 1)}
    if incar.flag("LDAU"):
        wanted.update(dict.fromkeys(_U, kinds))
    return [
        f"{key} has {found} numbers, {atoms.get_chemical_formula()} needs {number}; "
        "atoms and elements are in the order of atomic numbers"
        for key, number in wanted.items()
        if (found := incar.count(key)) is not None and found != number
    ]
