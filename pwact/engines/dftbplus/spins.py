"""Spins that atoms begin with in DFTB+: of the structure, or of InitialSpins in the input.

There atoms count by their number in the user's geometry. In a task they have other numbers, so all
spins are written again, atom by atom.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import numpy as np

from pwact.atom_properties import MOMENTS, properties_of
from pwact.engines.assignment import taken
from pwact.errors import InputError
from pwact.formats.hsd import Node

if TYPE_CHECKING:
    from ase import Atoms

_SPINS = ("SpinPolarisation", "SpinPolarization")
_VECTORS = "noncolinear"
_CLOSE = 1e-8


def assign(root: Node, path: Path, atoms: Atoms) -> Atoms:
    """Copy of a structure with the spins that its atoms begin with.

    Raises
    ------
    InputError
        The input counts atoms in a way that does not fit the structure, or knows no spins.
    """
    made = taken(atoms, "DFTB+", {MOMENTS})
    method, spins = _method(root), _polarisation(root)
    key = "Hamiltonian/SpinPolarisation"
    charges = method.child("InitialCharges") if method is not None else None
    if charges is not None and _counts_atoms(charges, "AllAtomCharges"):
        raise InputError(
            "counts atoms in the order of your geometry; pwact writes them by ascending atomic "
            "number: name elements, as in Atoms = Fe, or take it out",
            path,
            "Hamiltonian/InitialCharges",
        )
    own, given = properties_of(made).get(MOMENTS), None
    if own is not None and spins is None:
        message = "the structure has magnetic moments, but this is not there: add it, or take "
        raise InputError(f"{message}them out of the structure file", path, key)
    if spins is None:
        return made
    width = 3 if spins.name.lower() == _VECTORS else 1
    if own is not None and own.ndim == 2 and width == 1:
        message = "the structure has moments of three components, which need NonColinear"
        raise InputError(message, path, key)
    initial = spins.child("InitialSpins")
    if initial is not None:
        given = _initial(initial, path, atoms, width)
    if own is not None and own.ndim == 1 and width > 1:
        own = np.outer(own, [0.0, 0.0, 1.0])
    if own is not None and given is not None and not np.allclose(own, given, atol=_CLOSE):
        message = "is not what the structure file says of its atoms; give the spins once"
        raise InputError(message, path, f"{key}/{spins.name}/InitialSpins")
    moments = given if own is None else own
    if moments is not None:
        made.set_array(MOMENTS, None)
        made.set_array(MOMENTS, moments)
    return made


def _method(root: Node) -> Optional[Node]:
    hamiltonian = root.child("Hamiltonian")
    return hamiltonian.method if hamiltonian is not None else None


def _polarisation(root: Node) -> Optional[Node]:
    """``Colinear`` or ``NonColinear`` of an input; None where spins are off."""
    method = _method(root)
    for name in _SPINS if method is not None else ():
        found = method.child(name) if method is not None else None
        if found is not None and found.method is not None:
            return found.method
    return None


def totals(root: Node) -> dict[str, str]:
    """What the input says of all atoms together: their charge, their unpaired electrons."""
    nodes = (_method(root), "Charge"), (_polarisation(root), "UnpairedElectrons")
    found = {key: node.value(key) for node, key in nodes if node is not None}
    return {key: value for key, value in found.items() if value.strip("0. ")}


def _counts_atoms(node: Node, every: str) -> bool:
    """Whether a block lists all atoms, or some by their numbers."""
    if node.child(every) is not None:
        return True
    words = [one.child("Atoms") for one in node.children]
    return any(word is not None and re.search(r"\d", word.text) for word in words)


def _initial(node: Node, path: Path, atoms: Atoms, width: int) -> np.ndarray:
    """The spins of InitialSpins, in the order of the user's geometry."""
    key = "Hamiltonian/SpinPolarisation/InitialSpins"
    every = node.child("AllAtomSpins")
    if every is not None:
        numbers = _numbers(every, path, key)
        if len(numbers) != width * len(atoms):
            raise InputError(
                f"AllAtomSpins has {len(numbers)} numbers; the structure "
                f"{atoms.get_chemical_formula()} needs {width * len(atoms)}, in the order of its "
                "file: they are repeated with its atoms",
                path,
                key,
            )
        made = np.array(numbers).reshape(len(atoms), width)
        return made if width > 1 else made[:, 0]
    made = np.zeros((len(atoms), width))
    for one in node.children:
        chosen, value = one.child("Atoms"), one.child("SpinPerAtom")
        if one.name.lower() != "atomspin" or chosen is None or value is None:
            message = f"found {one.name}; expected AtomSpin with Atoms and SpinPerAtom, or "
            raise InputError(f"{message}AllAtomSpins", path, key)
        numbers = _numbers(value, path, key)
        if len(numbers) != width:
            message = f"SpinPerAtom has {len(numbers)} numbers; expected {width}"
            raise InputError(message, path, key)
        made[_chosen(chosen.text, atoms, path, key)] = numbers
    return made if width > 1 else made[:, 0]


def _numbers(node: Node, path: Path, key: str) -> list[float]:
    try:
        return [float(word) for word in node.text.replace(",", " ").split()]
    except ValueError as error:
        raise InputError(f"{node.name}: {error}", path, key) from error


def _chosen(text: str, atoms: Atoms, path: Path, key: str) -> list[int]:
    """Places of the atoms that numbers (from 1, or from -1 at the end), ranges or elements name."""
    symbols = [symbol.lower() for symbol in atoms.get_chemical_symbols()]
    found: list[int] = []
    for word in text.replace(",", " ").split():
        ends = re.fullmatch(r"(-?\d+)(?::(-?\d+))?", word)
        if ends is None and word.lower() in symbols:
            found += [place for place, symbol in enumerate(symbols) if symbol == word.lower()]
            continue
        numbers = [int(one) for one in ends.groups() if one is not None] if ends else []
        places = [one - 1 if one > 0 else len(symbols) + one for one in numbers]
        if not places or not all(0 <= one < len(symbols) for one in places):
            message = f"Atoms: found {word!r}; expected numbers up to {len(symbols)}, ranges such "
            raise InputError(f"{message}as 1:4, or elements of the structure", path, key)
        found += range(places[0], places[-1] + 1)
    return found


def lines_of(root: Node, atoms: Atoms) -> str:
    """What is appended to the input of a task, so that each atom begins with its spin."""
    method, spins = _method(root), _polarisation(root)
    moments = atoms.arrays.get(MOMENTS)
    if method is None or spins is None:
        return ""
    if moments is None:
        if spins.child("InitialSpins") is None:
            return ""
        width = 3 if spins.name.lower() == _VECTORS else 1
        moments = np.zeros((len(atoms), width))
    rows = [" ".join(f"{one!r}" for one in np.atleast_1d(row).tolist()) for row in moments]
    name = next(name for name in _SPINS if method.child(name) is not None)
    inner = [f"+{method.name} = {{", f"  +{name} = {{", f"    +{spins.name} = {{"]
    inner += ["      !InitialSpins = {", "        AllAtomSpins = {"]
    inner += [f"          {row}" for row in rows]
    inner += ["        }", "      }", "    }", "  }", "}"]
    return "\n".join(["+Hamiltonian = {", *(f"  {line}" for line in inner), "}", ""])
