"""What belongs to an atom beside its element and place, and goes wherever the atom goes.

Magnetic moments, charges, the kind of an atom: each is an array of the `ase.Atoms`, one row an
atom, under a name of `PROPERTIES` or one that begins with `SETTING`. Super cells, scaling,
perturbation, sorting by element and frames of an MD hand them on (`hand_on`), so no step of a
campaign needs to know what they are. A property that says nothing (all moments 0) is none.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional

import numpy as np

from pwact.fixed_atoms import FIXED

if TYPE_CHECKING:
    from ase import Atoms

MOMENTS = "initial_magmoms"  # µB, shape (N,), or (N, 3) along x, y, z
CHARGES = "initial_charges"  # e, shape (N,)
KINDS = "tags"  # whole numbers from 1 tell atoms of one element apart; 0: its usual kind
FOUND_MOMENTS = "magmoms"  # µB, as a calculation found them; data sets carry them, nothing else
CARRIED = (MOMENTS, CHARGES, KINDS, FOUND_MOMENTS)  # what frames of data sets carry
SETTING = "setting."  # what an input of the user says of each atom: ``setting.LDAUU``, as text
GROUPS = "groups"  # number of the entry of the user's file that lists an atom; not handed on


@dataclass(frozen=True)
class Property:
    """One thing that can be known of an atom.

    Attributes
    ----------
    word, words
        Its name for people, of one atom and of several.
    nothing
        The value that says nothing.
    turns
        Whether rows of three numbers are vectors that turn with the lattice.
    of_labels
        Whether a label depends on it.
    """

    word: str
    words: str
    nothing: Any = 0
    turns: bool = False
    of_labels: bool = True


PROPERTIES: Mapping[str, Property] = {
    MOMENTS: Property("magnetic moment", "magnetic moments", 0.0, turns=True),
    CHARGES: Property("charge", "charges", 0.0),
    KINDS: Property("kind", "kinds of atoms", 0),
    FIXED: Property("held along a, b, c:", "held atoms", 0, of_labels=False),
}


def properties_of(atoms: Atoms) -> dict[str, np.ndarray]:
    """Name → array, shape (N, …), of all properties that say something; sorted by name."""
    found = {}
    for name in sorted(atoms.arrays):
        known = PROPERTIES.get(name)
        values = atoms.arrays[name]
        if name.startswith(SETTING) or (known is not None and np.any(values != known.nothing)):
            found[name] = values
    return found


def carried(atoms: Atoms) -> dict[str, np.ndarray]:
    """Name → array, shape (N, …), of what data sets carry of their atoms; sorted by name."""
    names = [name for name in sorted(CARRIED) if name in atoms.arrays]
    return {name: atoms.arrays[name] for name in names if np.any(atoms.arrays[name] != 0)}


def hand_on(source: Atoms, target: Atoms, order: Optional[np.ndarray] = None) -> Atoms:
    """Give the atoms of `target` the properties of those of `source`; those it had are gone.

    Parameters
    ----------
    order
        Atom n of `target` is atom ``order[n]`` of `source`; atoms may be repeated. Without it
        both have the same atoms in the same order, the cell of `target` is that of `source`,
        strained and turned, and vectors turn with it.

    Returns
    -------
    ase.Atoms
        `target`, which was changed.

    Raises
    ------
    ValueError
        An atom of `target` is of another element than that of `source`.
    """
    rows = np.arange(len(source)) if order is None else order
    if not np.array_equal(source.numbers[rows], target.numbers):
        raise ValueError("the atoms are not those of the structure that they come from")
    drop(target)
    for name, values in properties_of(source).items():
        made = values[rows]
        known = PROPERTIES.get(name)
        if order is None and known is not None and known.turns and made.ndim == 2:
            made = made @ rotation(source.cell.array, target.cell.array)
        target.set_array(name, made)
    return target


def drop(atoms: Atoms, but: Collection[str] = ()) -> None:
    """Take all properties away, or all but some."""
    for name in list(atoms.arrays):
        if name not in but and (name in PROPERTIES or name.startswith(SETTING)):
            del atoms.arrays[name]


def in_words(atoms: Atoms) -> str:
    """Which properties the atoms of each kind have, for people; "" where there are none.

    >>> in_words(oxide)  # doctest: +SKIP
    'Fe (8 atoms): magnetic moment 4, LDAUU 5.3; O (8 atoms): magnetic moment 0, LDAUU 0'
    """
    found = properties_of(atoms)
    if not found:
        return ""
    rows = [
        ", ".join(f"{_word(name)} {_text(values[place])}" for name, values in found.items())
        for place in range(len(atoms))
    ]
    counted = Counter(zip(atoms.get_chemical_symbols(), rows))
    return "; ".join(
        f"{symbol} ({count} atom{'s' if count > 1 else ''}): {row}"
        for (symbol, row), count in counted.items()
    )


def _word(name: str) -> str:
    return PROPERTIES[name].word if name in PROPERTIES else name[len(SETTING) :]


def _text(value: Any) -> str:
    return str(value) if isinstance(value, str) else " ".join(f"{one:g}" for one in np.ravel(value))


def digest(atoms: Atoms) -> str:
    """Hash (16 hex digits) of the properties in the order of the atoms; "" where there are none."""
    found = properties_of(atoms)
    text = repr([(name, values.tolist()) for name, values in found.items()])
    return hashlib.sha256(text.encode()).hexdigest()[:16] if found else ""


def rotation(cell: np.ndarray, other: np.ndarray) -> np.ndarray:
    """How a lattice was turned: R of the polar decomposition cell⁻¹ · other = S · R.

    Parameters
    ----------
    cell, other
        Lattice vectors as rows, shape (3, 3).

    Returns
    -------
    numpy.ndarray
        Shape (3, 3), orthogonal, for vectors as rows; the identity where a cell has no volume.
    """
    if np.array_equal(cell, other) or not (np.linalg.det(cell) and np.linalg.det(other)):
        return np.eye(3)
    left, _, right = np.linalg.svd(np.linalg.solve(cell, other))
    turned: np.ndarray = left @ right
    return turned
