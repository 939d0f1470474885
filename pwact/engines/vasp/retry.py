"""What of an INCAR may be changed for another try of an SCF."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pwact.config.kinds import Choice, Real, Whole
from pwact.config.schema import Kind
from pwact.engines.ladder import allowed

# ALGO without those that make no self-consistent density, and without those of GW
_ALGORITHMS = ("Normal", "VeryFast", "Fast", "Conjugate", "All", "Damped")
TABLE: Mapping[str, Kind] = {
    "ALGO": Choice(_ALGORITHMS),
    "NELM": Whole(1),
    "NELMIN": Whole(1),
    "NELMDL": Whole(),
    "AMIX": Real(0.0, 1.0, positive=True),
    "BMIX": Real(0.0, 10.0, positive=True),
    "AMIX_MAG": Real(0.0, 10.0, positive=True),
    "BMIX_MAG": Real(0.0, 10.0, positive=True),
    "AMIN": Real(0.0, 1.0, positive=True),
    "MAXMIX": Whole(),
    "WC": Real(),
    "IMIX": Whole(0, 4),
    "INIMIX": Whole(0, 1),
    "MIXPRE": Whole(0, 3),
    "TIME": Real(0.0, 10.0, positive=True),
    "NSIM": Whole(1),
}


def values_of(changes: Mapping[str, Any]) -> dict[str, str]:
    """Keys and values as they stand in the INCAR. Raises InputError as `allowed`."""
    return {key: str(value) for key, value in allowed(changes, TABLE).items()}
