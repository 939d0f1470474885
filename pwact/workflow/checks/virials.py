"""Virials of a doubtful sign: those that PWact collected, those that grow with the volume."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from pwact.config.run import RunConfig
from pwact.errors import InputError
from pwact.io.texts import open_text
from pwact.registry.engines import LABELERS
from pwact.registry.formats import FORMATS

TURN = "pwact to_pwdata --virial-sign opposite turns them; see docs/formats.md"
_FIVE, _FOUR = r"-?\d+\.\d{5}", r"-?\d+\.\d{4}"
# as PWact writes: five decimals in the lattice, four in the virial
_BY_PWACT = re.compile(
    rf'Lattice="(?:{_FIVE} ?){{9}}" Properties=species:S:1:pos:R:3:force:R:3 pbc="T T T" '
    rf'energy=\S+ virial="(?:{_FOUR} ?){{9}}"\s*'
)
_NEAR = 0.15  # of the median volume: further away are other phases, or vacuum
_LEAST = 6  # frames
_RANGE = 0.0125  # eV/Å³ (2 GPa), over which pressures must spread
_CORRELATION = 0.9


def collected_by_pwact(config: RunConfig) -> list[str]:
    """Warnings of data sets that PWact wrote, if of a labeler whose virials it left turned."""
    if not LABELERS[config.dft.style].turned_by_pwact:
        return []
    found = [
        path
        for path in (*config.init_data, *config.valid_data)
        if not FORMATS[config.data_format].folder and _written_by_pwact(path)
    ]
    if not found:
        return []
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    message = (
        f"{found[0]}{more} is written as PWact does it, and PWact collected the virials of "
        f"{config.dft.style} with the opposite sign: if they are trained, {TURN}"
    )
    return [str(InputError(message, config.file, "init_data"))]


def _written_by_pwact(path: Path) -> bool:
    with open_text(path) as stream:
        first = list(islice(stream, 2))
    return len(first) == 2 and _BY_PWACT.fullmatch(first[1]) is not None


def grows_with_volume(kinds: np.ndarray, volumes: np.ndarray, traces: np.ndarray) -> list[int]:
    """Which compositions have a pressure that grows with the volume, as that of no solid does.

    Parameters
    ----------
    kinds
        Number of the composition of each frame.
    volumes
        Å³.
    traces
        Of the virials, eV; NaN for none.

    Returns
    -------
    list
        Numbers of compositions, ascending.
    """
    return [
        int(kind)
        for kind in np.unique(kinds)
        if _grows(volumes[kinds == kind], traces[kinds == kind])
    ]


def _grows(volumes: np.ndarray, traces: np.ndarray) -> bool:
    known = np.isfinite(traces) & (volumes > 0)
    if known.sum() < _LEAST:
        return False
    known &= np.abs(volumes - np.median(volumes[known])) < _NEAR * np.median(volumes[known])
    pressures = traces[known] / (3 * volumes[known])
    if known.sum() < _LEAST or np.ptp(pressures) < _RANGE or np.ptp(volumes[known]) == 0:
        return False
    return bool(np.corrcoef(np.log(volumes[known]), pressures)[0, 1] > _CORRELATION)


def growing_words(formulas: Sequence[str]) -> str:
    """What is said of compositions whose pressure grows with the volume; "" of none."""
    if not formulas:
        return ""
    more = f" (and {len(formulas) - 1} more compositions)" if len(formulas) > 1 else ""
    return (
        f"the pressure of {formulas[0]}{more} grows with the volume, by its virials: they seem to "
        f"have the opposite sign; {TURN}"
    )
