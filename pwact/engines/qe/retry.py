"""What of an input of pw.x may be changed for another try of an SCF: keys of &ELECTRONS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pwact.config.kinds import Choice, Flag, Real, Whole
from pwact.config.schema import Kind
from pwact.engines.ladder import allowed
from pwact.formats.qe_input import quoted

TABLE: Mapping[str, Kind] = {
    "electron_maxstep": Whole(1),
    "mixing_beta": Real(0.0, 1.0, positive=True),
    "mixing_mode": Choice(("plain", "TF", "local-TF")),
    "mixing_ndim": Whole(1),
    "diagonalization": Choice(("david", "cg", "ppcg", "paro", "rmm-davidson", "rmm-paro")),
    "diago_thr_init": Real(positive=True),
    "diago_cg_maxiter": Whole(1),
    "diago_david_ndim": Whole(2),
    "diago_full_acc": Flag(),
    "startingwfc": Choice(("atomic", "atomic+random", "random")),
}


def values_of(changes: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Keys and values as they stand in the namelist. Raises InputError as `allowed`."""
    return [(key, _written(value)) for key, value in allowed(changes, TABLE).items()]


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return ".true." if value else ".false."
    return quoted(value) if isinstance(value, str) else repr(value)
