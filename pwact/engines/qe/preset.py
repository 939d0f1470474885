"""The preset of Quantum ESPRESSO: cutoffs from the pseudopotential files of the user.

Files in UPF may suggest cutoffs of the wave functions and the density (``wfc_cutoff``,
``rho_cutoff`` of version 2, a line of the head in version 1). The density gets at least eight times
the cutoff of the wave functions where a file is ultrasoft or PAW, else four times, as in the
protocol of SSSP (Prandini et al., npj Comput. Mater. 4, 72 (2018)).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

from pwact.engines.presets import Filling, Wanted, named_by_element
from pwact.errors import InputError
from pwact.formats.upf import head_text, header

_NUMBER = r"([-+.\dEeDd]+)"
_WAVES = re.compile(rf'\bwfc_cutoff="\s*{_NUMBER}\s*"')
_DENSITY = re.compile(rf'\brho_cutoff="\s*{_NUMBER}\s*"')
_FIRST_VERSION = re.compile(rf"^\s*{_NUMBER}\s+{_NUMBER}\s+Suggested Cutoff for wfc", re.M | re.I)
_SOFT = re.compile(r'\bpseudo_type="\s*(?:US|USPP|PAW)\s*"|^\s*US\s+Ultrasoft', re.M | re.I)
_SOFT_DUAL, _HARD_DUAL = 8, 4
_FS = 1 / 0.048377687  # Rydberg atomic units of time in a femtosecond


@dataclass(frozen=True)
class Suggested:
    """What a file says of its cutoffs, in Ry; 0 where it says nothing."""

    waves: float
    density: float
    dual: int


def suggested(path: Path) -> Suggested:
    """The cutoffs that a pseudopotential suggests. Raises InputError."""
    text = head_text(path)
    dual = _SOFT_DUAL if _SOFT.search(text) else _HARD_DUAL
    first = _FIRST_VERSION.search(text)
    if first is not None:
        return Suggested(_number(first[1]), _number(first[2]), dual)
    waves, density = _WAVES.search(text), _DENSITY.search(text)
    return Suggested(_number(waves[1]) if waves else 0, _number(density[1]) if density else 0, dual)


def _number(text: str) -> float:
    try:
        return float(text.upper().replace("D", "E"))
    except ValueError:
        return 0.0


def fill(wanted: Wanted) -> Filling:
    """Cutoffs of all files. Raises InputError where none is suggested and none is given."""
    if not wanted.pseudo:
        raise InputError(
            f"the cutoffs come from your UPF files: name one for {' '.join(wanted.elements)}",
            key="--pseudo",
        )
    files = named_by_element(wanted, lambda path: header(path).element)
    found = {name: suggested(wanted.here / name) for name in files.values()}
    waves = wanted.cutoff_ry or _waves(found)
    density = max(max(one.density, one.dual * waves) for one in found.values())
    names = ", ".join(Path(name).name for name in files.values())
    origin = "as you gave them" if wanted.cutoff_ry else f"the largest suggested in {names}"
    return Filling(
        values={
            "ecutwfc": f"{math.ceil(waves)}",
            "ecutrho": f"{math.ceil(density)}",
            "dt": f"{wanted.timestep_fs * _FS:.1f}",
            "origin": origin,
        },
        keys={"pseudo": list(files.values())},
    )


def _waves(found: dict[str, Suggested]) -> float:
    silent = [name for name, one in found.items() if one.waves <= 0]
    if silent:
        message = f"{', '.join(silent)} suggests no cutoff; give one in Ry by --cutoff"
        raise InputError(message, key="--pseudo")
    return max(one.waves for one in found.values())
