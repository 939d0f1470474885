"""Pseudopotentials in UPF, versions 1 and 2: what their heads say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from pwact.errors import InputError

_HEADER_BYTES = 200_000


@dataclass(frozen=True)
class Header:
    """What a pseudopotential says of itself.

    Attributes
    ----------
    element
        "" where it does not say.
    valence
        Its number of electrons; None where it does not say.
    """

    element: str
    valence: Optional[float]


def header(path: Path) -> Header:
    """Read the head of a pseudopotential in UPF, version 1 or 2. Raises InputError."""
    text = head_text(path)
    element = re.search(r'\belement="\s*(\w+)\s*"', text)
    valence = re.search(r'\bz_valence="\s*([^"]+?)\s*"', text)
    if element is None:  # version 1
        element = re.search(r"^\s*([A-Z][a-z]?)\s+Element\s*$", text, re.MULTILINE)
        valence = re.search(r"^\s*(\S+)\s+Z valence\s*$", text, re.MULTILINE)
    try:
        electrons = float(valence[1].replace("D", "E")) if valence else None
    except ValueError:
        electrons = None
    return Header(element[1].capitalize() if element else "", electrons)


def head_text(path: Path) -> str:
    """The beginning of a pseudopotential, with all that it says of itself. Raises InputError."""
    try:
        with path.open("rb") as stream:
            return stream.read(_HEADER_BYTES).decode("utf-8", "replace")
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path) from error
