"""Presets of ASE's calculators."""

from __future__ import annotations

from pwact.engines.presets import Filling, Wanted
from pwact.errors import InputError


def any_elements(wanted: Wanted) -> Filling:  # noqa: ARG001
    """A calculator that brings what it needs."""
    return Filling()


def emt(wanted: Wanted) -> Filling:
    """EMT, which knows a few elements. Raises InputError for others."""
    from ase.calculators.emt import parameters  # noqa: PLC0415

    unknown = [element for element in wanted.elements if element not in parameters]
    if unknown:
        known = " ".join(sorted(parameters))
        raise InputError(f"EMT does not know {' '.join(unknown)}; it knows {known}", key="--label")
    return Filling()
