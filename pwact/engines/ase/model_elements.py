"""Whether the model behind an ASE calculator knows the elements of a structure."""

from __future__ import annotations

from collections.abc import Collection
from operator import attrgetter
from typing import Any, Union

from pwact.config.elements import SYMBOLS

# where calculators of packages hold the elements of their model, by symbol or number
_HELD = {"mace": "z_table.zs", "sevennet": "type_map", "torchnep": "nep.type_names"}
_MOST_SHOWN = 10


def unknown_elements(name: str, calculator: Any, elements: Collection[str]) -> str:
    """In words, which of these elements the model lacks; "" if none, or it does not tell.

    Parameters
    ----------
    name
        Of the calculator, as it is given.
    """
    if name.lower() not in _HELD:
        return ""
    try:
        held = attrgetter(_HELD[name.lower()])(calculator)
    except AttributeError:  # another version of the package; it will say itself what it lacks
        return ""
    known = {_symbol(one) for one in held}
    strange = sorted(set(elements) - known)
    if not strange:
        return ""
    shown = ", ".join(sorted(known)) if len(known) <= _MOST_SHOWN else f"{len(known)} elements"
    return f"the model knows {shown}, but not {', '.join(strange)}"


def _symbol(element: Union[str, int]) -> str:
    return element if isinstance(element, str) else SYMBOLS[int(element) - 1]
