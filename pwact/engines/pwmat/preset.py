"""The preset of PWmat: one pseudopotential for each element, which the user brings."""

from __future__ import annotations

from pathlib import Path

from pwact.config.elements import NUMBERS
from pwact.engines.presets import Filling, Wanted, pseudo_files
from pwact.errors import InputError


def fill(wanted: Wanted) -> Filling:
    """The pseudopotentials. Raises InputError where those named do not fit the elements."""
    files, lacking = pseudo_files(wanted, _element_of, lambda element: f"{element}.SG15.PBE.UPF")
    said = [f"{name}: it comes with PWmat" for name in lacking]
    return Filling(keys={"pseudo": files}, to_supply=said)


def _element_of(path: Path) -> str:
    """By the name, as the labeler finds it."""
    element = path.name.partition(".")[0]
    if element not in NUMBERS:
        raise InputError(f"the name must begin with the element and a dot: {path.name}", path)
    return element
