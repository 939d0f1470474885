"""Structures of a new campaign, repeated until their cells are large enough to explore."""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pwact.errors import InputError
from pwact.formats.starts import read_start
from pwact.formats.structure_guess import guess
from pwact.formats.structures import write_structure
from pwact.geometry import super_cell

if TYPE_CHECKING:
    from ase import Atoms

REPEATED_FORMAT = "extxyz"  # which keeps what belongs to an atom


@dataclass(frozen=True)
class FirstStructure:
    """A structure of the user.

    Attributes
    ----------
    name
        The path as the user gave it.
    multiple
        How often its cell is repeated along each vector.
    atoms
        The repeated structure; lengths in Å.
    """

    name: str
    format: str
    multiple: tuple[int, int, int]
    atoms: Atoms

    @property
    def elements(self) -> list[str]:
        """Its elements, each once."""
        return list(dict.fromkeys(self.atoms.get_chemical_symbols()))

    @property
    def is_open(self) -> bool:
        """Whether it is open along an axis."""
        return not bool(self.atoms.pbc.all())

    @property
    def explored(self) -> str:
        """The file that is explored: the user's own where its cell is large enough."""
        return self.name if self.multiple == (1, 1, 1) else f"{Path(self.name).stem}.super.xyz"

    def text(self) -> str:
        """The repeated structure as that file."""
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "made.xyz"
            write_structure(place, self.atoms, REPEATED_FORMAT)
            return place.read_text(encoding="utf-8")


def first_structure(name: str, here: Path, shortest: float) -> FirstStructure:
    """Read a structure, and repeat it until no height of its cell is below `shortest`, in Å.

    Raises
    ------
    InputError
        It cannot be read, or its cell has no volume.
    """
    path = here / name
    if not path.is_file():
        raise InputError("there is no such file", path)
    found = guess(path).format
    atoms = read_start(path, found)
    if not atoms.cell.volume > 0:
        raise InputError("the cell has no volume", path)
    i, j, k = _multiple(atoms, shortest)
    return FirstStructure(name, found, (i, j, k), super_cell(atoms, (i, j, k), atoms.pbc))


def _multiple(atoms: Atoms, shortest: float) -> list[int]:
    """An axis along which the structure is open is not repeated."""
    heights = 1 / np.linalg.norm(np.linalg.inv(atoms.cell.array), axis=0)
    repeats = [math.ceil(shortest / height - 1e-6) for height in heights]
    return [max(1, one) if periodic else 1 for one, periodic in zip(repeats, atoms.pbc)]
