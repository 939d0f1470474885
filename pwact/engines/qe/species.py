"""Species of an input of pw.x: which atom is of which, its pseudopotential, its moment.

Species of one element are told apart by what follows the symbol: Fe1 and Fe2. Which atom is of
which, say the kinds of the structure (1 for Fe1). Magnetic moments of a structure become
starting_magnetization of species, one for each moment: the moment divided by the number of valence
electrons of the pseudopotential (INPUT_PW: the spin polarization of the valence electrons).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import numpy as np

from pwact.atom_properties import KINDS, MOMENTS, SETTING, properties_of
from pwact.config.elements import NUMBERS
from pwact.engines.assignment import taken
from pwact.errors import InputError
from pwact.formats.qe_input import PwInput
from pwact.formats.upf import header

if TYPE_CHECKING:
    from ase import Atoms

SPECIES = "ATOMIC_SPECIES"
LABEL = f"{SETTING}SPECIES"
_START = "starting_magnetization"
# keys of &SYSTEM whose last index is a species
BY_SPECIES = frozenset(
    {
        *(_START, "starting_charge", "angle1", "angle2", "london_c6", "london_rvdw"),
        *("hubbard_u", "hubbard_j", "hubbard_j0", "hubbard_alpha", "hubbard_beta", "hubbard_u2"),
        *("hubbard_alpha_back", "backall", "lback", "l1back", "hubbard_u_back"),
        *("starting_ns_eigenvalue", "hubbard_n", "hubbard_l", "hubbard_occ"),
    }
)
_FIRST_INDEX = frozenset({"hubbard_occ"})  # hubbard_occ(ityp, i)


@dataclass(frozen=True)
class Species:
    """A line of ATOMIC_SPECIES.

    Attributes
    ----------
    mass
        As it is written.
    file
        Name of the pseudopotential, as it is written.
    """

    label: str
    mass: str
    file: str

    @property
    def element(self) -> str:
        """The element that the label begins with."""
        return element_of(self.label)


def element_of(label: str) -> str:
    """The element of a label such as Fe1 or O_s; "" where it begins with none."""
    letters = re.match(r"[A-Za-z]{0,2}", label)
    word = letters[0].capitalize() if letters else ""
    return next((one for one in (word, word[:1]) if one in NUMBERS), "")


def listed(root: PwInput) -> list[Species]:
    """The species of the input, in its order; none if it has no such card.

    Raises
    ------
    InputError
        A line cannot be read.
    """
    card = root.cards.get(SPECIES)
    found: list[Species] = []
    for number, line in card.lines if card else ():
        words = line.split()
        if len(words) < 3 or not element_of(words[0]):
            message = f"found {line.strip()!r}; expected element, mass and pseudopotential"
            raise root.card_error(SPECIES, message, number)
        found.append(Species(words[0], words[1], words[2]))
    return found


def species_for(root: PwInput, pseudo: Sequence[Path], elements: Sequence[str]) -> list[Species]:
    """The species of the input, and one for each of these elements that it does not list.

    Parameters
    ----------
    pseudo
        Pseudopotentials of the JSON file; which element one is of, says its header.

    Raises
    ------
    InputError
        An element has no pseudopotential.
    """
    from ase.data import atomic_masses  # noqa: PLC0415

    found = listed(root)
    there = {one.element for one in found}
    by_element = {header(path).element: path for path in pseudo}
    for element in elements:
        if element in there:
            continue
        if element not in by_element:
            message = f"{element} has no pseudopotential; give it a line here, or a file in pseudo"
            raise root.card_error(SPECIES, message)
        mass = f"{atomic_masses[NUMBERS[element]]:.6f}"
        found.append(Species(element, mass, by_element[element].name))
    return found


def assign(root: PwInput, atoms: Atoms) -> Atoms:
    """Copy of a structure, with the species of each atom and its moment.

    Raises
    ------
    InputError
        It is not known which atom is of which species, or pw.x would not use the moments.
    """
    made = taken(atoms, "pw.x", {MOMENTS})
    labels = _labels(root, atoms)
    if any(label != symbol for label, symbol in zip(labels, atoms.get_chemical_symbols())):
        made.set_array(LABEL, np.array(labels, dtype=str))
    moments = properties_of(made).get(MOMENTS)
    if moments is None:
        return made
    if moments.ndim > 1:
        raise InputError("it has moments with a direction; pwact gives pw.x collinear ones alone")
    if root.whole("SYSTEM", "nspin", 1) != 2:
        message = "the structure has magnetic moments, which count with nspin = 2 alone"
        raise root.error("SYSTEM", "nspin", message)
    if root.entries("SYSTEM", _START):
        message = "stands here, and the structure has moments too; take out one of the two"
        raise root.error("SYSTEM", _START, message)
    return made


def _labels(root: PwInput, atoms: Atoms) -> list[str]:
    """The species of each atom, by its kind."""
    symbols = atoms.get_chemical_symbols()
    kinds = atoms.arrays.get(KINDS, np.zeros(len(atoms), dtype=int)).tolist()
    known = [one.label for one in listed(root)]
    made = []
    for symbol, kind in zip(symbols, kinds):
        own = [label for label in known if element_of(label) == symbol]
        exact = {label.lower(): label for label in own}
        numbered = f"{symbol}{kind}".lower()
        if kind and numbered in exact:
            made.append(exact[numbered])
        elif len(own) <= 1 and not (kind and own and own[0].lower() != symbol.lower()):
            made.append(own[0] if own else symbol)
        elif not kind and symbol.lower() in exact:
            made.append(exact[symbol.lower()])
        else:
            names = " ".join(own)
            message = (
                f"found {names}, and atoms of {symbol} of kind {kind}; kinds of a structure (tags) "
                f"say which atom is which: 1 for {symbol}1"
            )
            raise root.card_error(SPECIES, message)
    return made


@dataclass(frozen=True)
class Assigned:
    """The species of a task.

    Attributes
    ----------
    labels
        Of each atom.
    values
        Keys of &SYSTEM, with their indices, for species that were split by moment.
    copies
        Label of such a species, and of that which it is a copy of.
    """

    species: tuple[Species, ...]
    labels: tuple[str, ...]
    values: tuple[tuple[str, str], ...] = ()
    copies: tuple[tuple[str, str], ...] = ()


def of_task(
    root: PwInput,
    atoms: Atoms,
    species: Sequence[Species],
    valence: Mapping[str, Optional[float]],
) -> Assigned:
    """Species of a structure that `assign` has seen.

    Parameters
    ----------
    valence
        Electrons of a pseudopotential, by the label of the species.
    """
    found = atoms.arrays.get(LABEL)
    symbols = atoms.get_chemical_symbols()
    by_element = {one.element: one.label for one in reversed(species)}
    plain = [by_element.get(symbol, symbol) for symbol in symbols]
    labels = list(map(str, found)) if found is not None else plain
    moments = properties_of(atoms).get(MOMENTS)
    if moments is None:
        return Assigned(tuple(species), tuple(labels))
    return _split(root, species, labels, moments, valence)


def _split(
    root: PwInput,
    species: Sequence[Species],
    labels: Sequence[str],
    moments: np.ndarray,
    valence: Mapping[str, Optional[float]],
) -> Assigned:
    """A species for each moment; what the input says of a species counts for all of them."""
    made, values, copies = list(species), [], []
    place = {one.label: number for number, one in enumerate(species, 1)}
    wanted = list(dict.fromkeys(zip(labels, moments.tolist())))
    names: dict[tuple[str, float], str] = {}
    for label, moment in wanted:
        number = place[label]
        if any(other == label for other, _ in names):
            one = species[number - 1]
            name = _free(one.element, [known.label for known in made])
            made.append(Species(name, one.mass, one.file))
            copies.append((name, label))
            values += _copies(root, number, len(made))
            number = len(made)
        else:
            name = label
        electrons = valence[label]
        if not electrons:
            message = (
                f"the pseudopotential of {label} does not say its valence electrons (z_valence)"
            )
            raise root.card_error(SPECIES, f"{message}, by which moments are divided")
        names[label, moment] = name
        values.append((f"{_START}({number})", f"{moment / electrons:.10g}"))
    chosen = tuple(names[pair] for pair in zip(labels, moments.tolist()))
    return Assigned(tuple(made), chosen, tuple(values), tuple(copies))


def _free(element: str, taken_names: Sequence[str]) -> str:
    """A label of an element that is free; pw.x takes three letters and digits."""
    lower = {name.lower() for name in taken_names}
    digits = "123456789abcdefghijklmnopqrstuvwxyz"
    free = next((f"{element}{one}" for one in digits if f"{element}{one}".lower() not in lower), "")
    if not free:
        raise InputError(f"atoms of {element} have more different moments than pw.x has labels")
    return free


def _copies(root: PwInput, number: int, new: int) -> list[tuple[str, str]]:
    """What the input says of species `number`, for species `new`."""
    made = []
    for entry in root.entries("SYSTEM"):
        indices = list(entry.indices)
        if entry.name not in BY_SPECIES or not indices:
            continue
        which = 0 if entry.name in _FIRST_INDEX else len(indices) - 1
        if indices[which] == str(number):
            indices[which] = str(new)
            made.append((f"{entry.name}({','.join(indices)})", entry.value))
    return made
