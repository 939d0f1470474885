"""The preset of CP2K: basis sets and potentials from the program's data directory."""

from __future__ import annotations

import os
import re
from pathlib import Path

from pwact.engines.cp2k.checks import names_in
from pwact.engines.presets import Filling, Wanted
from pwact.errors import InputError

BASIS_FILE, POTENTIAL_FILE = "BASIS_MOLOPT", "GTH_POTENTIALS"
_DATA = "CP2K_DATA_DIR"
_PLACES = ("/usr/share/cp2k",)
_BASIS = ("DZVP-MOLOPT-SR-GTH", "DZVP-MOLOPT-GTH")  # the second for elements without the first
_KSPACING = 0.3


def fill(wanted: Wanted) -> Filling:
    """Basis set and potential of each element.

    Raises
    ------
    InputError
        The data directory is not found, or has no DZVP-MOLOPT basis for an element.
    """
    folder = _data(wanted)
    bases, potentials = names_in(folder / BASIS_FILE), names_in(folder / POTENTIAL_FILE)
    chosen = [_pair(one, bases.get(one.upper(), {}), folder) for one in wanted.elements]
    for element, (_, potential) in zip(wanted.elements, chosen):
        if potential.upper() not in potentials.get(element.upper(), {}):
            raise InputError(f"has no {potential} for {element}", folder / POTENTIAL_FILE)
    gaussian = {
        "basis_set_file": str(folder / BASIS_FILE),
        "potential_file": str(folder / POTENTIAL_FILE),
        "atom_list": list(wanted.elements),
        "basis_set_list": [basis for basis, _ in chosen],
        "potential_list": [potential for _, potential in chosen],
        "kspacing": _KSPACING,
    }
    return Filling(keys={"gaussian_param": gaussian})


def _data(wanted: Wanted) -> Path:
    if wanted.data is not None:
        places = [wanted.here / wanted.data]
    else:
        places = [Path(name) for name in (os.environ.get(_DATA, ""), *_PLACES) if name]
    for place in places:
        if all((place / name).is_file() for name in (BASIS_FILE, POTENTIAL_FILE)):
            return place
    looked = " nor in ".join(map(str, places))
    message = f"{BASIS_FILE} and {POTENTIAL_FILE} are not in {looked}; name CP2K's data directory"
    raise InputError(message, key="--data")


def _pair(element: str, names: dict[str, str], folder: Path) -> tuple[str, str]:
    """Basis set, and the potential with the electrons that it is made for."""
    for basis in _BASIS:
        if basis in names:
            electrons = re.compile(rf"{basis}-(q\d+)", re.IGNORECASE)
            found = [match for name in names.values() if (match := electrons.fullmatch(name))]
            if found:
                return basis, f"GTH-PBE-{found[0][1]}"
    raise InputError(f"has no {_BASIS[0]} for {element}", folder / BASIS_FILE)
