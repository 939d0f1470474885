"""The preset of VASP: one POTCAR for each element, which the user brings."""

from __future__ import annotations

from pwact.engines.presets import Filling, Wanted, pseudo_files
from pwact.engines.vasp.potcar import element_of


def fill(wanted: Wanted) -> Filling:
    """The POTCARs. Raises InputError where those that are named do not fit the elements."""
    files, lacking = pseudo_files(wanted, element_of, lambda element: f"POTCAR.{element}")
    said = [f"{name}: a PBE potential of your VASP licence" for name in lacking]
    return Filling(keys={"pseudo": files}, to_supply=said)
