"""What a program can be given for single atoms, and how it is refused where it cannot."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Protocol

from pwact.atom_properties import KINDS, PROPERTIES, SETTING, drop, properties_of
from pwact.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms


class Assigner(Protocol):
    """Part of a labeler: what it is given of single atoms."""

    def assign(self, atoms: Atoms, times: int = 1) -> Atoms:
        """Copy of a structure of the user with all that the program is given of its atoms.

        That are properties of the structure (`pwact.atom_properties`) and what the input says by
        atom or species. They go with the atoms, and `write_input` gets them back.

        Parameters
        ----------
        times
            How many such structures the calculated super cell holds.

        Raises
        ------
        InputError
            The program cannot be given what is there: nothing is lost without a word.
        """


def taken(atoms: Atoms, program: str, takes: Collection[str]) -> Atoms:
    """Copy of a structure with those of its properties that a program takes.

    Kinds of atoms (ASE's tags) count for programs that take them, and mean nothing to others.

    Parameters
    ----------
    takes
        Names of `pwact.atom_properties.PROPERTIES`.

    Raises
    ------
    InputError
        It has another property.
    """
    for name in properties_of(atoms):
        if name in takes or name == KINDS:
            continue
        setting = name.startswith(SETTING)
        words = f"a block {name[len(SETTING) :]}" if setting else PROPERTIES[name].words
        raise InputError(
            f"it has {words}, which the input of {program} cannot say of single atoms; take "
            "them out of the structure file, or choose a program that can"
        )
    made = atoms.copy()
    drop(made, but=takes)
    return made
