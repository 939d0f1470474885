"""Evaluates a delivered folder: ``python -m pwact.engines.ase.delivered``.

It runs ``calculator.py`` of the current directory on the frame beside it, as whoever gets the
folder would, and leaves ``check.json``.
"""

from __future__ import annotations

import importlib.util
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from pwact.engines.delivery import CALCULATOR, CHECK, RESULT
from pwact.engines.ranks import rank
from pwact.engines.worker import exit_status
from pwact.io.files import write_json


def evaluate(directory: Path) -> None:
    """Write energy (eV), forces (eV/Å) and versions."""
    import ase.io  # noqa: PLC0415

    spec = importlib.util.spec_from_file_location("calculator", directory / CALCULATOR)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    atoms = ase.io.read(directory / CHECK)
    atoms.calc = module.calculator()
    forces = atoms.get_forces(apply_constraint=False)
    found = {
        "energy": float(atoms.get_potential_energy()),
        "forces": forces.tolist(),
        "programs": {"ase": ase.__version__, **_package_of(atoms.calc)},
    }
    if not rank():  # of several processes one writes
        write_json(directory / RESULT, found)


def _package_of(calculator: Any) -> dict[str, str]:
    """The package of a calculator, with its version; empty where none is known."""
    name = type(calculator).__module__.partition(".")[0]
    for package in metadata.packages_distributions().get(name, ()) if _KNOWS else ():
        return {package: metadata.version(package)}
    return {}


_KNOWS = hasattr(metadata, "packages_distributions")  # from Python 3.10 on

if __name__ == "__main__":
    sys.exit(exit_status(evaluate))
