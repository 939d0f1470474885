"""What a program can be given for single atoms, and how it is refused where it cannot."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pwact.atom_properties import KINDS, PROPERTIES, SETTING, drop, properties_of
from pwact.errors import InputError
from pwact.fixed_atoms import FIXED, along_axes

if TYPE_CHECKING:
    from ase import Atoms


logger = logging.getLogger(__name__)


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


class Holder(Protocol):
    """Part of a labeler: held atoms (`pwact.fixed_atoms`) and open boundaries.

    Attributes
    ----------
    forces_on_held
        Whether frames of an AIMD have the forces of the energy on held atoms, not zeros.
    open_axes
        Whether it computes structures that are open along an axis (pbc F) as such.
    """

    forces_on_held: bool
    open_axes: bool

    def check_held(self, atoms: Atoms) -> str:
        """What becomes of atoms that are held: a warning for the user, "" where they are.

        Structures in which no atom is held are not asked about.

        Raises
        ------
        InputError
            The program cannot hold them.
        """


def hold_along_axes(atoms: Atoms) -> str:
    """For programs that hold atoms along x, y and z: nothing is to be said where that will do.

    Raises
    ------
    InputError
        Atoms are held in part, in other directions.
    """
    try:
        along_axes(atoms)
    except ValueError as error:
        raise InputError(str(error)) from error
    return ""


def taken(atoms: Atoms, program: str, takes: Collection[str]) -> Atoms:
    """Copy of a structure with those of its properties that a program takes.

    Kinds of atoms (ASE's tags) count for programs that take them, and mean nothing to others.
    Which atoms are held stays: what becomes of it, `check_held` says.

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
        if name in takes or name in {KINDS, FIXED}:
            continue
        setting = name.startswith(SETTING)
        words = f"a block {name[len(SETTING) :]}" if setting else PROPERTIES[name].words
        raise InputError(
            f"it has {words}, which the input of {program} cannot say of single atoms; take "
            "them out of the structure file, or choose a program that can"
        )
    made = atoms.copy()
    drop(made, but={*takes, FIXED})
    return made


def tell_totals(
    said: set[str], file: Path, totals: Mapping[str, object], atoms: Atoms, times: int
) -> None:
    """Warn, once, of numbers of the input that count for all atoms together, of a super cell.

    Parameters
    ----------
    said
        What was said already.
    totals
        Key → value of such numbers; None where the input does not give it.
    """
    for key, value in totals.items() if times > 1 else ():
        words = (
            f"{key} = {value} counts for the whole super cell of {times * len(atoms)} atoms, not "
            f"for each of the {times} structures in it"
        )
        if value is not None and words not in said:
            said.add(words)
            logger.warning("%s: %s", file, words)
