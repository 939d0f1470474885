"""POTCAR files without a potential, with the lines that programs look for."""

from __future__ import annotations

from pathlib import Path


def write_dummy_potcar(path: Path, name: str) -> Path:
    """A data set of `name`, such as ``Si`` or ``Ag_pv``, for no real calculation."""
    element = name.partition("_")[0]
    title = f"PAW_PBE {name} 01Jan2000"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"  {title}\n   1.00000000000000\n parameters from PSCTR are:\n"
        f"   VRHFIN ={element}: of nothing\n   LEXCH  = PE\n   TITEL  = {title}\n"
        "   POMASS =    1.000; ZVAL   =    1.000    mass and valenz\n END of PSCTR-controll "
        f"parameters\n local part\n  0.1 0.2 0.3 {element}\n End of Dataset\n"
    )
    return path
