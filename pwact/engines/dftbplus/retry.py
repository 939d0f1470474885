"""What of an input of DFTB+ may be changed for another try of an SCC: its mixer, and more steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pwact.config.kinds import Choice, Real, Whole
from pwact.config.schema import Kind
from pwact.engines.ladder import allowed
from pwact.errors import InputError
from pwact.formats.hsd import Node

_SHARE = Real(0.0, 1.0, positive=True)
_STEPS, _MIXER = "MaxSCCIterations", "Mixer"
# what each mixer knows of the table
_OWN = {
    "Broyden": ("MixingParameter",),
    "Anderson": ("MixingParameter", "InitMixingParameter", "Generations"),
    "DIIS": ("InitMixingParameter", "Generations"),
    "Simple": ("MixingParameter",),
}
TABLE: Mapping[str, Kind] = {
    _STEPS: Whole(1),
    _MIXER: Choice(tuple(_OWN)),
    f"{_MIXER}/MixingParameter": _SHARE,
    f"{_MIXER}/InitMixingParameter": _SHARE,
    f"{_MIXER}/Generations": Whole(2),
}


def lines_of(changes: Mapping[str, Any], root: Node) -> str:
    """Lines in HSD that change what stands before; empty without changes.

    Raises
    ------
    InputError
        As `allowed`; or the mixer does not know what is to be changed.
    """
    found = allowed(changes, TABLE)
    hamiltonian = root.child("Hamiltonian")
    method = hamiltonian.method if hamiltonian is not None else None
    if not found or method is None:
        return ""
    lines = [f"!{_STEPS} = {found[_STEPS]}"] if _STEPS in found else []
    lines += _mixer(found, method)
    inner = "".join(f"    {line}\n" for line in lines)
    return f"+Hamiltonian = {{\n  +{method.name} = {{\n{inner}  }}\n}}\n"


def _mixer(found: Mapping[str, Any], method: Node) -> list[str]:
    values = {place.partition("/")[2]: value for place, value in found.items() if "/" in place}
    if _MIXER not in found and not values:
        return []
    given = method.at(_MIXER)
    own = given.method.name if given is not None and given.method is not None else ""
    name = found.get(_MIXER, own or "Broyden")
    known = next((names for one, names in _OWN.items() if one.lower() == name.lower()), ())
    for key in values:
        if key not in known:
            message = f"the mixer is {name}, which knows {', '.join(known) or 'none of them'}"
            raise InputError(message, key=f"{_MIXER}/{key}")
    if own.lower() == name.lower():  # what else it is given stays
        inner = " ".join(f"!{key} = {value};" for key, value in values.items())
        return [f"+{_MIXER} = {{", f"  +{own} = {{", f"    {inner}", "  }", "}"]
    rows = [f"  {key} = {value}" for key, value in values.items()]
    return [f"!{_MIXER} = {name} {{", *rows, "}"]
