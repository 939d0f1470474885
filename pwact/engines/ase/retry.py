"""Which arguments of an ASE calculator may be changed for another try of an SCF.

A name with slashes is a place within: ``mixer/beta`` is ``beta`` of the argument ``mixer``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pwact.config.kinds import Choice, Flag, Real, Whole
from pwact.config.schema import Kind
from pwact.engines.ladder import allowed
from pwact.engines.qe import retry as qe
from pwact.engines.vasp import retry as vasp
from pwact.errors import InputError

_SHARE = Real(0.0, 1.0, positive=True)
TABLES: Mapping[str, Mapping[str, Kind]] = {
    "abinit": {
        "nstep": Whole(1),
        "nline": Whole(1),
        "nnsclo": Whole(0),
        "npulayit": Whole(1),
        "diemix": _SHARE,
        "diemixmag": Real(),
        "diemac": Real(1.0),
        "dielng": Real(positive=True),
    },
    "aims": {
        "sc_iter_limit": Whole(1),
        "mixer": Choice(("linear", "pulay", "broyden")),
        "charge_mix_param": _SHARE,
        "n_max_pulay": Whole(1),
    },
    "castep": {
        "max_scf_cycles": Whole(1),
        "mix_charge_amp": _SHARE,
        "mix_spin_amp": Real(positive=True),
        "mix_charge_gmax": Real(positive=True),
        "mix_history_length": Whole(1),
    },
    "dftb": {"Hamiltonian_MaxSCCIterations": Whole(1)},
    "espresso": {f"input_data/electrons/{key}": kind for key, kind in qe.TABLE.items()},
    "gpaw": {
        "maxiter": Whole(1),
        "mixer/backend": Choice(("pulay", "fft")),
        "mixer/beta": _SHARE,
        "mixer/nmaxold": Whole(1),
        "mixer/weight": Real(positive=True),
        "eigensolver": Choice(("cg", "dav", "rmm-diis")),
        "random": Flag(),
    },
    "nwchem": {"dft/iterations": Whole(1)},
    "siesta": {
        "fdf_arguments/MaxSCFIterations": Whole(1),
        "fdf_arguments/SCF.Mixer.Weight": _SHARE,
        "fdf_arguments/SCF.Mixer.History": Whole(1),
    },
    "tblite": {"max_iterations": Whole(1), "mixer_damping": _SHARE},
    "vasp": {key.lower(): kind for key, kind in vasp.TABLE.items()},
}


def arguments_with(
    changes: Mapping[str, Any], calculator: str, arguments: Mapping[str, Any]
) -> dict[str, Any]:
    """The arguments of a calculator with the changes in place of what they were.

    Parameters
    ----------
    calculator
        As the settings name it.

    Raises
    ------
    InputError
        Nothing may be changed of this calculator; else as `allowed`.
    """
    name = calculator.rpartition(":")[2].lower()
    if changes and name not in TABLES:
        known = ", ".join(TABLES)
        message = f"what may be changed of the calculator {calculator} is not known; of {known} it"
        raise InputError(f"{message} is", key=next(iter(changes)))
    made: dict[str, Any] = dict(arguments)
    for place, value in allowed(changes, TABLES[name]).items() if changes else ():
        inner = place.rpartition("/")
        if inner[0].startswith("input_data/"):  # ASE takes its keys without sections, too
            made["input_data"] = _without(made.get("input_data", {}), inner[2])
        made = _with(made, place.split("/"), value, place)
    return made


def _with(values: Mapping[str, Any], place: list[str], value: Any, whole: str) -> dict[str, Any]:
    """A copy with a value at a place; names that are there count in any case."""
    name, *inner = place
    key = next((one for one in values if one.lower() == name.lower()), name)
    if not inner:
        return {**values, key: value}
    within = values.get(key, {})
    if not isinstance(within, Mapping):
        raise InputError(f"{name} is {within!r} in the input; expected an object there", key=whole)
    return {**values, key: _with(within, inner, value, whole)}


def _without(values: Any, name: str) -> Any:
    if not isinstance(values, Mapping):
        return values
    return {key: value for key, value in values.items() if key.lower() != name.lower()}
