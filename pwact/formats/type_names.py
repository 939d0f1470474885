"""Names of types that are no elements, and which elements the user says they are."""

from __future__ import annotations

import difflib

from ase.data import chemical_symbols

from pwact.errors import UsageError

TypeNames = tuple[tuple[str, str], ...]
OPTION = "--type-names"
_SYMBOLS = chemical_symbols[1:]


def read_type_names(text: str) -> TypeNames:
    """Pairs of a name and an element, of ``Fe1=Fe,Fe2=Fe``; none of "".

    Raises
    ------
    UsageError
        It is not made of such pairs, an element is none, or a name has two.
    """
    pairs: dict[str, str] = {}
    for part in filter(None, (one.strip() for one in text.split(","))):
        name, mark, element = (word.strip() for word in part.partition("="))
        if not name or not mark:
            raise UsageError(f"{OPTION} {text!r}: {part!r} is no NAME=ELEMENT, such as Fe1=Fe")
        if element not in _SYMBOLS:
            near = difflib.get_close_matches(element.capitalize(), _SYMBOLS, 1, 0.3)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise UsageError(f"{OPTION} {text!r}: {element!r} is no element{hint}")
        if pairs.setdefault(name, element) != element:
            raise UsageError(f"{OPTION} {text!r}: {name} is {pairs[name]} and {element}")
    return tuple(pairs.items())
