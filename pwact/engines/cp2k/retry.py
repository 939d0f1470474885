"""What of an input of CP2K may be changed for another try of an SCF: below FORCE_EVAL/DFT/SCF."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pwact.config.kinds import Choice, Real, Whole
from pwact.config.schema import Kind
from pwact.engines.cp2k.task import there
from pwact.engines.ladder import allowed
from pwact.errors import InputError
from pwact.formats.cp2k_input import Line, Section

_SHARE = Real(0.0, 1.0, positive=True)
_METHODS = (
    *("DIRECT_P_MIXING", "KERKER_MIXING", "PULAY_MIXING"),
    *("BROYDEN_MIXING", "MULTISECANT_MIXING"),
)
_PRECONDITIONERS = (
    *("FULL_ALL", "FULL_SINGLE_INVERSE", "FULL_SINGLE", "FULL_KINETIC"),
    *("FULL_S_INVERSE", "NONE"),
)
TABLE: Mapping[str, Kind] = {
    "MAX_SCF": Whole(1),
    "MAX_DIIS": Whole(1),
    "OUTER_SCF/MAX_SCF": Whole(1),
    "MIXING/METHOD": Choice(_METHODS),
    "MIXING/ALPHA": _SHARE,
    "MIXING/BETA": Real(positive=True),
    "MIXING/NBUFFER": Whole(1),
    "MIXING/NPULAY": Whole(1),
    "MIXING/NBROYDEN": Whole(1),
    "MIXING/NSKIP": Whole(0),
    "OT/MINIMIZER": Choice(("CG", "DIIS", "SD", "BROYDEN")),
    "OT/LINESEARCH": Choice(("2PNT", "3PNT", "GOLD", "NONE", "ADAPT")),
    "OT/PRECONDITIONER": Choice(_PRECONDITIONERS),
    "OT/ENERGY_GAP": Real(positive=True),
    "OT/STEPSIZE": Real(),
    "OT/N_HISTORY_VEC": Whole(1),
}
_MADE = "MIXING"  # a section that may be added; any other says what is solved, or how exactly


def values_of(changes: Mapping[str, Any], root: Section, path: Path) -> dict[str, str]:
    """Place below ``&SCF`` → value.

    Raises
    ------
    InputError
        As `allowed`; or a section is not in the input, which would solve it in another way.
    """
    found = allowed(changes, TABLE)
    for place in found:
        section = place.rpartition("/")[0]
        if section in ("", _MADE):
            continue
        if root.section("FORCE_EVAL", "DFT", "SCF", section) is None:
            message = f"{path} has no &{section} in &SCF; expected a key of a section that is there"
            raise InputError(message, key=place)
    return {place: str(value) for place, value in found.items()}


def put_in(root: Section, values: Mapping[str, str]) -> None:
    """Write the values in place of what they were; without any the input stays as it is."""
    if not values:
        return
    scf = there(there(there(root, "FORCE_EVAL"), "DFT"), "SCF")
    for place, value in values.items():
        name, _, key = place.rpartition("/")
        section = there(scf, name) if name else scf
        section.remove(lambda item, key=key: isinstance(item, Line) and item.name == key)  # type: ignore[misc]
        section.append(f"{section.inner_indent()}{key} {value}\n")
