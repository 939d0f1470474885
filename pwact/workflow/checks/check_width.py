"""Explored cells in which atoms meet images of their neighbours."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Union

from pwact.config.init_bulk import InitConfig
from pwact.config.run import RunConfig
from pwact.config.structure_file import StructureFile
from pwact.errors import InputError
from pwact.formats.structures import read_structure
from pwact.geometry import narrowest
from pwact.workflow.systems import explored


def narrow_cells(config: Union[RunConfig, InitConfig]) -> list[str]:
    """What is said of explored cells that are narrower than twice the cutoff: one line.

    The models are right in such cells, and LAMMPS is; they only learn less of each frame.
    """
    cutoff = config.train.cutoff if isinstance(config, RunConfig) else None
    if not isinstance(config, RunConfig) or cutoff is None:
        return []
    small = _narrow((structure for _, structure in explored(config)), 2 * cutoff)
    if not small:
        return []
    path = min(small, key=lambda one: (small[one], str(one)))
    more = f" (and {len(small) - 1} more)" if len(small) > 1 else ""
    return [f"{path}{more} {_words(small[path], cutoff)}"]


def refuse_narrow(config: RunConfig) -> None:
    """Raise InputError for the first entry with such a cell."""
    cutoff = config.train.cutoff
    if cutoff is None:
        return
    for key, structure in explored(config):
        for path, width in _narrow([structure], 2 * cutoff).items():
            raise InputError(f"{path} {_words(width, cutoff)}", config.file, key)


def _narrow(structures: Iterable[StructureFile], least: float) -> dict[Path, float]:
    """Files with cells that are narrower than `least` (Å) between two faces, and how wide."""
    widths = {one.path: narrowest(read_structure(one.path, one.format)) for one in structures}
    return {path: width for path, width in widths.items() if width < least}


def _words(width: float, cutoff: float) -> str:
    return (
        f"is {width:.3g} Å wide, less than twice the cutoff of the models ({cutoff:g} Å): atoms "
        "meet images of their neighbours, so a super cell teaches more"
    )
