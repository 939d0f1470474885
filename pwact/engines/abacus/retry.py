"""What of an INPUT of ABACUS may be changed for another try of an SCF."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pwact.config.kinds import Choice, Flag, Real, Whole
from pwact.config.schema import Kind
from pwact.engines.ladder import allowed

_SOLVERS = ("cg", "bpcg", "dav", "dav_subspace", "genelpa", "scalapack_gvx", "lapack", "elpa")
# the thresholds of the SCF, of its stop while it swings, and mixing_tau, mixing_dftu are no part
TABLE: Mapping[str, Kind] = {
    "scf_nmax": Whole(1),
    "mixing_type": Choice(("plain", "pulay", "broyden")),
    "mixing_beta": Real(0.0, 1.0, positive=True),
    "mixing_beta_mag": Real(0.0, 10.0, positive=True),
    "mixing_ndim": Whole(1),
    "mixing_gg0": Real(0.0),
    "mixing_gg0_mag": Real(0.0),
    "mixing_gg0_min": Real(0.0),
    "mixing_restart": Real(0.0),
    "mixing_dmr": Flag(),
    "ks_solver": Choice(_SOLVERS),
    "pw_diag_nmax": Whole(1),
    "pw_diag_ndim": Whole(2),
    "diago_cg_prec": Whole(1),
    "init_wfc": Choice(("atomic", "atomic+random", "random")),
}


def values_of(changes: Mapping[str, Any]) -> dict[str, str]:
    """Keys and values as they stand in INPUT. Raises InputError as `allowed`."""
    return {key: _written(value) for key, value in allowed(changes, TABLE).items()}


def _written(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)
