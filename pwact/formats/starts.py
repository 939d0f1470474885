"""The structure of an entry of ``sys_configs``, with the atoms that are held."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import numpy as np

from pwact.errors import InputError
from pwact.fixed_atoms import fix
from pwact.formats.structures import read_structure

if TYPE_CHECKING:
    from ase import Atoms


def read_start(
    path: Path, structure_format: str, fix_atoms: Optional[Sequence[str]] = None
) -> Atoms:
    """Read a structure.

    Parameters
    ----------
    fix_atoms
        What is held instead of what the file says: ranges of numbers from 1 on, and symbols.

    Raises
    ------
    InputError
        As `read_structure`, or there is no such atom.
    """
    atoms = read_structure(path, structure_format)
    if fix_atoms is not None:
        fixed = np.zeros(len(atoms), dtype=bool)
        for word in fix_atoms:
            fixed[_chosen(atoms, word, path)] = True
        fix(atoms, fixed)
    return atoms


def _chosen(atoms: Atoms, word: str, path: Path) -> np.ndarray:
    if word[0].isdigit():
        first, _, last = word.partition("-")
        if int(last or first) > len(atoms):
            raise InputError(f"fix_atoms: found {word}, but there are {len(atoms)} atoms", path)
        return np.arange(int(first) - 1, int(last or first))
    found = np.flatnonzero(np.array(atoms.get_chemical_symbols()) == word)
    if not len(found):
        there = " ".join(dict.fromkeys(atoms.get_chemical_symbols()))
        raise InputError(f"fix_atoms: there is no {word}, only {there}", path)
    return found
