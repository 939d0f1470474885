"""What of an ``etot.input`` may be changed for another try of an SCF.

A line ``SCF_ITER0_2 = NITER NLINE IMTH ICMIX DE FERMI`` says how the SCF is solved and, by its last
two numbers, how electrons are smeared: these must be those of the user's line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pwact.config.kinds import Real, Text
from pwact.config.schema import Kind
from pwact.engines.ladder import allowed
from pwact.engines.pwmat.input import EtotInput
from pwact.errors import InputError

_ITERATIONS = ("SCF_ITER0_1", "SCF_ITER0_2", "SCF_ITER0_3", "SCF_ITER1_1", "SCF_ITER1_2")
TABLE: Mapping[str, Kind] = {
    **dict.fromkeys(_ITERATIONS, Text(one_line=True)),
    "KERK_AMIN": Real(0.0),
    "KERK_AMIX": Real(0.0, positive=True),
    "KERK_AMIX_MAG": Real(0.0, positive=True),
    "KERK_BMIX": Real(0.0, positive=True),
}
_WORDS = 6
_FORM = "six numbers: steps, lines a step, method, mixing, smearing width, kind of smearing"


def values_of(changes: Mapping[str, Any], control: EtotInput) -> dict[str, str]:
    """Keys and values as they stand in the control file.

    Raises
    ------
    InputError
        As `allowed`; or a line would change the smearing.
    """
    found = {key: str(value) for key, value in allowed(changes, TABLE).items()}
    for key, value in found.items():
        if key in _ITERATIONS:
            _check_line(key, value.replace(",", " ").split(), control)
    return found


def _check_line(key: str, words: Sequence[str], control: EtotInput) -> None:
    new = _numbers(words)
    if len(new) != _WORDS:
        raise InputError(f"found {' '.join(words)}; expected {_FORM}", key=key)
    own = _numbers(control.words(key))
    if len(own) != _WORDS:
        message = f"{control.path} has no such line, whose smearing would be kept; write it there"
        raise InputError(message, key=key)
    for place, what in ((4, "smearing width"), (5, "kind of smearing")):
        if new[place] != own[place]:
            found = f"found {words[place]} as {what}; expected {own[place]:g}, that of the input"
            raise InputError(f"{found}: another try solves the same equations", key=key)
    if (new[3] == 0) != (own[3] == 0):
        message = "mixing is 0 where the potential is held, and only there; the input has it "
        raise InputError(f"found {words[3]}; {message}{own[3]:g}", key=key)


def _numbers(words: Sequence[str]) -> list[float]:
    try:
        return [float(word.lower().replace("d", "e")) for word in words]
    except ValueError:
        return []
