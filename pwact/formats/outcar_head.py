"""The head of an OUTCAR: which atoms, and the settings that decide what its frames are worth."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ase.data import atomic_numbers

from pwact.errors import CutOffError
from pwact.io.lines import Lines

_HEAD = re.compile(
    r"^\s*(?P<key>NELM|EDIFF|NSW|ISIF|NWRITE|ICHARG|IALGO|ISPIN|LORBIT|LNONCOLLINEAR)\s*=\s*(?P<value>[^\s;]+)"
    r"|^\s*TITEL\s*=\s*(?P<title>\S.*)"
    r"|^\s*VRHFIN\s*=\s*(?P<hint>[A-Za-z]+)"
    r"|^\s*POTCAR:\s+(?P<potcar>\S.*)"
    r"|^\s*ions per type =(?P<counts>.*)"
    r"|^ ?(?P<version>vasp\.\d)"
)
VERSION = re.compile(r" ?vasp\.\d")
_PSEUDO_HYDROGEN = re.compile(r"H\d*\.\d+")  # passivates surfaces
_NO_ELEMENT = "does not exist"
PROJECTED = 10  # from this LORBIT on
FIXED_DENSITY = 10  # from this ICHARG on
FIXED_ORBITALS = (2, 3, 4)  # IALGO: ALGO = None, Eigenval, Subrot
SECOND = "a second run begins here; one file must hold one run"
# A run of VASP's machine-learned force field begins without an electronic step.
_FIRST = re.compile(r"Iteration\s*[\d*]+\s*\(|ML FORCE on cell")


@dataclass(frozen=True)
class RunHead:
    """What the head of an OUTCAR says about the run.

    Attributes
    ----------
    symbols
        Element of each atom.
    nelm, ediff
        Most electronic steps of an ionic step, and the energy (eV) at which they end.
    nsw
        Ionic steps that were asked for.
    isif, nwrite, icharg, ialgo
        As VASP understood them.
    moments
        Whether the moment of each atom is printed: a run with spins, and LORBIT of 10 and above.
    """

    symbols: tuple[str, ...]
    nelm: int
    ediff: float
    nsw: int
    isif: int
    nwrite: int
    icharg: int = 2
    ialgo: int = 38
    moments: bool = False

    @property
    def no_labels(self) -> str:
        """Why no ionic step of this run is a label, in words; "" if they may be."""
        if self.icharg >= FIXED_DENSITY:
            kept = f"ICHARG = {self.icharg}: the charge density was kept"
        elif self.ialgo in FIXED_ORBITALS:
            kept = f"IALGO = {self.ialgo}: the orbitals were kept"
        else:
            return ""
        return f"{kept}, so it is not self-consistent"


def read_head(lines: Lines) -> tuple[RunHead, str]:
    """Read up to the first electronic step (or machine-learned one); its line comes second.

    Raises
    ------
    CutOffError
        The file ends before.
    TaskError
        Something is missing or contradicts itself.
    """
    values: dict[str, str] = {}
    names: dict[str, list[str]] = {"title": [], "hint": [], "potcar": []}
    counts: Sequence[str] = ()
    runs = 0
    for line in lines:
        if _FIRST.search(line):
            return _head_of(lines, values, _elements(names, len(counts)), counts), line
        found = _HEAD.match(line)
        if found is None:
            continue
        kind = str(found.lastgroup)
        if kind == "value":
            values[found["key"]] = found["value"]  # the last counts: INCAR is echoed before
        elif kind == "counts":
            counts = found["counts"].split()
        elif kind == "version":
            runs += 1
            if runs > 1:
                raise lines.error(SECOND)
        else:
            names[kind].append(found[kind])
    raise CutOffError(
        f"{lines.path}, after line {lines.number}: ends before the first electronic step"
    )


def _elements(names: dict[str, list[str]], kinds: int) -> list[str]:
    """Elements from TITEL lines, or where there are none from POTCAR or VRHFIN lines."""
    titles = [_element(title) for title in names["title"]]
    if titles:
        return titles
    potcars = [_element(title) for title in names["potcar"]]
    if len(potcars) == 2 * kinds:  # listed together, then again as each is read
        return potcars[:kinds]
    return potcars or names["hint"]


def _element(title: str) -> str:
    """``Si`` of ``PAW_PBE Si_sv 05Jan2001``."""
    words = title.split()
    return words[min(1, len(words) - 1)].partition("_")[0]


def _head_of(
    lines: Lines, values: dict[str, str], elements: Sequence[str], counts: Sequence[str]
) -> RunHead:
    numbers = [int(word) for word in counts if word.isdigit()]
    strange = [element for element in elements if atomic_numbers.get(element, 0) == 0]
    if strange:
        pseudo = _PSEUDO_HYDROGEN.fullmatch(strange[0])
        what = "is pseudo-hydrogen of a fractional charge, no element" if pseudo else _NO_ELEMENT
        raise lines.error(f"the head names the element {strange[0]!r}, which {what}")
    if not elements or len(elements) != len(numbers) or len(numbers) != len(counts):
        raise lines.error(
            f"the head names {len(elements)} kinds of atoms ({' '.join(elements)}), "
            f"but counts {len(counts)} ({' '.join(counts)})"
        )
    missing = [key for key in ("NELM", "EDIFF", "NSW", "ISIF") if key not in values]
    if missing:
        raise lines.error(f"the head does not say {missing[0]}")
    keys = ("NELM", "NSW", "ISIF", "NWRITE", "ICHARG")
    nelm, nsw, isif, nwrite, icharg = (
        int(lines.numbers([values.get(key, "2")])[0]) for key in keys
    )
    symbols = [element for element, count in zip(elements, numbers) for _ in range(count)]
    ediff = lines.numbers([values["EDIFF"]])[0]
    ialgo = int(lines.numbers([values.get("IALGO", "38")])[0])
    moments = _moments(values)
    return RunHead(tuple(symbols), nelm, ediff, nsw, isif, nwrite, icharg, ialgo, moments)


def _moments(values: dict[str, str]) -> bool:
    spins = values.get("ISPIN") == "2" or values.get("LNONCOLLINEAR") == "T"
    orbitals = values.get("LORBIT", "0")
    return spins and orbitals.isdigit() and int(orbitals) >= PROJECTED
