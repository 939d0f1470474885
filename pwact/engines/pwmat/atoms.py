"""What PWmat is given for single atoms and elements: magnetic moments, and the U of DFT+U."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pwact.atom_properties import MOMENTS, SETTING, properties_of
from pwact.engines.assignment import taken
from pwact.engines.pwmat.input import HUBBARD, EtotInput

if TYPE_CHECKING:
    from ase import Atoms

COLLINEAR, NONCOLLINEAR = 2, 222  # values of SPIN with magnetic moments


def assign(control: EtotInput, atoms: Atoms) -> Atoms:
    """Copy of a structure, with what etot.input and atom.config say of its atoms.

    Raises
    ------
    InputError
        They say what PWmat would not read, or leave open what they mean.
    """
    blocks = [name for name in atoms.arrays if name.startswith(f"{SETTING}CONSTRAINT_MAG")]
    made = taken(atoms, "PWmat", {MOMENTS, *blocks})
    moments, spin = properties_of(made).get(MOMENTS), control.whole("SPIN") or 1
    if moments is not None:
        wanted = COLLINEAR if moments.ndim == 1 else NONCOLLINEAR
        if spin != wanted:
            block = "MAGNETIC" if moments.ndim == 1 else "MAGNETIC_XYZ"
            message = f"found {spin}; magnetic moments of the structure ({block}) need {wanted}"
            raise control.error("SPIN", f"{message}: set it, or take them out")
    if hubbard := hubbard_of(control, list(dict.fromkeys(atoms.get_chemical_symbols()))):
        words = [hubbard.get(symbol, "none") for symbol in atoms.get_chemical_symbols()]
        made.set_array(f"{SETTING}LDAU_PSP", np.array(words))
    return made


def hubbard_of(control: EtotInput, elements: Sequence[str]) -> dict[str, str]:
    """Element → value of its LDAU_PSP line.

    The number of such a line is that of a pseudopotential, so lines IN.PSP of the same file say
    which element is meant; without them it is clear for a structure of one element alone.

    Raises
    ------
    InputError
        A line does not say which element it means.
    """
    found = {}
    for key, value in control.values.items():
        match = HUBBARD.fullmatch(key)
        if match is None:
            continue
        file = control.values.get(f"IN.PSP{match[1]}", "")
        element = file.replace("\\", "/").rpartition("/")[2].partition(".")[0].capitalize()
        if not file and len(elements) == 1 and match[1] == "1":
            element = elements[0]
        if not element:
            raise control.error(
                key,
                "does not say which element it means: atoms are written by ascending atomic "
                f"number, whatever your order; add the line IN.PSP{match[1]} = NAME, the "
                "pseudopotential of its element",
            )
        found[element] = value
    return found


def hubbard_lines(control: EtotInput, elements: Sequence[str]) -> list[str]:
    """Lines for the elements of a structure, in their order."""
    found = hubbard_of(control, elements)
    return [
        f"LDAU_PSP{number} = {found[element]}"
        for number, element in enumerate(elements, 1)
        if element in found
    ]
